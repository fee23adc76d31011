import SwAVData

/// Pictures that stand on both sides of an evaluation, found by their encoded bytes.
struct SamePictures {
  /// Pictures of `val` that are in `train` as well.
  private(set) var shared = 0
  /// Pictures of `val` that are there more than once, each time counted.
  private(set) var repeated = 0
  /// The names of the first such picture, there and here.
  private(set) var firstShared: (train: String, val: String)?
  private(set) var firstRepeated: (String, String)?

  init(train: Features?, trainSource: (any ImageSource)?, val: Features, valSource: any ImageSource) {
    if let train, let trainSource {
      let known = Dictionary(train.contents.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
      for (row, content) in val.contents.enumerated() {
        guard let other = known[content] else { continue }
        shared += 1
        firstShared = firstShared ?? (trainSource.name(of: train.samples[other]), valSource.name(of: val.samples[row]))
      }
    }
    var seen: [UInt64: (row: Int, times: Int)] = [:]
    for (row, content) in val.contents.enumerated() {
      let found = seen[content] ?? (row, 0)
      seen[content] = (found.row, found.times + 1)
      guard found.times > 0 else { continue }
      repeated += found.times == 1 ? 2 : 1
      firstRepeated = firstRepeated ?? (valSource.name(of: val.samples[found.row]), valSource.name(of: val.samples[row]))
    }
  }

  /// A line for each kind that there is.
  func remarks(of images: Int, leavesOneOut: Bool) -> [String] {
    func line(_ count: Int, _ place: String, _ first: (String, String)?, _ so: String) -> String? {
      first.map { "\(count) of \(images) validation images \(place), byte for byte (\($0.0) is \($0.1)): \(so)" }
    }
    return [
      line(shared, "are among the training images as well", firstShared, "the figures are too good"),
      line(
        repeated, "stand there more than once", firstRepeated,
        leavesOneOut ? "the figures are too good" : "the intervals are too narrow"),
    ].compactMap(\.self)
  }
}
