import CSwAV
public import SwAVAugmentation
import SwAVData
public import SwAVEngine
import SwAVModel
import Synchronization

/// How images are read for evaluation: always in order, one view an image.
public struct ReadingOptions: Sendable {
  /// Threads that decode and crop.
  public var workers: Int
  /// Images in one call of the engine.
  public var batch: Int
  /// Seconds after which a read is given up and the image left out; 0: never.
  public var readTimeout = Loader.defaultReadTimeout
  /// Which pictures are decoded, and what transparent ones lie on.
  public var decoding = DecodingOptions.standard
  /// Processes that share the batches of features out among them; each then gets all rows. All of them ask for the same ones.
  public var ranks: RankGroup?

  public init(workers: Int = 2, batch: Int = 64) { (self.workers, self.batch) = (workers, batch) }
}

/// Size, channels and normalisation of a network's input.
struct InputForm: Sendable {
  var size: Int
  var channels: Int
  var mean: [Float]
  var std: [Float]
}

/// Which samples are read, in their order: all of a source without a list of their numbers, or those of a list.
struct SampleOrder: Sendable {
  private let list: [Int]?
  private let range: Range<Int>

  init(_ list: [Int]?, of source: any ImageSource) {
    self.list = list
    range = 0..<(list?.count ?? source.count)
  }

  private init(_ list: [Int]?, _ range: Range<Int>) { (self.list, self.range) = (list, range) }

  func dropping(_ count: Int) -> SampleOrder { SampleOrder(list, range.dropFirst(count)) }

  /// Batches number `first`, `first + step` and so on.
  func batches(of batch: Int, from first: Int, by step: Int) -> SampleOrder {
    let own = stride(from: first * batch, to: count, by: step * batch).flatMap {
      ($0..<min(count, $0 + batch)).map { self[$0] }
    }
    return SampleOrder(own, 0..<own.count)
  }

  var count: Int { range.count }

  subscript(position: Int) -> Int { list?[range.lowerBound + position] ?? range.lowerBound + position }
}

/// One view of every image of a source, in order, normalised, in batches. Images that do not decode are left out.
final class ViewLoader {
  enum View {
    /// Shorter side to 256/224 of the size, centre crop.
    case centre
    /// The whole image squeezed.
    case whole
    /// What classifiers are trained on: a random box of 8 to 100 % of the image, resized, flipped or not; a pure
    /// function of (seed, epoch, sample).
    case random(seed: UInt64, epoch: Int)
  }

  private let slots: ViewSlots
  private let reads: TimedReads
  private let pipeline: SlotPipeline
  private let samples: SampleOrder
  private let batch: Int

  /// Pixels are [size][size][channels] float32, normalised by mean and std.
  init(_ source: any ImageSource, samples: SampleOrder, view: View, input: InputForm, options: ReadingOptions)
    throws(EngineError)
  {
    let batch = max(1, options.batch)
    let slots = ViewSlots(length: input.size * input.size * input.channels, batch: batch, count: 3)
    let recipe = Recipe.classification(input)
    let reads = TimedReads(source, seconds: options.readTimeout)
    let painter = ViewPainter(
      source: source, reads: reads, view: view, input: input, recipe: recipe, decoding: options.decoding)
    (self.slots, self.reads, self.samples, self.batch) = (slots, reads, samples, batch)
    pipeline = try SlotPipeline(
      batches: 0..<(samples.count + batch - 1) / batch, items: { min(batch, samples.count - $0 * batch) },
      slots: slots.count, workers: options.workers,
      fill: { number, item, slot in
        let sample = samples[number * batch + item]
        let outcome = try painter.paint(sample, into: slots.pixels(slot: slot, item: item))
        slots.set(outcome, slot: slot, item: item)
      })
  }

  // Reads that hang must not hold the workers, who are waited for.
  deinit { reads.close() }

  /// Images of one batch, packed: [samples.count][size][size][channels].
  struct Batch: ~Copyable {
    let pixels: UnsafeBufferPointer<Float>
    /// Those that decoded, in order, and a hash of the encoded bytes of each.
    let samples: [Int]
    let contents: [UInt64]
    let bad: [BadSample]

    /// As what a network takes; there is at least one.
    func images(_ form: InputForm) throws(EngineError) -> ImageBatch {
      try ImageBatch(
        lending: pixels, count: samples.count, height: form.size, width: form.size, channels: form.channels)
    }
  }

  /// Lends every batch in turn.
  func forEachBatch(_ body: (borrowing Batch) throws -> Void) throws {
    while try withNextBatch(body) {}
  }

