import Foundation
import SwAVAugmentation
import SwAVData
import SwAVTestSupport
import Synchronization
import Testing

/// Pictures in memory; some of them damaged.
struct MemorySource: ImageSource {
  let pictures: [[UInt8]]
  var count: Int { pictures.count }
  func bytes(of sample: Int) throws -> [UInt8] { pictures[sample] }
  func name(of sample: Int) -> String { "picture \(sample)" }

  init(count: Int, damaged: Set<Int> = []) throws {
    pictures = try (0..<count).map { damaged.contains($0) ? [1, 2, 3] : try picture(kind: $0, number: $0, side: 24) }
  }
}

@Suite struct LoaderTests {
  let recipe: Recipe

  init() throws { recipe = Recipe(groups: try CropGroup.parse("2x16+1x8")) }

  private func loader(
    _ source: any ImageSource, batch: Int = 3, epochs: Int = 2, workers: Int = 2, start: Loader.Position? = nil,
    share: Double = 0.5
  ) throws -> Loader {
    var configuration = Loader.Configuration(
      recipe: recipe, seed: 11, batch: batch, epochs: epochs, workers: workers, maxBadShare: share)
    if let start { configuration.start = start }
    return try Loader(source, configuration)
  }

  /// Every batch: its position, all its pixels, and its samples.
  private func drain(
    _ loader: Loader, pause: Bool = false
  ) throws -> [(position: Loader.Position, pixels: [Float], samples: [Int])] {
    var batches: [(Loader.Position, [Float], [Int])] = []
    while true {
      let next = try loader.withNextBatch { batch in
        // A slow consumer lets the workers run into the bound.
        if pause { Thread.sleep(forTimeInterval: 0.005) }
        return (batch.position, batch.crops.groups.indices.flatMap { batch.crops.values(ofGroup: $0) }, batch.samples)
      }
      guard let next else { return batches }
      batches.append(next)
    }
  }

  @Test func deliversTheSamePixelsWithAnyNumberOfWorkers() throws {
    let source = try MemorySource(count: 10, damaged: [4])
    let reference = try drain(try loader(source, workers: 1))
    #expect(reference.map(\.position.epoch) == [0, 0, 0, 1, 1, 1])
    #expect(reference.map(\.position.batch) == [0, 1, 2, 0, 1, 2])
    for workers in [2, 3, 8] {
      let other = try drain(try loader(source, workers: workers), pause: true)
      #expect(other.map(\.pixels) == reference.map(\.pixels), "\(workers) workers")
    }
  }

  @Test func placesCropsCropMajor() throws {
    let source = try MemorySource(count: 4)
    let batches = try drain(try loader(source, batch: 4, epochs: 1))
    #expect(batches.count == 1)
    for item in 0..<4 {
      let sample = EpochOrder.sample(seed: 11, epoch: 0, count: 4, position: item)
      #expect(batches[0].samples[item] == sample)
      let crops = try recipe.crops(of: source.pictures[sample], seed: 11, epoch: 0, sample: sample)
      let pixels = batches[0].pixels
      // Row v * batch + b of the first group, then the second group after all of the first.
      let (large, small) = (16 * 16 * 3, 8 * 8 * 3)
      for view in 0..<2 {
        let start = (view * 4 + item) * large
        #expect(Array(pixels[start..<start + large]) == crops[view], "view \(view) of item \(item)")
      }
      let start = 2 * 4 * large + item * small
      #expect(Array(pixels[start..<start + small]) == crops[2])
    }
  }

  @Test func goesOnAtAnyPosition() throws {
    let source = try MemorySource(count: 11, damaged: [0, 7])
    let whole = try drain(try loader(source))
    for (index, position) in whole.map(\.position).enumerated() {
      let rest = try drain(try loader(source, start: position))
      #expect(rest.map(\.pixels) == whole[index...].map(\.pixels), "from \(position)")
    }
    #expect(try drain(try loader(source, start: Loader.Position(epoch: 2, batch: 0))).isEmpty)
  }

  @Test func namesEachBadSampleOnce() throws {
    let source = try MemorySource(count: 9, damaged: [2, 5])
    let all = try loader(source, batch: 9, epochs: 3)
    _ = try drain(all)
    let bad = all.takeNewBadSamples()
    #expect(bad.map(\.sample) == [2, 5])
    #expect(bad.allSatisfy { !$0.reason.isEmpty && $0.name == "picture \($0.sample)" })
    #expect(all.takeNewBadSamples().isEmpty)
    #expect(all.badSamples == [2, 5])
  }

