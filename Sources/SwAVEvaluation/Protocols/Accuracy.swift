/// How many predictions are right. Percentages, 0...100.
struct Accuracy {
  let overall: Double
  /// Mean over the classes that the labels have: every class counts alike.
  let classMean: Double
  let confusion: Confusion
  /// Of each row, the share of the trainings that have it right.
  private let rights: [Double]
  private let labels: [Int32]

  /// One prediction a label, classes 0..<classes.
  init(_ predictions: [Int32], _ data: LabelledFeatures) { self.init([predictions], data) }

  /// Of several trainings: figures are means over them, the confusion counts all.
  init(_ several: [[Int32]], _ data: LabelledFeatures) {
    let share = 1 / Double(max(1, several.count))
    rights = data.labels.indices.map { row in share * Double(several.count { $0[row] == data.labels[row] }) }
    (labels, confusion) = (data.labels, Confusion(several, data.labels, classes: data.classes))
    overall = 100 * rights.reduce(0, +) / Double(max(1, data.count))
    classMean = 100 * Accuracy.classMean(rights, labels, classes: data.classes, draws: nil)
  }

  /// Mean over the classes that are there of their mean right; each row counts as often as it was drawn.
  private static func classMean(_ rights: [Double], _ labels: [Int32], classes: Int, draws: [Int32]?) -> Double {
    var (seen, right) = ([Double](repeating: 0, count: classes), [Double](repeating: 0, count: classes))
    for (row, label) in labels.enumerated() {
      let weight = draws.map { Double($0[row]) } ?? 1
      seen[Int(label)] += weight
      right[Int(label)] += weight * rights[row]
    }
    let means = zip(seen, right).filter { $0.0 > 0 }.map { $0.1 / $0.0 }
    return means.reduce(0, +) / Double(max(1, means.count))
  }

  /// As figures whose names begin with `key`.
  func figures(_ key: String) -> [EvaluationFigure] {
    let (rights, labels, classes) = (rights, labels, confusion.classes)
    let ofShare = Wilson.interval(share: overall / 100, of: labels.count).map { 100 * $0.lowerBound...100 * $0.upperBound }
    var ofMean = Bootstrap(images: labels.count).intervals([
      { 100 * Accuracy.classMean(rights, labels, classes: classes, draws: $0) }
    ])[0]
    // Where all are right or all are wrong, so are all samples of them.
    if let found = ofMean, found.lowerBound == found.upperBound { ofMean = ofShare }
    return [
      EvaluationFigure(name: key, title: "right", value: overall, unit: .percent, interval: ofShare),
      EvaluationFigure(
        name: key + "_class_mean", title: "mean of the classes", value: classMean, unit: .percent, interval: ofMean),
    ]
  }
}
