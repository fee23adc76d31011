/// Something that opening a source found and people would want to know before they rely on it: one line, which does not name the
/// source.
public struct SourceRemark: Sendable, Equatable, Codable {
  public enum Kind: String, Codable, Sendable {
    /// Files that are no samples.
    case passedOver = "passed-over"
    /// Folders and links that could not be read, or pictures whose end is not known, and so may hide samples.
    case unreadable
    /// Why labelled-looking data have no classes.
    case noClasses = "no-classes"
    /// Names of classes that were taken as one.
    case joinedClasses = "joined-classes"
    /// Members of an archive that are not what they seem.
    case archive
  }

  public var kind: Kind
  public var text: String

  public init(_ kind: Kind, _ text: String) { (self.kind, self.text) = (kind, text) }

  /// Whether it is about which samples there are, and not only about their classes.
  public var concernsSamples: Bool { kind != .noClasses && kind != .joinedClasses }
}

/// A file or folder that is not taken for an image, and why.
public struct IgnoredFile: Sendable, Equatable {
  /// Relative to the folder that was searched; inside an archive, after the archive's name.
  public var path: String
  public var reason: String

  public init(path: String, reason: String) { (self.path, self.reason) = (path, reason) }
}

/// Counts files by the ending of their names.
struct EndingCount: Sendable, Codable {
  private(set) var files = 0
  private var counts: [[UInt8]: Int] = [:]

  /// A word that says no more than that there is an ending.
  private static let longest = 8

  mutating func add(_ name: some BidirectionalCollection<UInt8>) {
    files += 1
    counts[EndingCount.ending(of: name), default: 0] += 1
  }

  /// ".tar.gz" and the like count as what they are.
  static func ending(of name: some BidirectionalCollection<UInt8>) -> [UInt8] {
    let dot = UInt8(ascii: ".")
    let base = name.reversed().prefix { $0 != UInt8(ascii: "/") }
    let last = Array(base.prefix { $0 != dot }.reversed())
    guard last.count < base.count, (1...longest).contains(last.count), last.allSatisfy(isWord) else { return [] }
    let ending = last.map(lowercased)
    let stem = base.dropFirst(last.count + 1)
    let isTar = stem.prefix(4).map(lowercased) == Array("rat.".utf8)
    return isTar && stem.count > 4 ? Array("tar.".utf8) + ending : ending
  }

  private static func isWord(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x61...0x7a).contains(lowercased(byte)) || byte == 0x5f || byte == 0x2b || byte == 0x2d
  }

  private static func lowercased(_ byte: UInt8) -> UInt8 { (0x41...0x5a).contains(byte) ? byte + 0x20 : byte }

  /// "24 .gif, 24 .tif, 3 without ending": the most frequent first, at most five.
  var summary: String {
    let ordered = counts.sorted {
      ($1.value, String(decoding: $0.key, as: UTF8.self)) < ($0.value, String(decoding: $1.key, as: UTF8.self))
    }
    let shown = ordered.prefix(ordered.count > 5 ? 4 : 5)
    var parts = shown.map { "\($0.value) \($0.key.isEmpty ? "without ending" : "." + String(decoding: $0.key, as: UTF8.self))" }
    let rest = ordered.dropFirst(shown.count).reduce(0) { $0 + $1.value }
    if rest > 0 { parts.append("\(rest) of \(ordered.count - shown.count) other kinds") }
    return parts.joined(separator: ", ")
  }

  /// nil where nothing was counted. `all` is the number of files that were looked at, `things` what they are called.
  func remark(of all: Int, things: String = "files") -> SourceRemark? {
    guard files > 0 else { return nil }
    return SourceRemark(
      .passedOver, "\(files) of \(all) \(things) \(files == 1 ? "is" : "are") passed over (\(summary))")
  }
}

/// Things that are named, the first few by name and the rest by number: there may be millions.
struct NamedFew: Sendable, Codable {
  private(set) var count = 0
  private var first: [String] = []

  static let shown = 3

  mutating func add(_ text: @autoclosure () -> String) {
    count += 1
    if first.count < NamedFew.shown { first.append(text()) }
  }

  /// "a; b; c and 4 more".
  var summary: String {
    first.joined(separator: "; ") + (count > first.count ? " and \(count - first.count) more" : "")
  }
}
