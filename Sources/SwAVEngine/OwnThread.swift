import Glibc

/// Starts a thread of its own that carries `body` out and ends: for what blocks on files or computes for long, which Swift's pool is not
/// made for. `name` has 15 bytes at most, `stackSize` is in bytes.
///
/// Throws `.memory` where the system starts none. Foundation's `Thread` says nothing then, and who waits for it waits for ever.
package func startThread(
  _ name: String, stackSize: Int, _ body: @escaping @Sendable () -> Void
) throws(EngineError) {
  var attributes = pthread_attr_t()
  pthread_attr_init(&attributes)
  defer { pthread_attr_destroy(&attributes) }
  pthread_attr_setstacksize(&attributes, stackSize)
  pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
  let work = Unmanaged.passRetained(ThreadWork(name, body))
  var thread = pthread_t()
  let code = pthread_create(
    &thread, &attributes,
    { work in
      if let work { Unmanaged<ThreadWork>.fromOpaque(work).takeRetainedValue().run() }
      return nil
    }, work.toOpaque())
  guard code != 0 else { return }
  work.release()
  throw EngineError(
    code: .memory,
    message: "no thread can be started: \(String(cString: strerror(code))); the limits on threads and memory decide")
}

private final class ThreadWork: Sendable {
  private let name: String
  private let body: @Sendable () -> Void

  init(_ name: String, _ body: @escaping @Sendable () -> Void) { (self.name, self.body) = (name, body) }

  func run() {
    // What pthread_setname_np does, which Swift does not see.
    let file = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
    if file >= 0 {
      _ = write(file, name, name.utf8.count)
      close(file)
    }
    body()
  }
}
