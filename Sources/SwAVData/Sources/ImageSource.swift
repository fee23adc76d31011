/// Where images come from: what ``openImages(_:)`` opens, or something of the caller's own.
///
/// Samples are numbered 0..<count, and the numbering must not change while a source is in use: it is what makes a run
/// repeatable. Called from several threads at once.
public protocol ImageSource: Sendable {
  /// Number of samples.
  var count: Int { get }

  /// The encoded bytes of one sample (JPEG, PNG, WebP, TIFF, GIF, HEIC, AVIF, BMP or PNM). A sample whose bytes cannot be read, or do not
  /// decode, is replaced by another one; see ``Loader``.
  func bytes(of sample: Int) throws -> [UInt8]

  /// The first bytes of a sample, at most `limit`, or all of it where reading a part saves nothing. Enough to tell format and
  /// size of most pictures.
  func head(of sample: Int, limit: Int) throws -> [UInt8]

  /// What people call the sample, a path as a rule. For messages and exported tables.
  func name(of sample: Int) -> String

  /// The absolute path of the file that is the sample, zero-terminated, as the system takes it; nil where it is none of its own.
  func filePath(of sample: Int) -> [CChar]?

  /// Size and time of the file that the sample is, or lies in: another text where its bytes may have changed since. Nil where there is no
  /// file, or none that can be looked at any more.
  func fileState(of sample: Int) -> String?

  /// Index into ``classNames``; nil where there is no label.
  func label(of sample: Int) -> Int?

  /// Names of the classes, in the order of the labels; empty for unlabelled data.
  var classNames: [String] { get }

  /// What must stay the same for a run to be resumed.
  func identity() throws -> DataIdentity

  /// What was found when the source was opened that may not be as people think: files that are passed over, folders that
  /// cannot be read, why there are no classes.
  var remarks: [SourceRemark] { get }

  /// All that is passed over, by path. May look through the source once more.
  func ignoredFiles() throws -> [IgnoredFile]

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
  public func filePath(of sample: Int) -> [CChar]? { nil }
  public func fileState(of sample: Int) -> String? { filePath(of: sample).flatMap(FileStamp.init)?.text }
  public func label(of sample: Int) -> Int? { nil }
  public var classNames: [String] { [] }
  public var remarks: [SourceRemark] { [] }
  public func ignoredFiles() throws -> [IgnoredFile] { [] }
  public func head(of sample: Int, limit: Int) throws -> [UInt8] { try bytes(of: sample) }
  /// Why there are no classes, where only some samples lack one.
  public var classObstacle: String? { remarks.first { $0.kind == .noClasses }?.text }
  public var drawCount: Int { count }
  public func sample(ofDraw draw: Int, seed: UInt64, epoch: Int) -> Int { draw }

  public func identity() throws -> DataIdentity { identityOfNames }

  /// Count, and a hash of the names alone: no file is looked at.
  package var identityOfNames: DataIdentity {
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
