import SwAVData
import SwAVModel

extension EvaluationSubject {
  private func loader(of samples: [Int], view: ViewLoader.View, batch: Int) throws -> (ViewLoader, InputForm) {
    guard let source = images.train else { throw DataError(.unusable, "train: there are no training images") }
    let form = try network.form(size: size)
    var options = reading
    options.batch = batch
    return (
      try ViewLoader(source, samples: SampleOrder(samples, of: source), view: view, input: form, options: options), form
    )
  }

  /// What `layer` says of views of training images, batch after batch, in that order.
  func forEachBatch(
    of samples: [Int], view: ViewLoader.View, layer: Output, body: (Features) throws -> Void
  ) throws {
    let (loader, form) = try loader(of: samples, view: view, batch: reading.batch)
    try loader.forEachBatch { try body(Features($0, form, by: network, output: layer, inference: inference)) }
  }

  /// Views of training images in batches that are all full: the last one is filled up with images of the batch before, or, where
  /// there was none, with its own again. `body` gets the pixels, the sample of each image, and how many samples are done.
  func forEachFullBatch(
    of samples: [Int], view: ViewLoader.View, batch: Int, body: (UnsafeBufferPointer<Float>, [Int], Int) throws -> Void
  ) throws {
    let (loader, form) = try loader(of: samples, view: view, batch: min(batch, reading.batch))
    let length = form.size * form.size * form.channels
    let pixels = UnsafeMutableBufferPointer<Float>.allocate(capacity: batch * length)
    pixels.initialize(repeating: 0)
    defer { pixels.deallocate() }
    var chosen = [Int](repeating: -1, count: batch)
    var (filled, done) = (0, 0)
    try loader.forEachBatch { part in
      for (index, sample) in part.samples.enumerated() {
        copy(part.pixels, index, to: pixels, filled, length)
        (chosen[filled], filled) = (sample, filled + 1)
        guard filled == batch else { continue }
        done += filled
        filled = 0
        try body(UnsafeBufferPointer(pixels), chosen, done)
      }
    }
    guard filled > 0 else { return }
    for place in filled..<batch where chosen[place] < 0 {
      copy(UnsafeBufferPointer(pixels), place - filled, to: pixels, place, length)
      chosen[place] = chosen[place - filled]
    }
    try body(UnsafeBufferPointer(pixels), chosen, done + filled)
  }
}

private func copy(
  _ from: UnsafeBufferPointer<Float>, _ source: Int, to: UnsafeMutableBufferPointer<Float>, _ target: Int, _ length: Int
) {
  guard let source = from.baseAddress.map({ $0 + source * length }) else { return }
  to.baseAddress.map { $0 + target * length }?.update(from: source, count: length)
}
