/// How many predictions are right. Percentages, 0...100.
struct Accuracy {
  let overall: Double
  /// Mean over the classes that the labels have: every class counts alike.
  let classMean: Double
  let confusion: Confusion
  private let rights: [Bool]
  private let labels: [Int32]

  /// One prediction a label, classes 0..<classes.
  init(_ predictions: [Int32], _ data: LabelledFeatures) {
    rights = zip(predictions, data.labels).map { $0 == $1 }
    (labels, confusion) = (data.labels, Confusion(predictions, data.labels, classes: data.classes))
    overall = 100 * Double(rights.count { $0 }) / Double(max(1, data.count))
    let shares = confusion.perClass.filter { $0.seen > 0 }.map { Double($0.right) / Double($0.seen) }
    classMean = 100 * shares.reduce(0, +) / Double(max(1, shares.count))
  }

  /// As figures whose names begin with `key`.
  func figures(_ key: String) -> [EvaluationFigure] {
    let (rights, labels, classes) = (rights, labels, confusion.classes)
    let intervals = Bootstrap(images: labels.count).intervals([
      { draws in
        var sum = 0
        for (draw, right) in zip(draws, rights) where right { sum += Int(draw) }
        return 100 * Double(sum) / Double(rights.count)
      },
      { draws in
        var (seen, right) = ([Int](repeating: 0, count: classes), [Int](repeating: 0, count: classes))
        for (index, draw) in draws.enumerated() where draw > 0 {
          seen[Int(labels[index])] += Int(draw)
          if rights[index] { right[Int(labels[index])] += Int(draw) }
        }
        var (sum, there) = (0.0, 0)
        for index in 0..<classes where seen[index] > 0 {
          sum += Double(right[index]) / Double(seen[index])
          there += 1
        }
        return 100 * sum / Double(there)
      },
    ])
    return [
      EvaluationFigure(name: key, title: "right", value: overall, unit: .percent, interval: intervals[0]),
      EvaluationFigure(
        name: key + "_class_mean", title: "mean of the classes", value: classMean, unit: .percent, interval: intervals[1]),
    ]
  }
}
