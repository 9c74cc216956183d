import Mapping
import Sync
import Testing

@testable import Service

@Suite("Arrivals") struct ArrivalsTests {
  private let start = Timestamp(milliseconds: 1_772_366_400_000)
  private func claim(_ value: String) -> Push.Claim { Push.Claim(flow: "companies", key: "number", value: value) }
  private func key(_ side: Side, _ id: Int) -> RecordKey { RecordKey(side, RecordID("\(id)")) }

  @Test("a record is known by its latest match keys, on its side, until it is left")
  func known() {
    let arrivals = Arrivals()
    arrivals.note(key(.pms, 2), [claim("A"), claim("B")], at: start)
    arrivals.note(key(.pms, 1), [claim("A")], at: start)
    arrivals.note(key(.invoiced, 3), [claim("A")], at: start)
    #expect(arrivals.records(with: claim("A"), on: .pms) == [key(.pms, 1), key(.pms, 2)])
    arrivals.note(key(.pms, 2), [claim("C")], at: start)
    #expect(arrivals.records(with: claim("A"), on: .pms) == [key(.pms, 1)])
    #expect(arrivals.records(with: claim("B"), on: .pms).isEmpty)
    arrivals.left(key(.pms, 1))
    #expect(arrivals.records(with: claim("A"), on: .pms).isEmpty)
    #expect(arrivals.records(with: claim("C"), on: .pms) == [key(.pms, 2)])
  }

  @Test("it is bounded in time and in number")
  func bounded() {
    let arrivals = Arrivals()
    for id in 1...20_001 { arrivals.note(key(.pms, id), [claim("\(id)")], at: start) }
    #expect(arrivals.records(with: claim("1"), on: .pms).isEmpty)
    #expect(arrivals.records(with: claim("2"), on: .pms) == [key(.pms, 2)])
    arrivals.note(key(.pms, 2), [claim("2")], at: start.adding(.seconds(500)))
    arrivals.note(key(.pms, 30_000), [], at: start)
    arrivals.note(key(.pms, 30_001), [claim("x")], at: start.adding(.seconds(601)))
    #expect(arrivals.records(with: claim("3"), on: .pms).isEmpty)
    #expect(arrivals.records(with: claim("2"), on: .pms) == [key(.pms, 2)])
  }
}
