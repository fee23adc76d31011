import Foundation
import SwAVAugmentation
import SwAVData
import SwAVEngine
import SwAVModel
import SwAVTestSupport
import Testing

@testable import SwAVEvaluation

@Suite struct FeaturesTests {
  let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try folder.writePictures("train", classes: 3, perClass: 5)
    try folder.writePictures("val", classes: 3, perClass: 2)
  }

  @Test func areThoseOfEachImageInOrder() throws {
    let (source, network) = (try ImageFolder(folder.path + "/train"), try smallNetwork())
    let features = try Features.extract(from: source, network: network, options: ReadingOptions(workers: 3, batch: 4))
    #expect(features.count == 15 && features.dim == 64 && features.values.count == 15 * 64)
    #expect(features.samples == Array(0..<15) && Set(features.contents).count == 15)
    for sample in [0, 6, 14] {
      let alone = try network.embed(try source.bytes(of: sample))
      let row = Array(features.values[sample * 64..<(sample + 1) * 64])
      // A batch may take another path through the kernels: 64 features are sums over 9 layers of at most 576 products.
      let scale = alone.map(abs).max() ?? 0
      for (a, b) in zip(row, alone) { #expect(abs(a - b) <= 9 * 576 * Float.ulpOfOne * scale, "sample \(sample)") }
    }
  }

  @Test func damagedImagesAreLeftOutAndNamed() throws {
    try folder.write("train/class0/2.jpg", Array("gone".utf8))
    let source = try ImageFolder(folder.path + "/train")
    let whole = try Features.extract(from: source, network: try smallNetwork(), options: ReadingOptions(workers: 2, batch: 4))
    #expect(whole.count == 14 && whole.bad.map(\.name) == ["class0/2.jpg"])
    #expect(whole.samples == [0, 1] + Array(3..<15) && whole.contents.count == 14)
    let others = try Features.extract(
      from: source, samples: whole.samples, network: try smallNetwork(), options: ReadingOptions(workers: 1, batch: 4))
    // Packing moves rows, it does not change them; a batch of another size may round differently.
    let scale = whole.values.map(abs).max() ?? 0
    #expect(zip(others.values, whole.values).allSatisfy { abs($0 - $1) <= 9 * 576 * Float.ulpOfOne * scale })
  }

  @Test func scansOfSixteenBitsAreSeenInFull() throws {
    // Twelve bits in sixteen, of which 8 bits would leave 17 levels.
    for number in 0..<3 {
      let samples = (0..<32 * 32).flatMap { (index: Int) -> [UInt8] in
        let value = (index % 32 * 128 + index / 32 * (1 + number)) % 4096
        return [UInt8(value >> 8), UInt8(value & 255)]
      }
      try folder.write("scans/\(number).pgm", Array("P5 32 32 65535\n".utf8) + samples)
    }
    let gray = try Network(
      NetworkConfiguration(architecture: .resnet18, stem: .small, baseWidth: 8, channels: 1, dim: 8, prototypes: [5]), seed: 3)
    try gray.describeInput(InputDescription(size: 32, mean: [0.03], std: [0.02]))
    let source = try ImageFolder(folder.path + "/scans")
    let thumbnails = try Features.thumbnails(of: source, for: gray)
    #expect(thumbnails.dim == 256 && Set(thumbnails.values).count > 100)
    #expect(try Features.thumbnails(of: source).dim == 768)
    let features = try Features.extract(from: source, network: gray, options: ReadingOptions(workers: 1, batch: 2))
    let alone = try gray.embed(try source.bytes(of: 2))
    // As in areThoseOfEachImageInOrder.
    let scale = alone.map(abs).max() ?? 0
    for (a, b) in zip(features.values.suffix(64), alone) { #expect(abs(a - b) <= 9 * 576 * Float.ulpOfOne * scale) }
  }

  @Test func recalibrationChangesACopyOnly() throws {
    let (source, network) = (try ImageFolder(folder.path + "/train"), try smallNetwork())
    let before = try (0..<(try network.info().tensorCount)).map { try network.tensor(at: $0) }
    let recalibrated = try network.recalibrated(on: source, options: ReadingOptions(workers: 2, batch: 8))
    let after = try (0..<before.count).map { try network.tensor(at: $0) }
    #expect(before == after)
    for (index, tensor) in before.enumerated() {
      let other = try recalibrated.tensor(at: index)
      #expect(other.name == tensor.name)
      if !tensor.isBuffer { #expect(other == tensor, "\(tensor.name)") }
      if tensor.name == "bn1.running_mean" { #expect(other != tensor) }
    }
  }

  @Test func recalibrationSeesEveryClassInEachBatch() throws {
    /// Dark pictures, then bright ones.
    struct Levels: ImageSource {
      var count: Int { 64 }
      func name(of sample: Int) -> String { "\(sample)" }
      func bytes(of sample: Int) throws -> [UInt8] {
        let level = sample < 32 ? 40 : 200
        return Array("P6\n32 32\n255\n".utf8) + (0..<32 * 32 * 3).map { UInt8(level + ($0 * 7 + sample) % 30) }
      }
    }
    let network = try smallNetwork()
    func variances(batch: Int) throws -> [Float] {
      let found = try network.recalibrated(on: Levels(), options: ReadingOptions(workers: 1, batch: batch))
      let tensors = try (0..<(try found.info().tensorCount)).map { try found.tensor(at: $0) }
      return try #require(tensors.first { $0.name == "bn1.running_var" }).values
    }
    // Batches of one class would have a hundredth of the variance.
    for (part, whole) in zip(try variances(batch: 8), try variances(batch: 64)) { #expect(part > 0.5 * whole) }
  }

  @Test func integersPointWhereFloatsDo() throws {
    let (source, network) = (try ImageFolder(folder.path + "/train"), try smallNetwork())
    let exact = try Features.extract(from: source, network: network)
    let calibrated = try network.calibrated(on: source, limit: 6)
    let features = try Features.extract(from: source, network: calibrated, inference: .int8)
    #expect(features.samples == exact.samples && features.values != exact.values)
    for row in 0..<exact.count {
      let pair = zip(exact.values[row * 64..<(row + 1) * 64], features.values[row * 64..<(row + 1) * 64])
      var (ab, aa, bb) = (0.0, 0.0, 0.0)
      for (a, b) in pair { (ab, aa, bb) = (ab + Double(a * b), aa + Double(a * a), bb + Double(b * b)) }
      // About 1.3 % of rounding a layer, in 20 layers 6 %: a cosine of 1 - 0.06^2 / 2, or three times that error.
      #expect(ab / (aa * bb).squareRoot() > 1 - 9 * 0.0018, "image \(row)")
    }
    // Floats are not touched by it, and a network without a calibration says what it needs.
    #expect(try Features.extract(from: source, network: calibrated).values == exact.values)
    let error = #expect(throws: (any Error).self) { try network.embed(try source.bytes(of: 0), inference: .int8) }
    #expect(error.map { "\($0)".contains("calibrate") } == true)
  }

  @Test func bfloatsAreNearFloats() throws {
    let (source, network) = (try ImageFolder(folder.path + "/train"), try smallNetwork())
    let exact = try Features.extract(from: source, network: network)
    let features = try Features.extract(from: source, network: network, inference: .bfloat16)
    #expect(features.samples == exact.samples && features.values != exact.values)
    let largest = exact.values.map(abs).max() ?? 0
    // Two roundings of 2^-9 / sqrt(3) a layer, in 20 layers 0.7 % of a feature of typical size: six times that of the largest.
    for (a, b) in zip(exact.values, features.values) { #expect(abs(a - b) <= 0.042 * largest) }
    let automatic: Inference = try Runtime.info().fastBFloat16 ? .bfloat16 : .float32
    #expect(try Inference.automatic() == automatic)
  }

  @Test func spreadTakesOneOfEachStretchWhateverTakesTurnsInThem() {
    #expect(spread(4, over: 3) == [0, 1, 2])
    for (limit, count) in [(4, 8), (3, 1_000_000), (5, 7), (200, 400)] {
      let found = spread(limit, over: count)
      #expect(found.enumerated().allSatisfy { (($0 * count / limit)..<(($0 + 1) * count / limit)).contains($1) })
    }
    // Two classes in turn: of 200 about half each; 3 standard deviations are 21.
    #expect(abs(spread(200, over: 400).count { $0 % 2 == 0 } - 100) <= 21)
  }
}