  @Test func aSubstituteLeavesEveryOtherPositionAlone() throws {
    let good = try drain(try loader(try MemorySource(count: 9), batch: 3, epochs: 1))
    let replaced = try drain(try loader(try MemorySource(count: 9, damaged: [6]), batch: 3, epochs: 1))
    let position = try #require((0..<9).first { EpochOrder.sample(seed: 11, epoch: 0, count: 9, position: $0) == 6 })
    let large = 16 * 16 * 3
    for index in 0..<9 {
      let (batch, item) = (index / 3, index % 3)
      let same =
        good[batch].pixels[item * large..<(item + 1) * large]
        == replaced[batch].pixels[item * large..<(item + 1) * large]
      #expect(same == (index != position), "position \(index)")
      let sample = replaced[batch].samples[item]
      #expect((sample == good[batch].samples[item]) == (index != position) && sample != 6)
    }
  }

  @Test func tooManyBadSamplesAreAnError() throws {
    let error = #expect(throws: DataError.self) {
      try drain(try loader(try MemorySource(count: 10, damaged: [1, 3, 5]), batch: 10, share: 0.2))
    }
    #expect(error?.kind == .tooManyBad)
    #expect(error?.description.contains("3 of 10 images are bad") == true)
    let all = #expect(throws: DataError.self) {
      try drain(try loader(try MemorySource(count: 4, damaged: [0, 1, 2, 3]), batch: 2, share: 1))
    }
    #expect(all?.description.contains("all 4 images are bad") == true)
  }

  @Test func whereMemoryIsShortThereAreFewerBatchesInItAndTheSamePixels() throws {
    let source = try MemorySource(count: 7)
    let bytes = 3 * (2 * 16 * 16 + 8 * 8) * 3 * 4
    func loader(_ memory: Int) throws -> Loader {
      var configuration = Loader.Configuration(recipe: recipe, seed: 11, batch: 3, epochs: 2, workers: 2)
      configuration.memory = memory
      return try Loader(source, configuration)
    }
    let usual = try drain(try loader(.max))
    for count in 1...2 {
      let short = try loader(count * bytes + bytes / 2)
      #expect(short.memory == count * bytes)
      #expect(try drain(short).map(\.pixels) == usual.map(\.pixels))
    }
    let error = #expect(throws: DataError.self) { try loader(bytes - 1) }
    #expect(error?.description.contains("a batch of 2 would fit") == true)
  }

  @Test func fewerImagesThanABatchAreAnError() throws {
    let error = #expect(throws: DataError.self) { try loader(try MemorySource(count: 2), batch: 3) }
    #expect(error?.description.contains("batch is 3, but there are 2 images") == true)
  }

  @Test func stopsInTheMiddleAndLetsGo() throws {
    /// Counts how many samples are being read.
    final class Slow: ImageSource {
      let reading = Atomic(0)
      let bytes: [UInt8]
      init(_ bytes: [UInt8]) { self.bytes = bytes }
      var count: Int { 1000 }
      func name(of sample: Int) -> String { "\(sample)" }
      func bytes(of sample: Int) throws -> [UInt8] {
        reading.add(1, ordering: .relaxed)
        defer { reading.subtract(1, ordering: .relaxed) }
        Thread.sleep(forTimeInterval: 0.001)
        return bytes
      }
    }
    let source = Slow(try picture(kind: 0, number: 0, side: 24))
    let stopped = try loader(source, batch: 10, epochs: 100, workers: 3)
    _ = try stopped.withNextBatch { _ in }
    stopped.stop()
    #expect(source.reading.load(ordering: .relaxed) == 0)
    #expect(try stopped.withNextBatch { _ in true } == nil)
  }

  @Test func memoryDependsOnSlotsAndNotOnImages() throws {
    let floats = 3 * (2 * 16 * 16 + 8 * 8) * 3
    let expected = 3 * floats * MemoryLayout<Float>.size
    #expect(try loader(try MemorySource(count: 3)).memory == expected)
    #expect(try loader(try MemorySource(count: 30)).memory == expected)
  }
}
