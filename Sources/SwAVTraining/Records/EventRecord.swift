import Foundation

/// Records of a TensorBoard event file: TFRecord frames around `tensorboard.Event` messages in protobuf's wire format.
///
/// The message is four fixed fields, written here by hand; the generated code of a protobuf library would be a thousand lines
/// and a minute of every user's build for them. Formats: tensorflow/core/lib/io/record_writer.h, core/util/event.proto.
enum EventRecord {
  /// The first record of a file.
  static func version(wallTime: Double) -> [UInt8] {
    frame(field(1, wallTime) + field(3, Array("brain.Event:2".utf8)))
  }

  /// Several scalars of one step.
  static func scalars(_ values: [(tag: String, value: Double)], step: Int, wallTime: Double) -> [UInt8] {
    let summary = values.flatMap { field(1, field(1, Array($0.tag.utf8)) + field(2, Float($0.value))) }
    return frame(field(1, wallTime) + field(2, step) + field(5, summary))
  }

  /// length (8 bytes), its checksum, the data, its checksum; little-endian.
  static func frame(_ data: [UInt8]) -> [UInt8] {
    let length = bytes(UInt64(data.count))
    return length + bytes(masked(length)) + data + bytes(masked(data))
  }

  private static func masked(_ data: [UInt8]) -> UInt32 {
    let crc = crc32c(data)
    return (crc >> 15 | crc << 17) &+ 0xa282_ead8
  }

  /// CRC-32C (Castagnoli), reflected, as in RFC 3720.
  static func crc32c(_ data: [UInt8]) -> UInt32 {
    ~data.reduce(~UInt32(0)) { crc, byte in table[Int((crc ^ UInt32(byte)) & 0xff)] ^ (crc >> 8) }
  }

  private static let table: [UInt32] = (0..<256).map { index in
    (0..<8).reduce(UInt32(index)) { crc, _ in crc & 1 == 1 ? crc >> 1 ^ 0x82f6_3b78 : crc >> 1 }
  }

  // Protobuf: a key (number << 3 | wire type), then the value.
  private static func field(_ number: UInt8, _ value: Double) -> [UInt8] { [number << 3 | 1] + bytes(value.bitPattern) }
  private static func field(_ number: UInt8, _ value: Float) -> [UInt8] { [number << 3 | 5] + bytes(value.bitPattern) }
  private static func field(_ number: UInt8, _ value: Int) -> [UInt8] {
    [number << 3] + variable(UInt64(bitPattern: Int64(value)))
  }
  private static func field(_ number: UInt8, _ value: [UInt8]) -> [UInt8] {
    [number << 3 | 2] + variable(UInt64(value.count)) + value
  }

  private static func variable(_ value: UInt64) -> [UInt8] {
    var (rest, result) = (value, [UInt8]())
    repeat {
      result.append(UInt8(rest & 0x7f) | (rest > 0x7f ? 0x80 : 0))
      rest >>= 7
    } while rest > 0
    return result
  }

  private static func bytes<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }
}
