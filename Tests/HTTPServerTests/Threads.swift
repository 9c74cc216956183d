import Glibc

/// Runs blocking work on a thread of its own.
func runOnThread(_ work: @Sendable @escaping () -> Void) {
  final class Box: Sendable {
    let work: @Sendable () -> Void
    init(_ work: @Sendable @escaping () -> Void) { self.work = work }
  }
  var thread = pthread_t()
  let context = Unmanaged.passRetained(Box(work))
  let failure = pthread_create(
    &thread, nil,
    { context in
      if let context { Unmanaged<Box>.fromOpaque(context).takeRetainedValue().work() }
      return nil
    }, context.toOpaque())
  if failure == 0 { pthread_detach(thread) } else { context.release() }
}
