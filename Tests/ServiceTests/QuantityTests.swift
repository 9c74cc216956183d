import HTTPServer
import Mapping
import Service
import Testing

@Suite("Addresses, rates, durations and sizes") struct QuantityTests {
  @Test(
    "a range holds the addresses that share its first bits",
    arguments: [
      ("192.0.2.7", "192.0.2.7", true), ("192.0.2.7", "192.0.2.8", false), ("192.0.2.0/24", "192.0.2.255", true),
      ("192.0.2.0/24", "192.0.3.0", false), ("192.0.2.128/25", "192.0.2.127", false), ("0.0.0.0/0", "255.1.2.3", true),
      ("10.0.0.0/8", "::ffff:10.9.8.7", true), ("::ffff:10.0.0.0/104", "10.9.8.7", true), ("10.0.0.0/8", "::1", false),
      ("2001:db8::/32", "2001:db8:ffff::1", true), ("2001:db8::/33", "2001:db8:8000::", false), ("::/0", "::1", true),
      ("::/0", "1.2.3.4", false), ("fe80::/10", "febf::1", true), ("fe80::/10", "fec0::", false),
      ("::1", "0:0::1", true),
    ])
  func contains(_ range: String, _ address: String, _ isInside: Bool) throws {
    #expect(try #require(AddressRange(range)).contains(try #require(IPAddress(address))) == isInside)
  }

  @Test(
    "what is no range is refused",
    arguments: [
      "", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/8/8", "10.0.0", "256.0.0.1",
      "::1/129",
      "fe80::1%eth0", "host", "10.0.0.0 /8", "::ffff:10.0.0.0/95",
    ])
  func noRange(_ text: String) {
    #expect(AddressRange(text) == nil)
  }

  @Test("an empty list admits everyone, another only whom it holds")
  func admits() throws {
    #expect(AddressList().admits("192.0.2.1") && AddressList().admits("nonsense"))
    let list = AddressList([try #require(AddressRange("127.0.0.0/8")), try #require(AddressRange("::1"))])
    #expect(list.admits("127.0.0.1") && list.admits("::1") && list.admits("::ffff:127.0.0.1"))
    #expect(!list.admits("192.0.2.1") && !list.admits("nonsense") && !list.admits(""))
  }

  @Test(
    "an address to listen on is a host and a port",
    arguments: [
      ("0.0.0.0:8080", "0.0.0.0", 8080, false), ("127.0.0.1:0", "127.0.0.1", 0, true),
      ("[::1]:8080", "::1", 8080, true),
      ("[::]:65535", "::", 65535, false), ("localhost:80", "localhost", 80, true),
      ("127.9.9.9:1", "127.9.9.9", 1, true),
      ("sync.example.com:443", "sync.example.com", 443, false),
    ])
  func listen(_ text: String, _ host: String, _ port: Int, _ isLoopback: Bool) throws {
    let address = try #require(ListenAddress(text))
    #expect(address.host == host && Int(address.port) == port && address.isLoopback == isLoopback)
    #expect(address.description == text)
  }

  @Test(
    "what is no address to listen on is refused",
    arguments: [
      "", "8080", ":8080", "host", "host:", "host:65536", "host:-1", "::1:8080", "[::1]", "[host]:1", "a b:1", "[::1:1",
    ])
  func noListen(_ text: String) {
    #expect(ListenAddress(text) == nil)
  }

  @Test("a rate is a count and a unit of time")
  func rates() {
    #expect(Rate("20/s")?.count == 20 && Rate("20/s")?.per == .seconds(1))
    #expect(Rate("100/m")?.per == .seconds(60) && Rate("1/h")?.per == .seconds(3600))
    for text in ["", "20", "20/", "/s", "0/s", "-1/s", "1.5/s", "20/d", "20/s/s", "+2/s"] {
      #expect(Rate(text) == nil, "\(text)")
    }
  }

  @Test(
    "durations and sizes are whole numbers with a unit",
    arguments: [
      ("read_timeout: 500ms", true), ("read_timeout: 30d", true), ("read_timeout: 1.5s", false),
      ("read_timeout: -1s", false),
      ("read_timeout: 1 s", false), ("read_timeout: s", false), ("read_timeout: 99999999999999999d", false),
      ("read_timeout: 10S", false), ("max_body: 1048576", true), ("max_body: 1GiB", true), ("max_body: 1MB", true),
      ("max_body: 0", false), ("max_body: 9999999999GiB", false), ("max_body: 1.5MiB", false),
      ("max_body: '64KiB'", true), ("read_timeout: 36500d", true), ("read_timeout: 36501d", false),
      ("max_body: 1024GiB", true), ("max_body: 1025GiB", false), ("max_connections: 1000000000", true),
      ("max_connections: 1000000001", false), ("max_connections: 0", false),
    ])
  func quantities(_ line: String, _ isRead: Bool) {
    let (_, diagnostics) = Configuration.read(text: line, file: "c.yaml", environment: [:])
    let key = line.prefix { $0 != ":" }
    #expect(!diagnostics.contains { $0.message.contains("'\(key)'") } == isRead)
  }
}
