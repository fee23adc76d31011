package import CSwAV
public import SwAVEngine

extension Recipe {
  /// Bytes to all V crops of one sample: decodes once, plans and executes every crop.
  ///
  /// `outputs` has V pointers; crop v is written to `outputs[v]`, [size][size][channels] float32. The memory is the caller's.
  package static func multicrop(
    _ bytes: [UInt8], recipe: inout swav_recipe, options: inout swav_decode_options, seed: UInt64, epoch: Int, sample: Int,
    outputs: [UnsafeMutablePointer<Float>?]
  ) throws(EngineError) {
    try check(swav_multicrop(bytes, bytes.count, &options, &recipe, seed, UInt64(epoch), UInt64(sample), outputs))
  }

  /// All V crops of one encoded image, crop v as float32 [size][size][channels].
  public func crops(of bytes: [UInt8], seed: UInt64, epoch: Int, sample: Int) throws(EngineError) -> [[Float]] {
    let lengths = groupOfCrop.map { $0.size * $0.size * channels }
    let total = lengths.reduce(0, +)
    let memory = UnsafeMutablePointer<Float>.allocate(capacity: max(total, 1))
    memory.initialize(repeating: 0, count: max(total, 1))
    defer { memory.deallocate() }
    var (outputs, offset) = ([UnsafeMutablePointer<Float>?](), 0)
    for length in lengths {
      outputs.append(memory + offset)
      offset += length
    }
    var (recipe, options) = (engine, engineDecoding)
    try Recipe.multicrop(bytes, recipe: &recipe, options: &options, seed: seed, epoch: epoch, sample: sample, outputs: outputs)
    return zip(outputs, lengths).map { Array(UnsafeBufferPointer(start: $0, count: $1)) }
  }
}