  /// Lends the next batch; false when there is none.
  func withNextBatch(_ body: (borrowing Batch) throws -> Void) throws -> Bool {
    let done: Void? = try pipeline.withNext { number, slot in
      let first = number * batch
      let outcomes = slots.pack(slot: slot, count: min(batch, samples.count - first))
      var (good, contents, bad) = ([Int](), [UInt64](), [BadSample]())
      for (item, outcome) in outcomes.enumerated() {
        switch outcome {
        case .good(let content):
          good.append(samples[first + item])
          contents.append(content)
        case .bad(let sample): bad.append(sample)
        }
      }
      try body(
        Batch(pixels: slots.packed(slot: slot, count: good.count), samples: good, contents: contents, bad: bad))
    }
    return done != nil
  }
}

extension Recipe {
  /// One random box of 8 to 100 % of the image, flipped or not; no colours change.
  fileprivate static func classification(_ input: InputForm) -> Recipe {
    var recipe = Recipe(groups: [CropGroup(count: 1, size: input.size, minScale: 0.08, maxScale: 1)])
    (recipe.channels, recipe.mean, recipe.std) = (input.channels, input.mean, input.std)
    (recipe.jitterProbability, recipe.grayscaleProbability, recipe.blurProbability) = (0, 0, 0)
    return recipe
  }
}

/// What became of an image.
private enum ViewOutcome {
  /// A hash of its encoded bytes.
  case good(UInt64)
  case bad(BadSample)
}

/// What a worker does with an image.
private struct ViewPainter: Sendable {
  let source: any ImageSource
  let reads: TimedReads
  let view: ViewLoader.View
  let input: InputForm
  let recipe: Recipe
  let decoding: DecodingOptions

  func paint(_ sample: Int, into pixels: UnsafeMutablePointer<Float>) throws -> ViewOutcome {
    do {
      let bytes = try reads.bytes(of: sample)
      let image = try Image(decoding: bytes, channels: input.channels, options: decoding)
      let info = try image.info()
      let plan =
        switch view {
        case .centre: try CropPlan.centre(size: input.size, imageWidth: info.width, imageHeight: info.height)
        case .whole: try CropPlan.whole(size: input.size, imageWidth: info.width, imageHeight: info.height)
        case .random(let seed, let epoch):
          try CropPlan(
            recipe: recipe, seed: seed, epoch: epoch, sample: sample, crop: 0, imageWidth: info.width,
            imageHeight: info.height)
        }
      var (enginePlan, recipe) = (plan.engine, recipe.engine)
      try check(swav_crop_execute(image.handle, &enginePlan, &recipe, pixels))
      return .good(contentHash(bytes))
    } catch  where endsReading(error) {
      throw error
    } catch {
      return .bad(BadSample(sample: sample, name: source.name(of: sample), reason: "\(error)"))
    }
  }
}

/// A hash of an encoded image, eight bytes at a time: equal pictures have equal ones, two different ones of a million with a
/// probability of 1e-7.
func contentHash(_ bytes: [UInt8]) -> UInt64 {
  bytes.withUnsafeBytes { bytes in
    var hash = UInt64(bytes.count)
    func mix(_ word: UInt64) {
      hash = (hash ^ word) &* 0x9e37_79b9_7f4a_7c15
      hash ^= hash >> 29
    }
    let whole = bytes.count & ~7
    for offset in stride(from: 0, to: whole, by: 8) {
      mix(UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)))
    }
    mix(bytes[whole...].reduce(0) { $0 << 8 | UInt64($1) })
    return hash
  }
}

/// Memory of a bounded number of batches of views, and what became of each image.
// Sendable: `base` never changes and the pipeline gives each place to one worker at a time; `outcomes` is inside a mutex.
private final class ViewSlots: @unchecked Sendable {
  let count: Int
  private let length: Int
  private let batch: Int
  private let base: UnsafeMutablePointer<Float>
  private let outcomes: Mutex<[ViewOutcome]>

  init(length: Int, batch: Int, count: Int) {
    (self.length, self.batch, self.count) = (length, batch, count)
    base = UnsafeMutablePointer<Float>.allocate(capacity: max(1, length * batch * count))
    base.initialize(repeating: 0, count: max(1, length * batch * count))
    outcomes = Mutex(Array(repeating: .good(0), count: batch * count))
  }

  deinit { base.deallocate() }

  func pixels(slot: Int, item: Int) -> UnsafeMutablePointer<Float> { base + (slot * batch + item) * length }

  /// The first views of a slot.
  func packed(slot: Int, count: Int) -> UnsafeBufferPointer<Float> {
    UnsafeBufferPointer(start: pixels(slot: slot, item: 0), count: count * length)
  }

  func set(_ outcome: ViewOutcome, slot: Int, item: Int) { outcomes.withLock { $0[slot * batch + item] = outcome } }

  /// Moves the good views of a slot together; returns what became of each image.
  func pack(slot: Int, count: Int) -> [ViewOutcome] {
    let found = outcomes.withLock { Array($0[slot * batch..<slot * batch + count]) }
    var target = 0
    for (item, outcome) in found.enumerated() {
      guard case .good = outcome else { continue }
      if target != item { pixels(slot: slot, item: target).update(from: pixels(slot: slot, item: item), count: length) }
      target += 1
    }
    return found
  }
}
