import CSwAV
public import SwAVAugmentation
import SwAVEngine

/// Feeds training: batches of multi-crop views, in an order that depends on (seed, epoch) only, decoded and cropped by
/// workers straight into a bounded number of slots that are allocated once.
///
/// The pixels are the same with any number of workers, and loading starts at any (epoch, batch) in O(1). A sample whose
/// bytes cannot be read or decoded is replaced by another one, chosen by (seed, epoch, sample) alone, so that no other
/// position of the epoch shifts.
///
/// One consumer: ``withNextBatch(_:)`` is called on one thread at a time.
public final class Loader {
  /// A place in a run.
  public struct Position: Codable, Sendable, Equatable {
    public var epoch: Int
    /// Batches of the epoch that are done.
    public var batch: Int

    public init(epoch: Int, batch: Int) { (self.epoch, self.batch) = (epoch, batch) }
  }

  public struct Configuration: Sendable {
    public var recipe: Recipe
    public var seed: UInt64
    /// B, images a batch. The rest of an epoch that fills no batch is left out.
    public var batch: Int
    public var epochs: Int
    /// The images of each batch that are loaded: those of one of the processes that train together. Nil: all.
    public var share: Range<Int>?
    public var start = Position(epoch: 0, batch: 0)
    /// Threads that decode and crop.
    public var workers: Int
    /// Batches in memory at most: the one in use and those ahead of it.
    public var slots = 3
    /// Bytes that batches in memory may take; where they need more there are fewer of them, and with a single one loading waits for
    /// the step.
    public var memory = Int.max
    /// Share of samples, 0...1, that may be bad before loading ends with an error: of those that were tried so far, and of
    /// 1000 (or all) while they are fewer.
    public var maxBadShare: Double
    /// Seconds after which a read is given up and the sample counts as bad; 0: never.
    public var readTimeout = Loader.defaultReadTimeout
    /// Samples known to be bad from an earlier part of the run; they are not reported again.
    public var knownBad: [Int] = []

    public init(recipe: Recipe, seed: UInt64, batch: Int, epochs: Int, workers: Int, maxBadShare: Double = 0.5) {
      (self.recipe, self.seed, self.batch, self.epochs) = (recipe, seed, batch, epochs)
      (self.workers, self.maxBadShare) = (workers, maxBadShare)
    }
  }

  /// One batch of crops, lent by the loader until the closure returns.
  public struct Batch: ~Copyable {
    public let position: Position
    public let crops: CropBatch
    /// The sample of each image: those that took the places of bad ones included.
    public let samples: [Int]
  }

  /// Seconds. A busy network file system answers within it.
  public static let defaultReadTimeout = 60.0

  public let configuration: Configuration
  public let batchesPerEpoch: Int
  private let reads: TimedReads
  private let clock = LoadingClock()
  private let bad: BadSamples
  private let slots: CropSlots
  private let pipeline: SlotPipeline

  /// Allocates the slots and starts the workers. Throws `.unusable` when there are fewer samples than a batch has, or a batch needs
  /// more memory than it may take.
  public init(_ source: any ImageSource, _ configuration: Configuration) throws(DataError) {
    let draws = source.drawCount
    guard configuration.batch > 0, draws >= configuration.batch else {
      throw DataError(
        .unusable, "batch is \(configuration.batch), but there are \(draws) images; 1 to \(max(draws, 1)) are allowed")
    }
    self.configuration = configuration
    batchesPerEpoch = draws / configuration.batch
    let tried = (configuration.start.epoch * batchesPerEpoch + configuration.start.batch) * configuration.batch
    bad = BadSamples(known: configuration.knownBad, count: source.count, share: configuration.maxBadShare, tried: tried)
    reads = TimedReads(source, seconds: configuration.readTimeout)
    let share = configuration.share ?? 0..<configuration.batch
    slots = try CropSlots(
      recipe: configuration.recipe, batch: share.count, most: max(1, configuration.slots), memory: configuration.memory)
    let start = configuration.start.epoch * batchesPerEpoch + configuration.start.batch
    let end = max(start, configuration.epochs * batchesPerEpoch)
    let filler = Filler(
      source: source, reads: reads, configuration: configuration, bad: bad, slots: slots, clock: clock,
      batchesPerEpoch: batchesPerEpoch)
    do {
      pipeline = try SlotPipeline(
        batches: start..<end, items: { _ in share.count }, slots: slots.count, workers: configuration.workers,
        fill: filler.fill)
    } catch {
      throw DataError(.io, error.message)
    }
  }

  /// Waits for the next batch and lends it to `body`. Nil after the last one, or when ``stop()`` was called.
  public func withNextBatch<R>(_ body: (borrowing Batch) throws -> R) throws -> R? {
    try pipeline.withNext { batch, slot in
      let position = Position(epoch: batch / batchesPerEpoch, batch: batch % batchesPerEpoch)
      return try body(Batch(position: position, crops: try slots.crops(of: slot), samples: slots.samples(of: slot)))
    }
  }

  deinit { reads.close() }

  /// Ends the workers and returns when the last is gone. Does not wait for reads that hang.
  public func stop() {
    reads.close()
    pipeline.stop()
  }

  /// What loading has cost so far.
  public var cost: LoadingCost { clock.cost }

  /// Seconds that the consumer has waited for data so far.
  public var waited: Double { pipeline.waited }

  /// Bad samples found since the last call. Workers are ahead of the consumer, so these may belong to later batches.
  public func takeNewBadSamples() -> [BadSample] { bad.takeUnreported() }

  /// All samples found to be bad, in order.
  public var badSamples: [Int] { bad.known }

  /// Bytes of all slots.
  public var memory: Int { slots.memory }
}
