import Glibc

/// Held as long as it lives: nobody else trains in the folder meanwhile, in this process or another one. The system drops it
/// when the process ends, however that comes.
struct RunLock: ~Copyable {
  private let descriptor: Int32
  /// Why there is no lock, where the file system has none: two runs would not notice each other.
  let remark: String?

  /// What taking a lock came to.
  enum Outcome: Equatable {
    case held, inUse
    /// The file system has no locks.
    case impossible
    case failed
  }

  /// `lock` gives 0 or errno.
  init(_ files: RunFolder, lock: (Int32) -> Int32 = RunLock.take) throws(PretrainingError) {
    let descriptor = open(files.lock, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw fileError(files.lock, errno) }
    var code = lock(descriptor)
    while code == EINTR { code = lock(descriptor) }
    switch RunLock.outcome(of: code) {
    case .held: remark = nil
    case .impossible:
      remark =
        "\(files.path): this file system has no locks (\(String(cString: strerror(code)))); do not start a second run in this folder"
    case .inUse:
      close(descriptor)
      throw .outputInUse(path: files.path, reason: "another run is training here; wait for it, or use another folder")
    case .failed:
      close(descriptor)
      throw fileError(files.lock, code)
    }
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }

  static func outcome(of code: Int32) -> Outcome {
    switch code {
    case 0: .held
    case EWOULDBLOCK: .inUse
    // Without a lock server, without support in the file system or in its server.
    case ENOLCK, ENOSYS, EOPNOTSUPP, EINVAL, EBADF: .impossible
    default: .failed
    }
  }

  private static func take(_ descriptor: Int32) -> Int32 { flock(descriptor, LOCK_EX | LOCK_NB) == 0 ? 0 : errno }
}
