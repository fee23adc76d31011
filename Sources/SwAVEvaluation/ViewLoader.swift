import CSwAV
import SwAVAugmentation
import SwAVData
import SwAVEngine
import Synchronization

/// How images are read for evaluation: always in order, one view an image.
public struct ReadingOptions: Sendable {
  /// Threads that decode and crop.
  public var workers: Int
  /// Images in one call of the engine.
  public var batch: Int
  /// Seconds after which a read is given up and the image left out; 0: never.
  public var readTimeout = Loader.defaultReadTimeout

  public init(workers: Int = 2, batch: Int = 64) { (self.workers, self.batch) = (workers, batch) }
}

/// One view of every image of a source, in order, normalised, in batches. Images that do not decode are left out.
final class ViewLoader {
  enum View {
    /// Shorter side to 256/224 of the size, centre crop.
    case centre
    /// The whole image squeezed.
    case whole
  }

  private let slots: ViewSlots
  private let pipeline: SlotPipeline

  /// `samples` are read in their order; pixels are [size][size][channels] float32, normalised by mean and std.
  init(_ source: any ImageSource, samples: [Int], view: View, input: InputForm, options: ReadingOptions) {
    let batch = max(1, options.batch)
    let slots = ViewSlots(length: input.size * input.size * input.channels, batch: batch, count: 3)
    self.slots = slots
    var recipe = Recipe.published
    (recipe.channels, recipe.mean, recipe.std) = (input.channels, input.mean, input.std)
    let reads = TimedReads(source, seconds: options.readTimeout)
    let (engineRecipe, size) = (recipe.engine, input.size)
    pipeline = SlotPipeline(
      batches: 0..<(samples.count + batch - 1) / batch, items: { min(batch, samples.count - $0 * batch) },
      slots: slots.count, workers: options.workers,
      fill: { number, item, slot in
        let sample = samples[number * batch + item]
        do {
          let image = try Image(decoding: try reads.bytes(of: sample), channels: input.channels)
          let info = try image.info()
          let plan =
            switch view {
            case .centre: try CropPlan.centre(size: size, imageWidth: info.width, imageHeight: info.height)
            case .whole: try CropPlan.whole(size: size, imageWidth: info.width, imageHeight: info.height)
            }
          var (enginePlan, recipe) = (plan.engine, engineRecipe)
          try check(swav_crop_execute(image.handle, &enginePlan, &recipe, slots.pixels(slot: slot, item: item)))
          slots.setBad(nil, slot: slot, item: item)
        } catch let error as EngineError where error.code == .memory || error.code == .internal {
          throw error
        } catch let error as DataError where error.kind == .stalled {
          throw error
        } catch {
          slots.setBad(
            BadSample(sample: sample, name: source.name(of: sample), reason: "\(error)"), slot: slot, item: item)
        }
      })
    self.samples = samples
    self.batch = batch
  }

  private let samples: [Int]
  private let batch: Int

  /// Images of one batch, packed: [samples.count][size][size][channels].
  struct Batch: ~Copyable {
    let pixels: UnsafePointer<Float>
    /// Those that decoded, in order.
    let samples: [Int]
    let bad: [BadSample]
  }

  /// Lends every batch in turn.
  func forEachBatch(_ body: (borrowing Batch) throws -> Void) throws {
    var isLast = false
    while !isLast {
      let done: Void? = try pipeline.withNext { number, slot in
        let range = number * batch..<min((number + 1) * batch, samples.count)
        let bad = slots.pack(slot: slot, count: range.count)
        let badSamples = Set(bad.map(\.sample))
        let good = samples[range].filter { !badSamples.contains($0) }
        try body(Batch(pixels: UnsafePointer(slots.pixels(slot: slot, item: 0)), samples: good, bad: bad))
      }
      isLast = done == nil
    }
  }
}

/// Size, channels and normalisation of a network's input.
struct InputForm: Sendable {
  var size: Int
  var channels: Int
  var mean: [Float]
  var std: [Float]
}

/// Memory of a bounded number of batches of views, and what went wrong in each place.
// Sendable: `base` never changes and the pipeline gives each place to one worker at a time; `bad` is inside a mutex.
private final class ViewSlots: @unchecked Sendable {
  let count: Int
  private let length: Int
  private let batch: Int
  private let base: UnsafeMutablePointer<Float>
  private let bad: Mutex<[BadSample?]>

  init(length: Int, batch: Int, count: Int) {
    (self.length, self.batch, self.count) = (length, batch, count)
    base = UnsafeMutablePointer<Float>.allocate(capacity: max(1, length * batch * count))
    base.initialize(repeating: 0, count: max(1, length * batch * count))
    bad = Mutex(Array(repeating: nil, count: batch * count))
  }

  deinit { base.deallocate() }

  func pixels(slot: Int, item: Int) -> UnsafeMutablePointer<Float> { base + (slot * batch + item) * length }

  func setBad(_ sample: BadSample?, slot: Int, item: Int) { bad.withLock { $0[slot * batch + item] = sample } }

  /// Moves the good views of a slot together; returns the bad ones.
  func pack(slot: Int, count: Int) -> [BadSample] {
    let marks = bad.withLock { Array($0[slot * batch..<slot * batch + count]) }
    var target = 0
    for item in 0..<count where marks[item] == nil {
      if target != item { pixels(slot: slot, item: target).update(from: pixels(slot: slot, item: item), count: length) }
      target += 1
    }
    return marks.compactMap { $0 }
  }
}
