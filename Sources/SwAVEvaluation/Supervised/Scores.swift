/// Scores of classes [row][class] against labels.
struct Scores {
  let values: [Float]
  let classes: Int

  /// The class with the largest score of each row, of equal ones the first.
  var predictions: [Int32] {
    stride(from: 0, to: values.count, by: classes).map { start in
      var best = start
      for index in start + 1..<max(start + 1, start + classes) where values[index] > values[best] { best = index }
      return Int32(best - start)
    }
  }

  /// Percent of the rows whose label is among the `k` largest scores; of equal ones the first count.
  func top(_ k: Int, _ labels: [Int32]) -> Double {
    let hits = labels.enumerated().count { row, label in
      let start = row * classes
      let own = values[start + Int(label)]
      var before = 0
      for index in 0..<classes where values[start + index] > own || (values[start + index] == own && index < Int(label)) {
        before += 1
      }
      return before < k
    }
    return 100 * Double(hits) / Double(max(1, labels.count))
  }
}
