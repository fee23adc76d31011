public import SwAVData
import SwAVEngine

/// Labelled images that are asked about, and those that are learned from; classes are matched by name.
public struct EvaluationImages: Sendable {
  /// What is learned from. Nil: each image of `val` is asked about among the others.
  public let train: (any ImageSource)?
  public let val: any ImageSource
  /// Of `train`, or of `val` where there is none.
  public let classNames: [String]
  /// What there is to say about the classes; one line each.
  public let remarks: [String]
  /// The class of each class of `val`.
  private let classOfVal: [Int32]
  /// Of images that may have several classes: [sample][class].
  private let targets: (train: [[Int8]], val: [[Int8]])?

  /// Whether images may have several classes.
  public var hasSeveralLabels: Bool { targets != nil }

  /// Images that may have several classes. Throws `.unusable` where there are fewer than two classes, or they differ.
  public init(train: MultiLabelImages, val: MultiLabelImages) throws(DataError) {
    for (set, other, name, otherName) in [(train, val, "train", "val"), (val, train, "val", "train")] {
      let lacking = Set(set.classNames).subtracting(other.classNames).sorted()
      guard lacking.isEmpty else {
        throw DataError(
          .unusable, "\(name): class \(abridged(lacking)) has no image in \(otherName); each class needs images in both")
      }
    }
    guard train.classNames.count > 1 else {
      throw DataError(.unusable, "train: one class, '\(train.classNames.first ?? "")'; at least two are needed")
    }
    (self.train, self.val, classNames, remarks, classOfVal) = (train.images, val.images, train.classNames, [], [])
    let order = train.classNames.map { name in val.classNames.firstIndex(of: name) ?? 0 }
    targets = (train.targets, val.targets.map { sample in order.map { sample[$0] } })
  }

  /// Throws `.unusable` where a set has no classes, fewer than two are learned from, two have the same name, or `val` has one
  /// that `train` lacks. Names are the same when their bytes are; else, when they are the same text in another of Unicode's
  /// forms and no other class is.
  public init(train: (any ImageSource)?, val: any ImageSource) throws(DataError) {
    for (name, source) in [("train", train), ("val", val)] {
      if let source { try EvaluationImages.checkClasses(of: source, name) }
    }
    let learned = train ?? val
    guard learned.classNames.count > 1 else {
      throw DataError(
        .unusable, "\(train == nil ? "val" : "train"): one class, '\(learned.classNames[0])'; at least two are needed")
    }
    (self.train, self.val, classNames) = (train, val, learned.classNames)
    let exact = Dictionary(uniqueKeysWithValues: learned.classNames.enumerated().map { (Array($1.utf8), Int32($0)) })
    // Strings are equal when they are canonically equivalent.
    let sameText = Dictionary(grouping: learned.classNames.indices) { learned.classNames[$0] }
    var (mapped, remarks) = ([Int32](), [String]())
    for name in val.classNames {
      if let found = exact[Array(name.utf8)] {
        mapped.append(found)
      } else if let found = sameText[name], found.count == 1 {
        mapped.append(Int32(found[0]))
        remarks.append("val spells the class '\(name)' in another of Unicode's forms than train; they are taken for one")
      } else {
        throw DataError(
          .unusable, "val: class '\(name)' is not in train, whose classes are \(abridged(learned.classNames))")
      }
    }
    let unasked = Set(learned.classNames.indices).subtracting(mapped.map(Int.init)).sorted().map { learned.classNames[$0] }
    if !unasked.isEmpty { remarks.append("val has no images of classes that train has: \(abridged(unasked))") }
    (classOfVal, self.remarks, targets) = (mapped, remarks, nil)
  }

  private static func checkClasses(of source: any ImageSource, _ name: String) throws(DataError) {
    guard !source.classNames.isEmpty else {
      let reason = source.classObstacle ?? "no classes; every image has to be in a sub-folder named after its class"
      throw DataError(.unusable, "\(name): \(reason)")
    }
    var seen = Set<[UInt8]>()
    for className in source.classNames where !seen.insert(Array(className.utf8)).inserted {
      throw DataError(.unusable, "\(name): two classes are called '\(className)'; each needs a name of its own")
    }
  }

  /// Features of `train` with their classes. Throws `.unusable` where there are none, or a sample has no class.
  public func labelled(train features: Features) throws -> LabelledFeatures {
    guard let train else { throw DataError(.unusable, "train: there are no training images") }
    return try labelled(features, of: train, "train", targets?.train) { Int32(clamping: $0) }
  }

  /// The same of `val`.
  public func labelled(val features: Features) throws -> LabelledFeatures {
    try labelled(features, of: val, "val", targets?.val) { classOfVal[$0] }
  }

  private func labelled(
    _ features: Features, of source: any ImageSource, _ name: String, _ targets: [[Int8]]?, _ mapped: (Int) -> Int32
  ) throws -> LabelledFeatures {
    guard features.count > 0 else {
      let first = features.bad.first.map { "; \($0.name): \($0.reason)" } ?? ""
      throw DataError(.unusable, "\(name): none of \(features.bad.count) images could be read\(first)")
    }
    if let targets {
      let columns = classNames.indices.flatMap { c in features.samples.map { targets[$0][c] } }
      return try LabelledFeatures(features, targets: columns, classes: classNames.count)
    }
    let labels = try features.samples.map { sample in
      guard let label = source.label(of: sample), source.classNames.indices.contains(label) else {
        throw DataError(.unusable, "\(name): \(source.name(of: sample)) has no class; every image needs one")
      }
      return mapped(label)
    }
    return try LabelledFeatures(features, labels: labels, classes: classNames.count)
  }
}

private func abridged(_ names: [String]) -> String {
  names.prefix(8).joined(separator: ", ") + (names.count > 8 ? ", ... (\(names.count) in all)" : "")
}
