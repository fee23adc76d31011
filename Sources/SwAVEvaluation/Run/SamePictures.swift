import SwAVData

/// Pictures that stand on both sides of an evaluation, found by their encoded bytes.
struct SamePictures {
  /// Pictures of `val` that are in `train` as well, or, where there is no `train`, in `val` more than once.
  private(set) var count = 0
  /// The names of the first such picture, there and here.
  private(set) var first: (train: String, val: String)?

  init(train: Features?, trainSource: (any ImageSource)?, val: Features, valSource: any ImageSource) {
    var known: [UInt64: Int] = [:]
    if let train { for (row, content) in train.contents.enumerated() where known[content] == nil { known[content] = row } }
    for (row, content) in val.contents.enumerated() {
      guard let other = known[content] else {
        if train == nil { known[content] = row }
        continue
      }
      count += 1
      guard first == nil else { continue }
      let (features, source) = (train ?? val, trainSource ?? valSource)
      first = (source.name(of: features.samples[other]), valSource.name(of: val.samples[row]))
    }
  }

  /// One line; nil where there are none.
  func remark(of images: Int, leavesOneOut: Bool) -> String? {
    guard let first else { return nil }
    let place = leavesOneOut ? "stand there more than once" : "are among the training images as well"
    return "\(count) of \(images) validation images \(place), byte for byte (\(first.train) is \(first.val)): "
      + "the figures are too good"
  }
}
