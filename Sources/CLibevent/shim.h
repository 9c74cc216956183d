#pragma once
/* First: event-config.h defines _GNU_SOURCE, which renames a field of fd_set; Swift would then see two definitions of one type. */
#include <sys/select.h>
#include <event2/event.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <event2/thread.h>
