import SwAVAugmentation
public import SwAVData
import SwAVEngine
public import SwAVModel

extension Network {
  func form(size: Int?) throws(EngineError) -> InputForm {
    let input = try input()
    return InputForm(
      size: size ?? input.size, channels: try info().configuration.channels, mean: input.mean, std: input.std)
  }

  /// A copy whose batch-norm buffers are re-estimated on centre crops of `source`: multi-crop training mixes resolutions in
  /// them. At most `limit` images, evenly spaced, in batches of nearly equal size that are samples of them all: a source has one
  /// class after the other as a rule, and what its classes differ by is not in the statistics of one.
  /// `progress` gets how many images of how many are done.
  public func recalibrated(
    on source: any ImageSource, size: Int? = nil, limit: Int = 4096, options: ReadingOptions = .init(),
    progress: (Int, Int) throws -> Void = { _, _ in }
  ) throws -> Network {
    let network = try copy()
    let chosen = spread(limit, over: source.count)
    let mixed = (0..<chosen.count).map { chosen[EpochOrder.sample(seed: 0, epoch: 0, count: chosen.count, position: $0)] }
    var options = options
    let batches = max(1, (chosen.count + options.batch - 1) / options.batch)
    options.batch = max(1, (chosen.count + batches - 1) / batches)
    try network.beginRecalibration()
    try network.forEachView(of: source, mixed, size: size, options: options, progress: progress) { batch, form in
      // A statistic of fewer than two images is none.
      guard batch.samples.count >= 2 else { return }
      try network.recalibrate(try batch.images(form))
    }
    try network.endRecalibration()
    return network
  }

  /// A copy that can compute in 8-bit integers: calibrated on centre crops of at most `limit` images of `source`, evenly
  /// spaced.
  public func calibrated(
    on source: any ImageSource, size: Int? = nil, limit: Int = 64, options: ReadingOptions = .init(),
    progress: (Int, Int) throws -> Void = { _, _ in }
  ) throws -> Network {
    let network = try copy()
    let chosen = spread(limit, over: source.count)
    try network.forEachView(of: source, chosen, size: size, options: options, progress: progress) { batch, form in
      guard !batch.samples.isEmpty else { return }
      try network.calibrate(try batch.images(form))
    }
    return network
  }

  private func forEachView(
    of source: any ImageSource, _ samples: [Int], size: Int?, options: ReadingOptions, progress: (Int, Int) throws -> Void,
    body: (borrowing ViewLoader.Batch, InputForm) throws -> Void
  ) throws {
    let form = try form(size: size)
    let samples = SampleOrder(samples, of: source)
    let loader = try ViewLoader(source, samples: samples, view: .centre, input: form, options: options)
    var done = 0
    try loader.forEachBatch { batch in
      try body(batch, form)
      done += batch.samples.count + batch.bad.count
      try progress(done, samples.count)
    }
  }
}
