import CSwAV
import Foundation
public import SwAVAugmentation
public import SwAVData
import SwAVEngine
import Synchronization

extension Benchmark {
  public struct Data: Codable, Sendable {
    public var command = "data"
    public var crops: String
    public var images: Int
    public var workers: Int
    public var imagesPerSecond: Double
    public var imagesPerSecondPerCore: Double
    public var badImages: Int
    /// Peak of the process, the index of the images included.
    public var peakRssGib: Double
  }

  /// Reads, decodes and crops up to `limit` images, evenly spaced, on `workers` threads.
  public static func data(_ source: any ImageSource, crops: [CropGroup], limit: Int, workers: Int) throws -> Data {
    let samples = (0..<min(limit, source.count)).map { $0 * source.count / min(limit, source.count) }
    let recipe = Recipe(groups: crops)
    for sample in samples.prefix(3) { _ = MultiCropper(recipe).crop(source, sample) }
    let next = Atomic(0)
    let bad = Atomic(0)
    let start = ContinuousClock.now
    // Threads of its own, as the loader has; concurrentPerform would choose their number itself.
    let group = DispatchGroup()
    for _ in 0..<max(1, workers) {
      group.enter()
      do {
        try startThread("swav-bench", stackSize: 1 << 20) {
          let cropper = MultiCropper(recipe)
          while true {
            let index = next.add(1, ordering: .relaxed).oldValue
            guard index < samples.count else { break }
            if !cropper.crop(source, samples[index]) { bad.add(1, ordering: .relaxed) }
          }
          group.leave()
        }
      } catch {
        group.leave()
        throw error
      }
    }
    group.wait()
    let rate = Double(samples.count) / ((ContinuousClock.now - start) / .seconds(1))
    return Data(
      crops: CropGroup.describe(crops), images: samples.count, workers: max(1, workers), imagesPerSecond: rate,
      imagesPerSecondPerCore: rate / Double(max(1, workers)), badImages: bad.load(ordering: .relaxed),
      peakRssGib: peakResidentGiB())
  }
}

/// Memory for the crops of one image, used over and over.
private final class MultiCropper {
  private let memory: [NoiseBuffer]
  private let recipe: swav_recipe
  private let options: swav_decode_options

  init(_ recipe: Recipe) {
    (self.recipe, options) = (recipe.engine, recipe.engineDecoding)
    memory = recipe.groupOfCrop.map { NoiseBuffer(count: $0.size * $0.size * recipe.channels) }
  }

  /// False for an image that does not decode.
  func crop(_ source: any ImageSource, _ sample: Int) -> Bool {
    var (recipe, options) = (recipe, options)
    guard let bytes = try? source.bytes(of: sample) else { return false }
    let outputs = memory.map { Optional($0.base) }
    return
      (try? Recipe.multicrop(
        bytes, recipe: &recipe, options: &options, seed: 0, epoch: 0, sample: sample, outputs: outputs)) != nil
  }
}
