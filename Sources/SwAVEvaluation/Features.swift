import SwAVAugmentation
public import SwAVData
import SwAVEngine
public import SwAVModel

/// Vectors of the images of a source, in order; images that do not decode are left out and named.
public struct Features: Sendable {
  /// Length of a vector.
  public var dim: Int
  /// [count][dim].
  public var values: [Float] = []
  /// The sample of each row.
  public var samples: [Int] = []
  /// The class of each row; empty for unlabelled data.
  public var labels: [Int32] = []
  public var bad: [BadSample] = []

  public var count: Int { samples.count }

  init(dim: Int) { self.dim = dim }
}

extension Features {
  /// What `network` gives for the centre crop of every image: shorter side to 256/224 of `size`, centre crop, running
  /// batch-norm statistics.
  ///
  /// - Parameters:
  ///   - samples: which images, nil for all.
  ///   - size: pixels a side, nil for the network's input size.
  ///   - progress: is called after each batch with the number of images done; throw to stop.
  public static func extract(
    from source: any ImageSource, samples: [Int]? = nil, network: Network, size: Int? = nil, output: Output = .features,
    options: ReadingOptions = .init(), progress: (Int) throws -> Void = { _ in }
  ) throws -> Features {
    let form = try network.form(size: size)
    var features = Features(dim: try network.length(of: output))
    let loader = ViewLoader(
      source, samples: samples ?? Array(0..<source.count), view: .centre, input: form, options: options)
    var done = 0
    var rows = [Float](repeating: 0, count: max(1, options.batch) * features.dim)
    try loader.forEachBatch { batch in
      if !batch.samples.isEmpty {
        try network.embed(
          batch.pixels, count: batch.samples.count, height: form.size, width: form.size, output: output, into: &rows)
      }
      features.append(rows[..<(batch.samples.count * features.dim)], batch.samples, batch.bad, source)
      done += batch.samples.count + batch.bad.count
      try progress(done)
    }
    return features
  }

  /// The raw-pixel floor: thumbnails of 16 x 16 pixels, of the channels of `network` and normalised as its input is; without
  /// a network, RGB normalised as published. Learned features have to beat them. Without the normalisation all cosines are
  /// close to 1, and the floor is several points lower.
  public static func thumbnails(
    of source: any ImageSource, for network: Network? = nil, samples: [Int]? = nil, size: Int = 16,
    options: ReadingOptions = .init()
  ) throws -> Features {
    let published = InputForm(size: size, channels: 3, mean: Recipe.published.mean, std: Recipe.published.std)
    let form = try network?.form(size: size) ?? published
    var features = Features(dim: size * size * form.channels)
    let loader = ViewLoader(
      source, samples: samples ?? Array(0..<source.count), view: .whole, input: form, options: options)
    try loader.forEachBatch { batch in
      let rows = UnsafeBufferPointer(start: batch.pixels, count: batch.samples.count * features.dim)
      features.append(rows, batch.samples, batch.bad, source)
    }
    return features
  }

  private mutating func append(
    _ rows: some Collection<Float>, _ samples: [Int], _ bad: [BadSample], _ source: any ImageSource
  ) {
    values.append(contentsOf: rows)
    self.samples.append(contentsOf: samples)
    labels.append(contentsOf: samples.compactMap { source.label(of: $0).map(Int32.init(clamping:)) })
    self.bad.append(contentsOf: bad)
  }
}

extension Network {
  func form(size: Int?) throws(EngineError) -> InputForm {
    let input = try input()
    return InputForm(
      size: size ?? input.size, channels: try info().configuration.channels, mean: input.mean, std: input.std)
  }

  /// A copy whose batch-norm buffers are re-estimated on centre crops of `source`: multi-crop training mixes resolutions in
  /// them. At most `limit` images, evenly spaced.
  public func recalibrated(
    on source: any ImageSource, size: Int? = nil, limit: Int = 4096, options: ReadingOptions = .init()
  ) throws -> Network {
    let network = try copy()
    let form = try network.form(size: size)
    let loader = ViewLoader(
      source, samples: spread(limit, over: source.count), view: .centre, input: form, options: options)
    try network.beginRecalibration()
    try loader.forEachBatch { batch in
      // A statistic of fewer than two images is none.
      guard batch.samples.count >= 2 else { return }
      try network.recalibrate(batch.pixels, count: batch.samples.count, height: form.size, width: form.size)
    }
    try network.endRecalibration()
    return network
  }
}

extension Network {
  /// A copy that computes in 8-bit integers, calibrated on centre crops of at most `limit` images of `source`, evenly spaced.
  public func quantized(
    on source: any ImageSource, size: Int? = nil, limit: Int = 64, options: ReadingOptions = .init()
  ) throws -> Network {
    let network = try copy()
    let form = try network.form(size: size)
    let loader = ViewLoader(
      source, samples: spread(limit, over: source.count), view: .centre, input: form, options: options)
    try loader.forEachBatch { batch in
      guard !batch.samples.isEmpty else { return }
      try network.calibrate(batch.pixels, count: batch.samples.count, height: form.size, width: form.size)
    }
    try network.use(.int8)
    return network
  }
}
