import Foundation
import Glibc
import SwAVEngine
public import SwAVEvaluation

/// Features of images in a file, to be searched: made once, and brought up to date as images come, go and change.
///
/// Rows have unit norm and lie in memory as they do in the file. Layout, little-endian: eight bytes "swavidx2", the length of a JSON
/// header (8 bytes), the header, zeros up to a multiple of 64, [rows][dim] float32, then, where they are known, the hashes of the encoded
/// bytes of the images, 8 bytes a row.
public struct ImageIndex: Sendable {
  /// What the features depend on beside the images; another one makes all anew.
  public let network: String
  /// Of each row.
  public let names: [String]
  /// By which a changed image is known.
  let stamps: [String]
  /// Unit rows. Those of ``updated(_:for:network:identity:size:reading:keep:progress:)`` name their samples and what could not be read.
  public let features: Features

  private struct Header: Codable {
    var network: String
    var dim: Int
    var names: [String]
    var stamps: [String]
  }

  private static let magic = Array("swavidx2".utf8)

  /// Whether a file is there that is no index, of no version: one of somebody's.
  public static func isForeign(_ path: String) -> Bool {
    guard let file = FileHandle(forReadingAtPath: path), let start = try? file.read(upToCount: magic.count), !start.isEmpty
    else {
      return false
    }
    return Array(start.prefix(magic.count - 1)) != magic.dropLast()
  }

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
    guard !numbers.overflow, numbers.partialValue <= data.count / 4 else { return nil }
    let (rows, end) = (header.names.count, start + 4 * numbers.partialValue)
    guard data.count == end || data.count == end + 8 * rows else { return nil }
    let values: [Float] = data.numbers(from: start, count: numbers.partialValue)
    let contents: [UInt64] = data.count == end ? [] : data.numbers(from: end, count: rows)
    guard let features = try? Features(dim: header.dim, values: values, contents: contents) else { return nil }
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

  /// Writes it, whole or not at all, without a copy of the rows.
  public func write(to path: String) throws {
    let header = try JSONEncoder().encode(Header(network: network, dim: features.dim, names: names, stamps: stamps))
    var start = Data(ImageIndex.magic)
    withUnsafeBytes(of: UInt64(header.count).littleEndian) { start.append(contentsOf: $0) }
    start.append(header)
    start.append(Data(count: ImageIndex.start(header: header.count) - start.count))
    let aside = "\(path).\(getpid()).new"
    do {
      try Data().write(to: URL(fileURLWithPath: aside))
      let file = try FileHandle(forWritingTo: URL(fileURLWithPath: aside))
      defer { try? file.close() }
      try file.write(contentsOf: start)
      try features.values.withUnsafeBytes { rows in
        for begin in stride(from: 0, to: rows.count, by: ImageIndex.portion) {
          try file.write(contentsOf: rows[begin..<min(begin + ImageIndex.portion, rows.count)])
        }
      }
      try features.contents.withUnsafeBytes { try file.write(contentsOf: $0) }
      try file.synchronize()
    } catch {
      unlink(aside)
      throw OutputError.file(path: path, reason: systemReason(error))
    }
    guard rename(aside, path) == 0 else {
      let reason = String(cString: strerror(errno))
      unlink(aside)
      throw OutputError.file(path: path, reason: reason)
    }
  }

  /// Bytes that are written at a time.
  private static let portion = 1 << 24

  /// The rows nearest to each of the queries, of `count` at most.
  public func nearest(to queries: Features, count: Int) throws -> NearestRows {
    try features.nearest(to: queries.unit(), count: count, areUnit: true)
  }
}

extension Data {
  /// Numbers as they lie in memory, `start` bytes from the beginning.
  fileprivate func numbers<Number: BitwiseCopyable>(from start: Int, count: Int) -> [Number] {
    withUnsafeBytes { bytes in
      [Number](unsafeUninitializedCapacity: count) { target, initialized in
        let length = count * MemoryLayout<Number>.stride
        UnsafeMutableRawBufferPointer(target).copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[start..<start + length]))
        initialized = count
      }
    }
  }
}
