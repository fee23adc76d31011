import CSwAV
import SwAVAugmentation
import SwAVEngine

/// The memory of a bounded number of batches, allocated once.
// Sendable: the pointers never change; who may write where is the pipeline's matter: one worker an item, and the consumer
// only once all items of a slot are filled.
final class CropSlots: @unchecked Sendable {
  let count: Int
  private let recipe: Recipe
  private let batch: Int
  private let base: UnsafeMutablePointer<Float>
  /// Of the images of each slot.
  private let sampleNumbers: UnsafeMutablePointer<Int>
  /// Floats of one slot.
  private let stride: Int
  /// Where each group begins in a slot.
  private let groupOffsets: [Int]

  /// As many as the memory holds, at most so many; throws `.unusable` where it holds none.
  init(recipe: Recipe, batch: Int, most: Int, memory: Int) throws(DataError) {
    (self.recipe, self.batch) = (recipe, batch)
    var (offset, offsets) = (0, [Int]())
    for group in recipe.groups {
      offsets.append(offset)
      offset += group.count * batch * group.size * group.size * recipe.channels
    }
    (stride, groupOffsets) = (offset, offsets)
    let bytes = max(1, stride * MemoryLayout<Float>.size)
    count = min(most, memory / bytes)
    guard count > 0 else {
      func gib(_ bytes: Int) -> String { decimals(Double(bytes) / 1_073_741_824, 2) }
      throw DataError(
        .unusable,
        "the crops of a batch of \(batch) need \(gib(bytes)) GiB, and there are \(gib(memory)) GiB for them; a batch of "
          + "\(batch * memory / bytes) would fit, or smaller or fewer crops")
    }
    base = UnsafeMutablePointer<Float>.allocate(capacity: max(1, stride * count))
    base.initialize(repeating: 0, count: max(1, stride * count))
    sampleNumbers = UnsafeMutablePointer<Int>.allocate(capacity: max(1, batch * count))
    sampleNumbers.initialize(repeating: 0, count: max(1, batch * count))
  }

  deinit {
    base.deallocate()
    sampleNumbers.deallocate()
  }

  var memory: Int { stride * count * MemoryLayout<Float>.size }

  func crops(of slot: Int) throws -> CropBatch {
    let ends = groupOffsets.dropFirst() + [stride]
    return try CropBatch(
      lending: zip(groupOffsets, ends).map { UnsafeBufferPointer(start: base + slot * stride + $0, count: $1 - $0) },
      groups: recipe.groups.map { CropBatch.Group(count: $0.count, size: $0.size) }, images: batch,
      channels: recipe.channels)
  }

  /// The sample of each image of the batch in `slot`.
  func samples(of slot: Int) -> [Int] { Array(UnsafeBufferPointer(start: sampleNumbers + slot * batch, count: batch)) }

  func note(sample: Int, slot: Int, item: Int) { sampleNumbers[slot * batch + item] = sample }

  /// Where the V crops of image `item` of the batch in `slot` go: crop-major, row v * batch + item in its group.
  func outputs(slot: Int, item: Int) -> [UnsafeMutablePointer<Float>?] {
    var outputs: [UnsafeMutablePointer<Float>?] = []
    for (group, offset) in zip(recipe.groups, groupOffsets) {
      let length = group.size * group.size * recipe.channels
      for crop in 0..<group.count { outputs.append(base + slot * stride + offset + (crop * batch + item) * length) }
    }
    return outputs
  }
}

/// What a worker does: finds the sample of a position, reads, decodes and crops it, or its substitute.
struct Filler: Sendable {
  let source: any ImageSource
  let reads: TimedReads
  let configuration: Loader.Configuration
  let bad: BadSamples
  let slots: CropSlots
  let clock: LoadingClock
  let batchesPerEpoch: Int

  @Sendable func fill(batch: Int, item: Int, slot: Int) throws {
    let epoch = batch / batchesPerEpoch
    let position = batch % batchesPerEpoch * configuration.batch + (configuration.share?.lowerBound ?? 0) + item
    let (seed, count) = (configuration.seed, source.count)
    let draw = EpochOrder.sample(seed: seed, epoch: epoch, count: source.drawCount, position: position)
    let sample = source.sample(ofDraw: draw, seed: seed, epoch: epoch)
    let outputs = slots.outputs(slot: slot, item: item)
    var (recipe, options) = (configuration.recipe.engine, configuration.recipe.engineDecoding)
    for attempt in 0..<count {
      let candidate = Filler.candidate(seed: seed, epoch: epoch, count: count, sample: sample, attempt: attempt)
      if attempt > 0 && candidate == sample { continue }
      do {
        bad.countTry()
        let bytes = try clock.reading { try reads.bytes(of: candidate) }
        // The crops are drawn for the draw: a sample that comes twice, or a substitute that is in the epoch in its own right,
        // is cropped differently here.
        try clock.cropping {
          try Recipe.multicrop(
            bytes, recipe: &recipe, options: &options, seed: seed, epoch: epoch, sample: draw, outputs: outputs)
        }
        slots.note(sample: candidate, slot: slot, item: item)
        return
      } catch  where endsReading(error) || (error as? EngineError)?.code == .argument {
        throw error
      } catch {
        try bad.record(BadSample(sample: candidate, name: source.name(of: candidate), reason: "\(error)"))
      }
    }
    throw DataError(.tooManyBad, "all \(count) images are bad; the first tried: \(source.name(of: sample))")
  }

  /// The sample itself, then others along a permutation of the epoch's substitutes that starts at the sample's own place:
  /// a pure function, and after `count` attempts every sample has had its turn.
  static func candidate(seed: UInt64, epoch: Int, count: Int, sample: Int, attempt: Int) -> Int {
    if attempt == 0 { return sample }
    // Any constant but 0 does: it makes the order of substitutes independent of the epoch's own order.
    let position = (sample + attempt - 1) % count
    return EpochOrder.sample(seed: seed ^ 0x5375_6273_7469_7475, epoch: epoch, count: count, position: position)
  }
}
