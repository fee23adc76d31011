public import SwAVData
public import SwAVEngine

/// Vectors of images, one row an image, in the order of the samples. What it says of itself holds: it was checked when made.
public struct Features: Sendable, Equatable {
  /// Length of a row, at least 1.
  public let dim: Int
  /// [count][dim].
  public let values: [Float]
  /// The sample of each row, in the source that the rows come from.
  public let samples: [Int]
  /// A hash of the encoded bytes of each row's image, for finding the same picture twice. Empty where it is not known.
  public let contents: [UInt64]
  /// Images that have no row, and why.
  public let bad: [BadSample]

  /// Rows of two passes over the same images are paired by their place. Throws `.unusable` where the second pass, `other`, has not
  /// those of the first: an image that could be read once cannot be read again, or the other way round.
  func requireSameSamples(_ other: Features, _ name: String) throws(DataError) {
    guard samples == other.samples else {
      throw DataError(.unusable, "\(name): an image could be read in one of two passes only; the source is not at rest")
    }
  }

  public var count: Int { samples.count }

  /// `samples` are 0..<count unless given.
  ///
  /// Throws `.argument` unless `values` are whole rows, and `samples` and `contents`, where given, are one a row.
  public init(
    dim: Int, values: [Float], samples: [Int]? = nil, contents: [UInt64] = [], bad: [BadSample] = []
  ) throws(EngineError) {
    guard dim >= 1, values.count % dim == 0 else {
      throw EngineError(
        code: .argument, message: "\(values.count) numbers are no rows of \(dim); a multiple of a length of 1 or more is needed"
      )
    }
    let rows = values.count / dim
    for (what, count) in [("samples", samples?.count ?? rows), ("contents", contents.isEmpty ? rows : contents.count)]
    where count != rows {
      throw EngineError(code: .argument, message: "\(count) \(what) for \(rows) rows of features; one each is needed")
    }
    self.init(unchecked: dim, values, samples ?? Array(0..<rows), contents, bad)
  }

  /// For callers that have made sure.
  init(unchecked dim: Int, _ values: [Float], _ samples: [Int], _ contents: [UInt64], _ bad: [BadSample]) {
    (self.dim, self.values, self.samples, self.contents, self.bad) = (dim, values, samples, contents, bad)
  }

  /// Row `index`, 0..<count.
  public func row(_ index: Int) -> ArraySlice<Float> { values[index * dim..<(index + 1) * dim] }

  /// The same rows with unit norm; rows of zeros stay.
  package func unit() -> Features {
    var scaled = values
    scaled.withUnsafeMutableBufferPointer { values in
      for row in 0..<count {
        let place = row * dim..<(row + 1) * dim
        let norm = place.reduce(0.0) { $0 + Double(values[$1]) * Double(values[$1]) }.squareRoot()
        guard norm > 0 else { continue }
        let factor = 1 / norm
        for index in place { values[index] = Float(Double(values[index]) * factor) }
      }
    }
    return Features(unchecked: dim, scaled, samples, contents, bad)
  }
}

/// Features of which every row has a class.
public struct LabelledFeatures: Sendable, Equatable {
  public let features: Features
  /// The class of each row, 0..<``classes``.
  public let labels: [Int32]
  public let classes: Int
  /// [classes][count]: 1 of the class, -1 not, 0 where that does not count; nil where ``labels`` say all.
  private let severalLabels: [Int8]?

  public var count: Int { labels.count }

  /// Throws `.argument` unless there is one label in 0..<classes for every row.
  public init(_ features: Features, labels: [Int32], classes: Int) throws(EngineError) {
    try self.init(features, labels, classes, nil)
  }

  /// Rows of which each may have several classes: `targets` are [classes][count], 1 of the class, -1 not, 0 where that does not count.
  /// ``labels`` are the first class of each row then, or 0. Throws `.argument` for other numbers.
  public init(_ features: Features, targets: [Int8], classes: Int) throws(EngineError) {
    let count = features.count
    guard targets.count == classes * count, targets.allSatisfy({ (-1...1).contains($0) }) else {
      throw EngineError(
        code: .argument, message: "\(targets.count) targets; \(classes) x \(count) of -1, 0 and 1 are needed")
    }
    let labels = (0..<count).map { row in Int32((0..<classes).first { targets[$0 * count + row] == 1 } ?? 0) }
    try self.init(features, labels, classes, targets)
  }

  private init(_ features: Features, _ labels: [Int32], _ classes: Int, _ several: [Int8]?) throws(EngineError) {
    guard labels.count == features.count else {
      throw EngineError(
        code: .argument, message: "\(labels.count) labels for \(features.count) rows of features; one each is needed")
    }
    guard (1...Int(Int32.max)).contains(classes) else {
      throw EngineError(code: .argument, message: "\(classes) classes; 1 to \(Int32.max) are allowed")
    }
    for (row, label) in labels.enumerated() where label < 0 || label >= classes {
      throw EngineError(code: .argument, message: "label \(row) is \(label); 0 to \(classes - 1) is allowed")
    }
    (self.features, self.labels, self.classes, severalLabels) = (features, labels, classes, several)
  }

  /// Throws `.argument` unless rows of `other` have the length of these.
  func requireLength(of other: Features) throws(EngineError) {
    guard other.dim == features.dim else {
      throw EngineError(
        code: .argument, message: "rows of \(other.dim) numbers cannot be compared with rows of \(features.dim)")
    }
  }

  /// [classes][count]: 1 of the class, -1 not, 0 where that does not count.
  public var targets: [Int8] {
    if let severalLabels { return severalLabels }
    var targets = [Int8](repeating: -1, count: classes * count)
    for (row, label) in labels.enumerated() { targets[Int(label) * count + row] = 1 }
    return targets
  }

  /// Share of the rows that the largest class has, 0...100: what guessing it scores.
  public var majorityShare: Double {
    var counts = [Int](repeating: 0, count: classes)
    if let severalLabels {
      for index in severalLabels.indices where severalLabels[index] == 1 { counts[index / count] += 1 }
    } else {
      for label in labels { counts[Int(label)] += 1 }
    }
    return 100 * Double(counts.max() ?? 0) / Double(max(1, count))
  }
}
