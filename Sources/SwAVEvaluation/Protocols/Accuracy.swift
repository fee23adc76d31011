/// How many predictions are right. Percentages, 0...100.
struct Accuracy {
  let overall: Double
  /// Mean over the classes that the labels have: every class counts alike.
  let classMean: Double

  /// One prediction a label, classes 0..<classes.
  init(_ predictions: [Int32], _ data: LabelledFeatures) {
    var (right, seen) = ([Int](repeating: 0, count: data.classes), [Int](repeating: 0, count: data.classes))
    for (prediction, label) in zip(predictions, data.labels) {
      seen[Int(label)] += 1
      if prediction == label { right[Int(label)] += 1 }
    }
    overall = 100 * Double(right.reduce(0, +)) / Double(max(1, data.count))
    let shares = zip(right, seen).filter { $0.1 > 0 }.map { Double($0.0) / Double($0.1) }
    classMean = 100 * shares.reduce(0, +) / Double(max(1, shares.count))
  }

  /// As figures whose names begin with `key`.
  func figures(_ key: String) -> [EvaluationFigure] {
    [
      EvaluationFigure(name: key, title: "right", value: overall, unit: .percent),
      EvaluationFigure(name: key + "_class_mean", title: "mean of the classes", value: classMean, unit: .percent),
    ]
  }
}
