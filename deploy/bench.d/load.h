// The requests of a load: what the n-th event is, and its signature, computed beforehand.
#pragma once
#include "sample.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <time.h>

struct request_options {
  int port, standard_webhooks, random;
  const char *secret, *sample, *path;
  uint64_t count, first, customers, stamp;
};

struct plan {
  struct request_options options;
  struct sample sample;  // head and body
  size_t body_length, signature_width;
  uint64_t count;
  char *signatures;
};

enum { INVOICED_ID_WIDTH = 18, WEBHOOK_ID_WIDTH = 36, HEX_WIDTH = 64, BASE64_WIDTH = 44 };

// A permutation of 56-bit numbers: ids that look random and never repeat.
static uint64_t scatter(uint64_t number) {
  uint32_t left = (uint32_t)(number >> 28) & 0xfffffff, right = (uint32_t)number & 0xfffffff;
  for (uint32_t round = 1; round <= 4; round++) {
    uint32_t mixed = (right ^ round * 0x9e3779b9u) * 0x85ebca6bu;
    mixed ^= mixed >> 15;
    mixed *= 0xc2b2ae35u;
    uint32_t next = left ^ (mixed >> 4);
    left = right;
    right = next & 0xfffffff;
  }
  return (uint64_t)left << 28 | right;
}

static void event_id(const struct request_options *options, uint64_t number, char id[WEBHOOK_ID_WIDTH + 1]) {
  unsigned long long value = options->random ? scatter(number) : number;
  unsigned long long more = scatter(number + 1), most = scatter(number + 2);
  if (!options->standard_webhooks)
    snprintf(id, WEBHOOK_ID_WIDTH + 1, "%018llu", 100000000000000000ULL + value);
  else if (options->random)  // a UUID's form
    snprintf(id, WEBHOOK_ID_WIDTH + 1, "%08llx-%04llx-4%03llx-8%03llx-%012llx", value >> 24 & 0xffffffff,
             value >> 8 & 0xffff, (value & 0xff) << 4, more & 0xfff, most & 0xffffffffffff);
  else
    snprintf(id, WEBHOOK_ID_WIDTH + 1, "evt_%032llu", value);
}

// Lays the n-th event and its signature into a copy of the sample's text.
static void plan_fill(const struct plan *plan, char *text, uint64_t n) {
  char id[WEBHOOK_ID_WIDTH + 1];
  uint64_t number = plan->options.first + n;
  event_id(&plan->options, number, id);
  sample_fill(&plan->sample, text, EVENT, id);
  sample_number(&plan->sample, text, CUSTOMER, FIRST_CUSTOMER + number % plan->options.customers);
  sample_fill(&plan->sample, text, SIGNATURE, plan->signatures + n * plan->signature_width);
}

static EVP_MAC_CTX *signer(const struct request_options *options) {
  const char *secret = options->secret;
  unsigned char decoded[256];
  int length = (int)strlen(secret);
  if (options->standard_webhooks) {
    if (!strncmp(secret, "whsec_", 6)) secret += 6;
    length = (int)strlen(secret);
    if (length > 256) exit(64);
    int padding = (length > 0 && secret[length - 1] == '=') + (length > 1 && secret[length - 2] == '=');
    length = EVP_DecodeBlock(decoded, (const unsigned char *)secret, length) - padding;
    secret = (const char *)decoded;
  }
  EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
  EVP_MAC_CTX *context = EVP_MAC_CTX_new(mac);
  OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
                             OSSL_PARAM_construct_end()};
  if (length <= 0 || !EVP_MAC_init(context, (const unsigned char *)secret, (size_t)length, parameters)) {
    fprintf(stderr, "error: the secret can't be used\n");
    exit(1);
  }
  EVP_MAC_free(mac);
  return context;
}

static void sign(const struct plan *plan, EVP_MAC_CTX *mac, const char *text, uint64_t n, const char *timestamp) {
  char id[WEBHOOK_ID_WIDTH + 1], encoded[HEX_WIDTH + 1];
  unsigned char signature[32];
  size_t length;
  EVP_MAC_init(mac, NULL, 0, NULL);
  if (plan->options.standard_webhooks) {
    char prefix[80];
    event_id(&plan->options, plan->options.first + n, id);
    int prefix_length = snprintf(prefix, sizeof prefix, "%s.%s.", id, timestamp);
    EVP_MAC_update(mac, (unsigned char *)prefix, (size_t)prefix_length);
  }
  EVP_MAC_update(mac, (const unsigned char *)text + plan->sample.length - plan->body_length, plan->body_length);
  EVP_MAC_final(mac, signature, &length, sizeof signature);
  if (plan->options.standard_webhooks)
    EVP_EncodeBlock((unsigned char *)encoded, signature, (int)length);
  else
    for (size_t i = 0; i < length; i++) snprintf(encoded + 2 * i, 3, "%02x", signature[i]);
  memcpy(plan->signatures + n * plan->signature_width, encoded, plan->signature_width);
}

static struct plan plan_of(const struct request_options *options) {
  int standard = options->standard_webhooks;
  size_t id_width = standard ? WEBHOOK_ID_WIDTH : INVOICED_ID_WIDTH;
  struct plan plan = {.options = *options, .count = options->count,
                      .signature_width = standard ? BASE64_WIDTH : HEX_WIDTH};
  char timestamp[STAMP_WIDTH + 1], *customer = read_file(options->sample), *body, *request;
  snprintf(timestamp, sizeof timestamp, "%010lld", (long long)time(NULL));
  const char *form = standard ? "{\"id\":\"<event>\",\"type\":\"customer.updated\","
                                "\"timestamp\":\"2026-03-01T12:00:00Z\",\"data\":%s}"
                              : "{\"id\":<event>,\"timestamp\":<stamp>,\"type\":\"customer.updated\","
                                "\"data\":{\"object\":%s,\"previous\":{\"name\":\"Fjordlys Bygg AS\","
                                "\"updated_at\":1700000000}}}";
  if (asprintf(&body, form, customer) < 0) exit(1);
  plan.body_length = sample_of(body, id_width, plan.signature_width).length;
  char headers[256];
  if (standard)
    snprintf(headers, sizeof headers,
             "webhook-id: <event>\r\nwebhook-timestamp: %s\r\nwebhook-signature: v1,<signature>\r\n", timestamp);
  else
    snprintf(headers, sizeof headers, "X-Invoiced-Signature: <signature>\r\n");
  if (asprintf(&request,
               "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\n%s"
               "Content-Length: %zu\r\n\r\n%s",
               options->path, options->port, headers, plan.body_length, body) < 0)
    exit(1);
  plan.sample = sample_of(request, id_width, plan.signature_width);
  sample_number(&plan.sample, plan.sample.text, STAMP, options->stamp);
  plan.signatures = calloc(plan.count, plan.signature_width);
  EVP_MAC_CTX *mac = signer(options);
  for (uint64_t n = 0; n < plan.count; n++) {
    plan_fill(&plan, plan.sample.text, n);
    sign(&plan, mac, plan.sample.text, n, timestamp);
  }
  EVP_MAC_CTX_free(mac);
  free(customer), free(body), free(request);
  return plan;
}
