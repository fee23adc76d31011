import Foundation
import SwAVAugmentation

/// A folder that is there as long as the test.
public final class TemporaryFolder: Sendable {
  public let path: String

  public init() throws {
    path = NSTemporaryDirectory() + "swav-test-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// Writes a file, with the folders above it.
  @discardableResult
  public func write(_ name: String, _ bytes: [UInt8]) throws -> String {
    let file = path + "/" + name
    let folder = (file as NSString).deletingLastPathComponent
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try Data(bytes).write(to: URL(fileURLWithPath: file))
    return file
  }

  /// Writes `count` small JPEG pictures CLASS/NUMBER.jpg of `classes` kinds: stripes of a direction and width of their own.
  public func writePictures(_ folder: String, classes: Int = 2, perClass count: Int, side: Int = 40) throws {
    for kind in 0..<classes {
      for number in 0..<count {
        try write("\(folder)/class\(kind)/\(number).jpg", picture(kind: kind, number: number, side: side))
      }
    }
  }
}

/// One picture as JPEG: stripes of a kind, shifted and coloured by number.
public func picture(kind: Int, number: Int, side: Int = 40) throws -> [UInt8] {
  var samples: [UInt8] = []
  samples.reserveCapacity(side * side * 3)
  for y in 0..<side {
    for x in 0..<side {
      let phase = (kind % 2 == 0 ? x : y) * (1 + kind / 2) + 3 * number
      let value = phase % 12 < 6 ? 200 : 40
      for channel in 0..<3 { samples.append(UInt8((value + 17 * number + 31 * channel * (number % 3)) % 256)) }
    }
  }
  return try Image.encodeJPEG(samples, width: side, height: side, channels: 3)
}

/// One picture as JPEG, 40 pixels a side: mostly red, green or blue, which is its kind; the number, up to 29, moves an edge.
public func colouredPicture(kind: Int, number: Int) throws -> [UInt8] {
  let samples = (0..<40 * 40).flatMap { place -> [UInt8] in
    let bright: UInt8 = place % 40 < 10 + number ? 230 : 170
    return (0..<3).map { $0 == kind ? bright : 30 }
  }
  return try Image.encodeJPEG(samples, width: 40, height: 40, channels: 3)
}
