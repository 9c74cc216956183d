// What both C peers share: evhttp on loopback, and the check of X-Invoiced-Signature over the body as it was received.
#pragma once
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIGNATURE_BYTES 32

static void fail(const char *what) {
  fprintf(stderr, "error: %s\n", what);
  exit(1);
}

// A context that holds the key: each message only rewinds it, which is a third of the work of a one-shot HMAC().
static EVP_MAC_CTX *mac_new(const char *secret) {
  EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
  EVP_MAC_CTX *context = mac ? EVP_MAC_CTX_new(mac) : NULL;
  OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
                             OSSL_PARAM_construct_end()};
  if (!context || !EVP_MAC_init(context, (const unsigned char *)secret, strlen(secret), parameters))
    fail("no HMAC-SHA256 in this OpenSSL");
  EVP_MAC_free(mac);
  return context;
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c |= 0x20;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int hex_decode(const char *text, unsigned char *bytes, size_t count) {
  for (size_t i = 0; i < count; i++) {
    int high = hex_digit(text[2 * i]), low = high < 0 ? -1 : hex_digit(text[2 * i + 1]);
    if (low < 0) return 0;
    bytes[i] = (unsigned char)(high << 4 | low);
  }
  return text[2 * count] == 0;
}

static int is_signed(EVP_MAC_CTX *mac, struct evhttp_request *request) {
  const char *header = evhttp_find_header(evhttp_request_get_input_headers(request), "X-Invoiced-Signature");
  unsigned char given[SIGNATURE_BYTES], wanted[SIGNATURE_BYTES];
  if (!header || !hex_decode(header, given, sizeof given)) return 0;
  struct evbuffer *body = evhttp_request_get_input_buffer(request);
  int pieces = evbuffer_peek(body, -1, NULL, NULL, 0);
  struct evbuffer_iovec piece[pieces + 1];
  pieces = evbuffer_peek(body, -1, NULL, piece, pieces);
  size_t length;
  if (!EVP_MAC_init(mac, NULL, 0, NULL)) return 0;
  for (int i = 0; i < pieces; i++)
    if (!EVP_MAC_update(mac, piece[i].iov_base, piece[i].iov_len)) return 0;
  return EVP_MAC_final(mac, wanted, &length, sizeof wanted) && !CRYPTO_memcmp(given, wanted, sizeof wanted);
}

static void answer(struct evhttp_request *request, int status, const char *reason, const char *body) {
  evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type", "application/json");
  struct evbuffer *output = evhttp_request_get_output_buffer(request);
  evbuffer_add(output, body, strlen(body));
  evhttp_send_reply(request, status, reason, NULL);
}

static void stop_loop(evutil_socket_t signal, short what, void *base) {
  (void)signal, (void)what;
  event_base_loopbreak(base);
}

// Serves POST /webhooks/invoiced on 127.0.0.1 until SIGTERM.
static void serve(struct event_base *base, const char *port, void (*handle)(struct evhttp_request *, void *),
                  void *context) {
  signal(SIGPIPE, SIG_IGN);
  struct evhttp *http = evhttp_new(base);
  evhttp_set_max_body_size(http, 1 << 20);
  evhttp_set_max_headers_size(http, 16 << 10);
  evhttp_set_allowed_methods(http, EVHTTP_REQ_POST);
  evhttp_set_cb(http, "/webhooks/invoiced", handle, context);
  if (evhttp_bind_socket(http, "127.0.0.1", (unsigned short)atoi(port))) fail("the port is taken");
  struct event *term = evsignal_new(base, SIGTERM, stop_loop, base);
  event_add(term, NULL);
  event_base_dispatch(base);
}
