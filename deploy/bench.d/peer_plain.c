// The upper bound of ingest: evhttp on one thread, the signature is checked, nothing is stored.
//   peer_plain PORT SECRET
#include "peer.h"

static void handle(struct evhttp_request *request, void *mac) {
  if (is_signed(mac, request))
    answer(request, 200, "OK", "{\"status\":\"accepted\"}");
  else
    answer(request, 401, "Unauthorized", "{\"status\":401}");
}

int main(int count, char **arguments) {
  if (count != 3) fail("usage: peer_plain PORT SECRET");
  serve(event_base_new(), arguments[1], handle, mac_new(arguments[2]));
}
