/// Where images come from: what ``openImages(_:)`` opens, or something of the caller's own.
///
/// Samples are numbered 0..<count, and the numbering must not change while a source is in use: it is what makes a run
/// repeatable. Called from several threads at once.
public protocol ImageSource: Sendable {
  /// Number of samples.
  var count: Int { get }

  /// The encoded bytes of one sample (JPEG, PNG, WebP, BMP or PNM). A sample whose bytes cannot be read, or do not
  /// decode, is replaced by another one; see ``Loader``.
  func bytes(of sample: Int) throws -> [UInt8]

  /// The first bytes of a sample, at most `limit`, or all of it where reading a part saves nothing. Enough to tell format and
  /// size of most pictures.
  func head(of sample: Int, limit: Int) throws -> [UInt8]

  /// What people call the sample, a path as a rule. For messages and exported tables.
  func name(of sample: Int) -> String

  /// Index into ``classNames``; nil where there is no label.
  func label(of sample: Int) -> Int?

  /// Names of the classes, in the order of the labels; empty for unlabelled data.
  var classNames: [String] { get }

  /// What must stay the same for a run to be resumed.
  func identity() throws -> DataIdentity

  /// Draws that make up an epoch of training: ``count``, one draw a sample, unless the source repeats some samples or
  /// leaves some out, as ``ImageMixture`` does.
  var drawCount: Int { get }

  /// The sample of a draw (0..<``drawCount``) in an epoch: a pure function, so that a run can go on anywhere. The same number
  /// where nothing is repeated or left out.
  func sample(ofDraw draw: Int, seed: UInt64, epoch: Int) -> Int
}

/// What identifies a data set: the number of samples and a hash of their names, and of their sizes where these are known.
public struct DataIdentity: Codable, Sendable, Equatable {
  public var count: Int
  /// Sixteen hexadecimal digits.
  public var hash: String

  public init(count: Int, hash: String) {
    (self.count, self.hash) = (count, hash)
  }
}

extension ImageSource {
  public func label(of sample: Int) -> Int? { nil }
  public var classNames: [String] { [] }
  public func head(of sample: Int, limit: Int) throws -> [UInt8] { try bytes(of: sample) }
  public var drawCount: Int { count }
  public func sample(ofDraw draw: Int, seed: UInt64, epoch: Int) -> Int { draw }

  public func identity() throws -> DataIdentity {
    var hash = FNV1a()
    for sample in 0..<count {
      hash.combine(name(of: sample).utf8)
      hash.combine([0])
    }
    return DataIdentity(count: count, hash: hash.hexadecimal)
  }
}

/// The 64-bit Fowler-Noll-Vo hash 1a: tells changed data from unchanged, protects against nobody.
package struct FNV1a {
  package private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

  package init() {}

  // Inlined so that a client's buffer is walked as a buffer: ten million paths are half a gigabyte.
  @inline(__always)
  package mutating func combine(_ bytes: some Sequence<UInt8>) {
    for byte in bytes { value = (value ^ UInt64(byte)) &* 0x100_0000_01b3 }
  }

  package var hexadecimal: String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}

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
  }

  public let kind: Kind
  public let description: String

  public init(_ kind: Kind, _ description: String) {
    (self.kind, self.description) = (kind, description)
  }
}
