import SwAVData

/// How often each class was taken for each.
public struct Confusion: Sendable, Equatable {
  public let classes: Int
  /// Only those pairs that came up.
  private var counts: [Pair: Int] = [:]

  private struct Pair: Hashable { var truth, said: Int32 }

  /// One prediction a label, both in 0..<classes; a prediction that is none of the classes is -1.
  init(_ predictions: [Int32], _ labels: [Int32], classes: Int) { self.init([predictions], labels, classes: classes) }

  /// Of several trainings: all of them together.
  init(_ several: [[Int32]], _ labels: [Int32], classes: Int) {
    self.classes = classes
    for predictions in several {
      for (said, truth) in zip(predictions, labels) { counts[Pair(truth: truth, said: said), default: 0] += 1 }
    }
  }

  /// Images of class `truth` that were taken for class `said`.
  public subscript(truth: Int, said: Int) -> Int { counts[Pair(truth: Int32(truth), said: Int32(said))] ?? 0 }

  /// Images of each class, and those of them that are right.
  var perClass: [(seen: Int, right: Int)] {
    var found = [(seen: Int, right: Int)](repeating: (0, 0), count: classes)
    for (pair, count) in counts {
      found[Int(pair.truth)].seen += count
      if pair.truth == pair.said { found[Int(pair.truth)].right += count }
    }
    return found
  }

  /// Percent right of each class; nil for classes without an image.
  public var classAccuracies: [Double?] {
    perClass.map { $0.seen > 0 ? 100 * Double($0.right) / Double($0.seen) : nil }
  }

  /// A table: a line a class, a column for what it was taken for; names as a table has them.
  public func csv(_ names: [String]) -> String {
    let fields = names.map(csvField)
    var text = (["class"] + fields).joined(separator: ",") + "\n"
    for truth in 0..<classes {
      text += fields[truth]
      for said in 0..<classes { text += ",\(self[truth, said])" }
      text += "\n"
    }
    return text
  }

  /// [truth][said].
  public var rows: [[Int]] { (0..<classes).map { truth in (0..<classes).map { self[truth, $0] } } }
}
