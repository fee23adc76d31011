import Foundation
import Glibc
public import SwAVData
import SwAVEngine
public import SwAVEvaluation
public import SwAVModel

/// Features of images in a file, to be searched: made once, and brought up to date as images come, go and change.
///
/// Rows have unit norm and lie in memory as they do in the file. Layout, little-endian: eight bytes "swavidx1", the length of a JSON
/// header (8 bytes), the header, zeros up to a multiple of 64, then [rows][dim] float32.
public struct ImageIndex: Sendable {
  /// What the features depend on beside the images; another one makes all anew.
  public let network: String
  /// Of each row.
  public let names: [String]
  /// By which a changed image is known.
  let stamps: [String]
  /// Unit rows.
  public let features: Features

  private struct Header: Codable {
    var network: String
    var dim: Int
    var names: [String]
    var stamps: [String]
  }

  private static let magic = Array("swavidx1".utf8)

  /// The index of a file; nil where there is none, or one of another kind, or one that is damaged.
  public init?(at path: String) {
    guard let data = try? Data(contentsOf: URL(fileURLWithPath: path), options: .alwaysMapped), data.count >= 16,
      Array(data.prefix(8)) == ImageIndex.magic
    else { return nil }
    let length = data.withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self)) }
    guard length <= UInt64(data.count - 16),
      let header = try? JSONDecoder().decode(Header.self, from: data[16..<16 + Int(length)]), header.dim >= 1,
      header.names.count == header.stamps.count
    else { return nil }
    let start = ImageIndex.start(header: Int(length))
    let numbers = header.names.count.multipliedReportingOverflow(by: header.dim)
    guard !numbers.overflow, data.count == start + 4 * numbers.partialValue else { return nil }
    let values = data.withUnsafeBytes { bytes in
      [Float](unsafeUninitializedCapacity: numbers.partialValue) { target, count in
        UnsafeMutableRawBufferPointer(target).copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[start...]))
        count = numbers.partialValue
      }
    }
    guard let features = try? Features(dim: header.dim, values: values) else { return nil }
    (network, names, stamps, self.features) = (header.network, header.names, header.stamps, features)
  }

  /// Of rows that are at hand, of any norm.
  public init(_ features: Features, names: [String], network: String = "") {
    self.init(network: network, names: names, stamps: names.map { _ in "" }, features: features.unit())
  }

  init(network: String, names: [String], stamps: [String], features: Features) {
    (self.network, self.names, self.stamps, self.features) = (network, names, stamps, features)
  }

  private static func start(header: Int) -> Int { (16 + header + 63) / 64 * 64 }

  /// Writes it, whole or not at all.
  public func write(to path: String) throws {
    let header = try JSONEncoder().encode(Header(network: network, dim: features.dim, names: names, stamps: stamps))
    var data = Data(ImageIndex.magic)
    withUnsafeBytes(of: UInt64(header.count).littleEndian) { data.append(contentsOf: $0) }
    data.append(header)
    data.append(Data(count: ImageIndex.start(header: header.count) - data.count))
    features.values.withUnsafeBytes { data.append(contentsOf: $0) }
    do {
      try data.write(to: URL(fileURLWithPath: path), options: .atomic)
    } catch {
      throw OutputError.file(path: path, reason: systemReason(error))
    }
  }

  /// The rows nearest to each of the queries, of `count` at most.
  public func nearest(to queries: Features, count: Int) throws -> NearestRows {
    try features.nearest(to: queries.unit(), count: count, areUnit: true)
  }
}

extension ImageIndex {
  /// What bringing an index up to date came to.
  public struct Update: Sendable {
    public var index: ImageIndex
    /// Rows that were taken over, made, and dropped.
    public var kept = 0
    public var added = 0
    public var dropped = 0
    /// Images that could not be read; they are tried again the next time.
    public var bad: [BadSample] = []
  }

  /// The index of the images of `source`, with what the index `old` has of them already. Images are the same when their names are
  /// and, where they are files, size and time; images of an archive, when the archive is. `progress` gets how many of how many
  /// that are new are done.
  ///
  /// - Parameter identity: what the features depend on beside the images.
  public static func updated(
    _ old: ImageIndex?, for source: any ImageSource, network: Network, identity: String, size: Int?, reading: ReadingOptions,
    progress: (Int, Int) throws -> Void = { _, _ in }
  ) throws -> Update {
    let old = old?.network == identity ? old : nil
    let places = Dictionary(
      (old?.names ?? []).enumerated().map { ($1 + "\0" + (old?.stamps[$0] ?? ""), $0) }, uniquingKeysWith: { a, _ in a })
    var rest: String?
    var (names, stamps, found) = ([String](), [String](), [Int?]())
    for sample in 0..<source.count {
      if sample % 1024 == 0 { try Cancellation.check() }
      let name = source.name(of: sample)
      let stamp = try fileStamp(of: sample, source) ?? rest ?? source.identity().hash
      if source.filePath(of: sample) == nil { rest = stamp }
      names.append(name)
      stamps.append(stamp)
      found.append(places[name + "\0" + stamp])
    }
    let missing = (0..<source.count).filter { found[$0] == nil }
    let dim = try network.length(of: .features)
    let fresh =
      missing.isEmpty
      ? try Features(dim: dim, values: [])
      : try Features.extract(
        from: source, samples: missing, network: network, size: size, options: reading
      ) { try progress($0, missing.count) }.unit()
    let rows = Dictionary(uniqueKeysWithValues: fresh.samples.enumerated().map { ($1, $0) })
    var (values, kept) = ([Float](), [Int]())
    values.reserveCapacity((source.count - missing.count + fresh.count) * dim)
    for sample in 0..<source.count {
      if let place = found[sample], let old {
        values.append(contentsOf: old.features.row(place))
      } else if let row = rows[sample] {
        values.append(contentsOf: fresh.row(row))
      } else {
        continue
      }
      kept.append(sample)
    }
    let index = ImageIndex(
      network: identity, names: kept.map { names[$0] }, stamps: kept.map { stamps[$0] },
      features: try Features(dim: dim, values: values))
    let taken = source.count - missing.count
    return Update(
      index: index, kept: taken, added: fresh.count, dropped: max(0, (old?.names.count ?? 0) - taken), bad: fresh.bad)
  }

  /// Size and time of a file; nil for what is none.
  private static func fileStamp(of sample: Int, _ source: any ImageSource) throws -> String? {
    guard let path = source.filePath(of: sample) else { return nil }
    var status = stat()
    guard stat(path, &status) == 0 else { return "gone" }
    return "\(status.st_size) \(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec)"
  }
}
