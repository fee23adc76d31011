import Foundation
import SwAVEngine
import SwAVModel

/// One input and what the network gives for it: whoever loads the weights elsewhere computes the same and compares.
struct Fixture {
  /// Pixels a side, at most: a fixture is for numbers, and small.
  private static let mostPixels = 64

  private struct Array {
    var name: String
    var shape: [Int]
    var values: [Float]
  }

  private var arrays: [Array] = []

  /// The input is normalised, as [1][channels][side][side].
  init(of network: Network, includesHead: Bool) throws {
    let info = try network.info()
    let (channels, side) = (info.configuration.channels, min(Fixture.mostPixels, try network.input().size))
    let pixels = Fixture.pixels(side: side, channels: channels)
    let planes = (0..<channels).flatMap { channel in
      (0..<side * side).map { pixels[$0 * channels + channel] }
    }
    arrays.append(Array(name: "input", shape: [1, channels, side, side], values: planes))
    let outputs: [Output] =
      !includesHead
      ? [.features] : info.configuration.prototypes.isEmpty ? [.features, .embeddings] : [.features, .embeddings, .scores]
    for output in outputs {
      let values = try network.embed(images: pixels, count: 1, height: side, width: side, output: output)
      arrays.append(Array(name: output.rawValue, shape: [1, values.count], values: values))
    }
  }

  /// Slopes and patches of light, [side][side][channels], about as bright and as varied as a photo.
  private static func pixels(side: Int, channels: Int) -> [Float] {
    var values: [Float] = []
    for y in 0..<side {
      for x in 0..<side {
        for channel in 0..<channels {
          let slope = Float(x * (channel + 1) - y) / Float(side * (channel + 1))
          let patch: Float = (x / 5 + y / 7 + channel) % 3 == 0 ? 1 : -0.5
          let grain = Float((x * 7919 + y * 104_729 + channel * 31) % 101) / 101 - 0.5
          values.append(slope + patch + grain)
        }
      }
    }
    return values
  }

  func write(to path: String) throws {
    var (entries, offset) = ([String](), 0)
    for array in arrays {
      let end = offset + array.values.count * 4
      let shape = array.shape.map(String.init).joined(separator: ",")
      entries.append("\"\(array.name)\":{\"dtype\":\"F32\",\"shape\":[\(shape)],\"data_offsets\":[\(offset),\(end)]}")
      offset = end
    }
    var header = "{" + entries.joined(separator: ",") + "}"
    header += String(repeating: " ", count: (8 - header.utf8.count % 8) % 8)
    var bytes = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Data($0) } + Data(header.utf8)
    for array in arrays {
      for value in array.values { withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes.append(contentsOf: $0) } }
    }
    try bytes.write(to: URL(fileURLWithPath: path), options: .atomic)
  }
}
