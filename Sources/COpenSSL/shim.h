#pragma once
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>

/* The parameters point to their names and values: made in Swift, from its texts, they would outlive both. */
static inline int hmac_set_key(EVP_MAC_CTX *context, const unsigned char *key, size_t length, const char *digest) {
  const OSSL_PARAM parameters[] = {
    OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)digest, 0), OSSL_PARAM_construct_end(),
  };
  return EVP_MAC_init(context, key, length, parameters);
}
