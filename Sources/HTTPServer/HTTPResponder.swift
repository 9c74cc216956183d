import EventLoop
import HTTP
import Synchronization

/// Answers one request, once; from any thread. What comes later, or after the client has gone, is ignored. A request
/// whose responder is let go without an answer gets 500.
public final class HTTPResponder: Sendable {
  let connection: Connection
  let serial: UInt64
  private let isUsed = Atomic<Bool>(false)

  init(_ connection: Connection, serial: UInt64) {
    self.connection = connection
    self.serial = serial
  }

  deinit {
    guard claim() else { return }
    let (connection, serial) = (connection, serial)
    connection.loop.execute {
      connection.respond(.problem(500, detail: "The request was not answered."), to: serial)
    }
  }

  public func respond(_ response: HTTPResponse) {
    guard claim() else { return }
    if connection.loop.isCurrentThread { return connection.respond(response, to: serial) }
    let (connection, serial) = (connection, serial)
    connection.loop.execute { connection.respond(response, to: serial) }
  }

  /// Resets the connection without an answer.
  public func drop() {
    guard claim() else { return }
    let (connection, serial) = (connection, serial)
    connection.loop.execute { connection.reset(serial) }
  }

  private func claim() -> Bool { !isUsed.exchange(true, ordering: .acquiringAndReleasing) }
}
