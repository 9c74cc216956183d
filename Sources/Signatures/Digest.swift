import COpenSSL

public enum Digest {
  /// SHA-256 (FIPS 180-4), 32 bytes.
  public static func sha256(_ message: [UInt8]) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: Int(SHA256_DIGEST_LENGTH)) { digest, count in
      // Fails only when memory is exhausted, or when OpenSSL is configured without SHA-256.
      precondition(SHA256(message, message.count, digest.baseAddress) != nil, "OpenSSL computes no SHA-256")
      count = digest.count
    }
  }
}

/// HMAC-SHA256 (RFC 2104), 32 bytes, for a key that is used once. `SignatureVerifier` keeps its keys prepared instead.
public func hmacSHA256(key: [UInt8], message: [UInt8]) -> [UInt8] {
  [UInt8](unsafeUninitializedCapacity: Int(SHA256_DIGEST_LENGTH)) { mac, count in
    let done = HMAC(EVP_sha256(), key, Int32(key.count), message, message.count, mac.baseAddress, nil)
    precondition(done != nil, "OpenSSL computes no HMAC-SHA256")
    count = mac.count
  }
}

public enum Random {
  /// Unpredictable bytes, fit for tokens and keys: the kernel's. OpenSSL's own generator takes a millisecond to set up.
  public static func bytes(_ count: Int) -> [UInt8] {
    var source = SystemRandomNumberGenerator()
    return (0..<count).map { _ in source.next() }
  }
}

/// Whether both are the same bytes; the time taken tells nothing but whether their lengths are equal.
public func constantTimeEqual(_ a: [UInt8], _ b: [UInt8]) -> Bool {
  a.count == b.count && CRYPTO_memcmp(a, b, a.count) == 0
}
