import Synchronization

/// A switch that is thrown once.
public final class Latch: Sendable {
  private let value = Atomic<Bool>(false)

  public init() {}

  public var isSet: Bool { value.load(ordering: .relaxed) }
  public func set() { value.store(true, ordering: .relaxed) }
}
