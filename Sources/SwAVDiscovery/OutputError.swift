/// What stands in the way of writing what was found.
public enum OutputError: Error, Sendable, Equatable, CustomStringConvertible {
  /// Something of somebody's is there.
  case inUse(path: String, reason: String)
  case file(path: String, reason: String)

  public var description: String {
    switch self {
    case .inUse(let path, let reason), .file(let path, let reason): "\(path): \(reason)"
    }
  }
}
