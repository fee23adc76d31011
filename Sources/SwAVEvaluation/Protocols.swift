import CSwAV
public import SwAVData
public import SwAVEngine

/// A labelled training and validation set whose classes are matched by name.
public struct LabelledPair: Sendable {
  public let train: any ImageSource
  public let val: any ImageSource
  public let classNames: [String]
  /// Class of `train` for each class of `val`.
  let classOfVal: [Int32]

  /// Throws `.unusable` where a set has no classes, or `val` has one that `train` lacks.
  public init(train: any ImageSource, val: any ImageSource) throws(DataError) {
    for (name, source) in [("train", train), ("val", val)] where source.classNames.isEmpty {
      let reason = source.classObstacle ?? "no classes; every image has to be in a sub-folder named after its class"
      throw DataError(.unusable, "\(name): \(reason)")
    }
    guard train.classNames.count > 1 else {
      throw DataError(.unusable, "train: one class, '\(train.classNames[0])'; at least two are needed")
    }
    self.train = train
    self.val = val
    classNames = train.classNames
    let index = Dictionary(train.classNames.enumerated().map { ($1, Int32($0)) }, uniquingKeysWith: { a, _ in a })
    var mapped: [Int32] = []
    for name in val.classNames {
      guard let found = index[name] else {
        throw DataError(.unusable, "val: class '\(name)' is not in train, whose classes are \(abridged(train.classNames))")
      }
      mapped.append(found)
    }
    classOfVal = mapped
  }

  func labels(ofVal features: Features) -> [Int32] { features.labels.map { classOfVal[Int($0)] } }
}

private func abridged(_ names: [String]) -> String {
  names.prefix(8).joined(separator: ", ") + (names.count > 8 ? ", ... (\(names.count) in all)" : "")
}

/// Weighted k-nearest-neighbour classification: rows are scaled to unit norm; each of the nearest by cosine votes with
/// exp(cosine / temperature).
public struct NearestNeighbours: Sendable, Equatable {
  public var neighbours: Int
  public var temperature: Float

  public init(neighbours: Int = 20, temperature: Float = 0.07) {
    (self.neighbours, self.temperature) = (neighbours, temperature)
  }

  /// The class of each query row, 0..<classes.
  public func predict(_ queries: Features, bank: Features, classes: Int) throws(EngineError) -> [Int32] {
    var predictions = [Int32](repeating: 0, count: queries.count)
    try check(
      swav_knn(
        bank.values, bank.labels, Int64(bank.count), queries.values, Int64(queries.count), Int64(bank.dim),
        Int32(clamping: classes), Int32(clamping: min(neighbours, bank.count)), temperature, &predictions))
    return predictions
  }

  /// Percent of `val` that is right, 0...100.
  public func accuracy(of pair: LabelledPair, train: Features, val: Features) throws -> Double {
    try requireRows(train, val)
    return percent(try predict(val, bank: train, classes: pair.classNames.count), pair.labels(ofVal: val))
  }
}

/// Multinomial logistic regression on frozen, standardised features by L-BFGS.
public struct LinearProbe: Sendable, Equatable {
  /// Times the squared norm of the weights, added to the mean cross-entropy.
  public var penalty: Double
  public var maxIterations: Int

  public init(penalty: Double = 1e-3, maxIterations: Int = 200) {
    (self.penalty, self.maxIterations) = (penalty, maxIterations)
  }

  /// Weights [classes][dim + 1] for raw features, bias last.
  public func fit(_ features: Features, classes: Int) throws(EngineError) -> [Float] {
    var weights = [Float](repeating: 0, count: classes * (features.dim + 1))
    try check(
      swav_linear_fit(
        features.values, features.labels, Int64(features.count), Int64(features.dim), Int32(clamping: classes), penalty,
        Int32(clamping: maxIterations), &weights))
    return weights
  }

  /// Percent of `val` that is right, 0...100.
  public func accuracy(of pair: LabelledPair, train: Features, val: Features) throws -> Double {
    try requireRows(train, val)
    let weights = try fit(train, classes: pair.classNames.count)
    var predictions = [Int32](repeating: 0, count: val.count)
    try check(
      swav_linear_predict(
        weights, Int64(val.dim), Int32(pair.classNames.count), val.values, Int64(val.count), &predictions))
    return percent(predictions, pair.labels(ofVal: val))
  }
}

private func requireRows(_ train: Features, _ val: Features) throws(DataError) {
  for (name, features) in [("train", train), ("val", val)] where features.count == 0 {
    throw DataError(.unusable, "\(name): none of \(features.bad.count) images could be read")
  }
}

private func percent(_ predictions: [Int32], _ labels: [Int32]) -> Double {
  let right = zip(predictions, labels).count { $0 == $1 }
  return 100 * Double(right) / Double(max(1, labels.count))
}
