import SwAVData

/// Which training images have a label: a file with a name a line, as the published lists of 1 and 10 % of ImageNet are.
struct LabelList {
  private let file: String
  private let names: [String]

  init(_ file: String) throws(DataError) {
    self.file = file
    let list = try ImageList(contentsOf: file)
    names = (0..<list.count).map { list.name(of: $0) }
  }

  /// The images of `source` with these names: the whole name, or its last part, which is how the published lists write them.
  func samples(in source: any ImageSource) throws(DataError) -> [Int] {
    var (whole, last) = ([String: Int](), [String: [Int]]())
    for sample in 0..<source.count {
      let name = source.name(of: sample)
      whole[name] = sample
      last[LabelList.lastPart(name), default: []].append(sample)
    }
    var found = Set<Int>()
    for name in names {
      if let sample = whole[name] {
        found.insert(sample)
      } else if let samples = last[LabelList.lastPart(name)], samples.count == 1 {
        found.insert(samples[0])
      } else {
        let many = (last[LabelList.lastPart(name)]?.count ?? 0) > 1
        throw DataError(
          .unusable, "\(file): '\(name)' is \(many ? "the name of several training images" : "no training image")")
      }
    }
    return found.sorted()
  }

  private static func lastPart(_ name: String) -> String { String(name.split(separator: "/").last ?? "") }
}
