/// Data that cannot be used: one line that names the path or the setting, and what would be right.
public struct DataError: Error, Sendable, Equatable, CustomStringConvertible {
  public enum Kind: Sendable {
    /// The folder or file is not there.
    case missing
    /// It is there, but holds nothing that can be used.
    case unusable
    /// The operating system refused to read it.
    case io
    /// More samples are bad than the limit allows.
    case tooManyBad
    /// Reads do not come back.
    case stalled
    /// Somebody called it off.
    case cancelled
  }

  public let kind: Kind
  public let description: String

  public init(_ kind: Kind, _ description: String) {
    (self.kind, self.description) = (kind, description)
  }

  package static func calledOff(_ what: String) -> DataError { DataError(.cancelled, "\(what): called off") }
}
