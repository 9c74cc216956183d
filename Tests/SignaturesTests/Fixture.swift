import Foundation
import Testing

@testable import Signatures

/// An Invoiced webhook's body, byte for byte as it was signed, with the signature that is published beside it.
struct Fixture: CustomTestStringConvertible, Sendable {
  static let secret = Secret("4b37d5776dad4059ab4c80fa072e3fce")

  let name: String
  let signature: String

  var testDescription: String { name }

  func body() throws -> [UInt8] {
    let url = try #require(
      Bundle.module.url(forResource: name, withExtension: "json", subdirectory: "Fixtures"))
    return [UInt8](try Data(contentsOf: url))
  }

  static let all: [Fixture] = [
    .init(
      name: "01-customer-created-company",
      signature: "bf69dba9f26b04fcdd36cf3ee83711904f593473650d818b316b513d0759c78a"),
    .init(
      name: "02-customer-created-person-unicode",
      signature: "b71e18cd1d459cb3548912f34649e13e1433169f080c6b39ac69fd89def33e91"),
    .init(
      name: "03-customer-updated-name",
      signature: "1fc9cf1c9885163b8116a5443d79f6d8527b3604660b46f182c8583de19d101a"),
    .init(
      name: "04-customer-updated-address",
      signature: "5f53bda56c6616e34296009a847ab61412d09b76dc6a512f49d0f3a9be2a7c9e"),
    .init(
      name: "05-customer-updated-metadata-only",
      signature: "abc0799ae5db9c1887ece3b4e21a29ac38207ca64db7eaa690ff645b8e9cfca0"),
    .init(
      name: "06-customer-deleted",
      signature: "3d09fb1d32245b273cd128d9db623b7261d7a5a104775bce4ae1a9b372aec6c3"),
    .init(
      name: "07-customer-merged",
      signature: "e196d018b81a19cb3c6f028e0066d4f12a624dfda35574763a64b9a4b8ba428b"),
    .init(
      name: "08-contact-created",
      signature: "44a5fc558bde40a760b1776481acebecaa27bc39cf4fc6b7aab2b7ca827c2dc1"),
    .init(
      name: "09-contact-updated",
      signature: "3b848db8e6a96c0296e71ba94d6bdf073f5e33bbbda2fd004aa3787a377d203c"),
    .init(
      name: "10-invoice-created",
      signature: "158f0c8a139cc6c083f31452aa9232f4a34fd94b8e1691c3f629092c729e999c"),
  ]
}

/// Looks headers up as a server does: names without regard to case, every value in order.
func headers(_ fields: [(name: String, value: String)]) -> (String) -> [String] {
  { wanted in fields.filter { $0.name.lowercased() == wanted.lowercased() }.map(\.value) }
}
