import SwAVAugmentation
public import SwAVData
import SwAVEngine
public import SwAVModel

extension Features {
  /// What `network` gives for the centre crop of every image: shorter side to 256/224 of `size`, centre crop, running
  /// batch-norm statistics. Images that do not decode are left out and named.
  ///
  /// - Parameters:
  ///   - samples: which images, nil for all.
  ///   - size: pixels a side, nil for the network's input size.
  ///   - progress: is called after each batch with the number of images done; throw to stop.
  public static func extract(
    from source: any ImageSource, samples: [Int]? = nil, network: Network, size: Int? = nil, output: Output = .features,
    inference: Inference = .float32, options: ReadingOptions = .init(), progress: (Int) throws -> Void = { _ in }
  ) throws -> Features {
    var collected = FeatureCollector(dim: try network.length(of: output))
    try forEachBatch(
      of: source, samples: samples, network: network, size: size, output: output, inference: inference, options: options
    ) {
      collected.append($0)
      try progress(collected.imagesDone)
    }
    return collected.features
  }

  /// The same batch after batch, for more images than memory has room for.
  ///
  /// - Parameters:
  ///   - start: images at the beginning that are passed over.
  ///   - body: gets the features of `options.batch` images, fewer at the end; bad ones among them have no row.
  public static func forEachBatch(
    of source: any ImageSource, samples: [Int]? = nil, from start: Int = 0, network: Network, size: Int? = nil,
    output: Output = .features, inference: Inference = .float32, options: ReadingOptions = .init(),
    body: (Features) throws -> Void
  ) throws {
    let form = try network.form(size: size)
    let order = SampleOrder(samples, of: source).dropping(start)
    if let ranks = options.ranks {
      let (batch, dim) = (max(1, options.batch), try network.length(of: output))
      let own = order.batches(of: batch, from: ranks.rank, by: ranks.size)
      let loader = try ViewLoader(source, samples: own, view: .centre, input: form, options: options)
      let rounds = ((order.count + batch - 1) / batch + ranks.size - 1) / ranks.size
      for _ in 0..<rounds {
        let found = try ranks.agree { () throws -> Features? in
          var found: Features?
          _ = try loader.withNextBatch { found = try Features($0, form, by: network, output: output, inference: inference) }
          return found
        }
        for features in try ranks.gather(found, dim: dim) { try body(features) }
      }
      return
    }
    let loader = try ViewLoader(source, samples: order, view: .centre, input: form, options: options)
    try loader.forEachBatch { try body(Features($0, form, by: network, output: output, inference: inference)) }
  }

  /// What `output` says of a batch of images that are in `form`.
  init(_ batch: borrowing ViewLoader.Batch, _ form: InputForm, by network: Network, output: Output, inference: Inference) throws
  {
    let dim = try network.length(of: output)
    var rows = [Float](repeating: 0, count: batch.samples.count * dim)
    if !batch.samples.isEmpty {
      let images = try batch.images(form)
      try rows.withUnsafeMutableBufferPointer { try network.embed(images, output: output, inference: inference, into: $0) }
    }
    self.init(unchecked: dim, rows, batch.samples, batch.contents, batch.bad)
  }

  /// The raw-pixel floor: thumbnails of 16 x 16 pixels, of the channels of `network` and normalised as its input is; without
  /// a network, RGB normalised as published. Learned features have to beat them. Without the normalisation all cosines are
  /// close to 1, and the floor is several points lower.
  public static func thumbnails(
    of source: any ImageSource, for network: Network? = nil, samples: [Int]? = nil, size: Int = 16,
    options: ReadingOptions = .init(), progress: (Int) throws -> Void = { _ in }
  ) throws -> Features {
    let published = InputForm(size: size, channels: 3, mean: Recipe.published.mean, std: Recipe.published.std)
    let form = try network?.form(size: size) ?? published
    let dim = size * size * form.channels
    var collected = FeatureCollector(dim: dim)
    let loader = try ViewLoader(source, samples: SampleOrder(samples, of: source), view: .whole, input: form, options: options)
    try loader.forEachBatch { batch in
      let rows = Array(batch.pixels)
      collected.append(Features(unchecked: dim, rows, batch.samples, batch.contents, batch.bad))
      try progress(collected.imagesDone)
    }
    return collected.features
  }
}

/// Features that grow, batch after batch.
private struct FeatureCollector {
  let dim: Int
  private var values: [Float] = []
  private var samples: [Int] = []
  private var contents: [UInt64] = []
  private var bad: [BadSample] = []

  init(dim: Int) { self.dim = dim }

  mutating func append(_ batch: Features) {
    values.append(contentsOf: batch.values)
    samples.append(contentsOf: batch.samples)
    contents.append(contentsOf: batch.contents)
    bad.append(contentsOf: batch.bad)
  }

  var imagesDone: Int { samples.count + bad.count }
  var features: Features { Features(unchecked: dim, values, samples, contents, bad) }
}
