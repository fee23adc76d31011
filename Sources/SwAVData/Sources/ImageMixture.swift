import SwAVAugmentation

/// Several sources in one run, each with a weight: how often its images come in an epoch. 2: each image twice, cropped anew;
/// 0.5: half of the images, another half each epoch; 1.5: each once and half of them again. An epoch has the sum of the draws.
///
/// Which sample is at which place of an epoch is a pure function of (seed, epoch, place), whatever the weights. Samples are
/// numbered source after source. Classes are those of all sources, matched by name; there are none unless every source has
/// some.
public struct ImageMixture: ImageSource {
  public let sources: [any ImageSource]
  /// One for each source, above 0.
  public let weights: [Double]
  public let classNames: [String]
  /// What the names of each source's samples begin with.
  private let prefixes: [String]
  /// The first sample and the first draw of each source.
  private let firstSamples: [Int]
  private let firstDraws: [Int]
  public let count: Int
  public let drawCount: Int
  /// For each source, the class here of each of its classes.
  private let classes: [[Int]]

  /// The largest weight: an epoch's length stays a number.
  public static let maximumWeight = 1000.0

  /// `names` say where each source comes from, and begin the names of its samples; `weights` are all 1 where none are given.
  ///
  /// Throws `.unusable` where there is no source, the numbers of weights, names and sources differ, or a weight is not
  /// above 0 and at most ``maximumWeight``, or so small that it leaves no image.
  public init(_ sources: [any ImageSource], names: [String] = [], weights: [Double] = []) throws(DataError) {
    guard !sources.isEmpty else { throw DataError(.unusable, "no sources: at least one is needed") }
    guard names.isEmpty || names.count == sources.count else {
      throw DataError(.unusable, "\(names.count) names for \(sources.count) sources; one each is needed")
    }
    guard weights.isEmpty || weights.count == sources.count else {
      throw DataError(.unusable, "source-weights: \(weights.count) weights for \(sources.count) sources; one each is needed")
    }
    let weights = weights.isEmpty ? sources.map { _ in 1 } : weights
    var (samples, draws) = ([0], [0])
    for (index, source) in sources.enumerated() {
      let weight = weights[index]
      guard weight > 0, weight <= ImageMixture.maximumWeight else {
        throw DataError(
          .unusable,
          "source-weights: a weight is \(weight); a number above 0 and at most \(Int(ImageMixture.maximumWeight)) is needed")
      }
      let own = Int((weight * Double(source.count)).rounded())
      guard own > 0 else {
        throw DataError(
          .unusable, "source-weights: a weight of \(weight) leaves none of \(source.count) images; give a larger one")
      }
      samples.append(samples[index] + source.count)
      draws.append(draws[index] + own)
    }
    (self.sources, self.weights) = (sources, weights)
    prefixes = names.isEmpty ? sources.indices.map { "\($0)" } : names
    (count, drawCount) = (samples.removeLast(), draws.removeLast())
    (firstSamples, firstDraws) = (samples, draws)
    (classNames, classes) = ImageMixture.join(sources)
  }

  /// Class names in the order in which they come first. Swift compares them by canonical equivalence, as ``ClassIndex`` does.
  private static func join(_ sources: [any ImageSource]) -> (names: [String], classes: [[Int]]) {
    guard sources.allSatisfy({ !$0.classNames.isEmpty }) else { return ([], []) }
    var (names, numbers) = ([String](), [String: Int]())
    let classes = sources.map { source in
      source.classNames.map { name in
        if let known = numbers[name] { return known }
        numbers[name] = names.count
        names.append(name)
        return names.count - 1
      }
    }
    return (names, classes)
  }

  /// What the sources pass over, under the names of their sources.
  public func ignoredFiles() throws -> [IgnoredFile] {
    var files: [IgnoredFile] = []
    for (source, prefix) in zip(sources, prefixes) {
      files += try source.ignoredFiles().map {
        IgnoredFile(path: prefix.isEmpty ? $0.path : "\(prefix)/\($0.path)", reason: $0.reason)
      }
    }
    return files
  }

  /// Those of the sources, which they name; and which of them has no classes, where others have some.
  public var remarks: [SourceRemark] {
    let own = zip(sources, prefixes).flatMap { source, prefix in
      source.remarks.map { SourceRemark($0.kind, prefix.isEmpty ? $0.text : "\(prefix): \($0.text)") }
    }
    guard classNames.isEmpty, sources.contains(where: { !$0.classNames.isEmpty }),
      !own.contains(where: { $0.kind == .noClasses }),
      let without = sources.firstIndex(where: { $0.classNames.isEmpty })
    else { return own }
    let name = prefixes[without].isEmpty ? sources[without].name(of: 0) : prefixes[without]
    return own + [SourceRemark(.noClasses, "no classes, because of \(name), which has none")]
  }

  private func place(of sample: Int) -> (source: Int, sample: Int) {
    let source = lastIndex(in: firstSamples, atMost: sample)
    return (source, sample - firstSamples[source])
  }

  public func sample(ofDraw draw: Int, seed: UInt64, epoch: Int) -> Int {
    let source = lastIndex(in: firstDraws, atMost: draw)
    let (own, local) = (sources[source].count, draw - firstDraws[source])
    if local < Int(weights[source]) * own { return firstSamples[source] + local % own }
    // The part of the images that comes once more in this epoch: the beginning of a permutation of its own.
    let place = local - Int(weights[source]) * own
    let stream = seed ^ 0x4d69_7874_7572_6500 &+ UInt64(source)
    return firstSamples[source] + EpochOrder.sample(seed: stream, epoch: epoch, count: own, position: place)
  }

  public func bytes(of sample: Int) throws -> [UInt8] {
    let place = place(of: sample)
    return try sources[place.source].bytes(of: place.sample)
  }

  public func head(of sample: Int, limit: Int) throws -> [UInt8] {
    let place = place(of: sample)
    return try sources[place.source].head(of: place.sample, limit: limit)
  }

  public func name(of sample: Int) -> String {
    let place = place(of: sample)
    let (prefix, name) = (prefixes[place.source], sources[place.source].name(of: place.sample))
    return prefix.isEmpty ? name : prefix + "/" + name
  }

  public func filePath(of sample: Int) -> [CChar]? {
    let place = place(of: sample)
    return sources[place.source].filePath(of: place.sample)
  }

  public func fileState(of sample: Int) -> String? {
    let place = place(of: sample)
    return sources[place.source].fileState(of: place.sample)
  }

  public func label(of sample: Int) -> Int? {
    guard !classNames.isEmpty else { return nil }
    let place = place(of: sample)
    return sources[place.source].label(of: place.sample).map { classes[place.source][$0] }
  }

  /// Those of the sources in order; weights are settings of a run, and no part of it.
  public func identity() throws -> DataIdentity {
    var hash = FNV1a()
    for source in sources { hash.combine("\(try source.identity())\0".utf8) }
    return DataIdentity(count: count, hash: hash.hexadecimal)
  }

  /// The same sources with other weights.
  public func weighted(by weights: [Double]) throws(DataError) -> ImageMixture {
    try ImageMixture(sources, names: prefixes, weights: weights)
  }
}

extension ImageSource {
  /// The source with weights for its parts: a mixture's sources, else the source itself. None leave it as it is.
  package func weighted(by weights: [Double]) throws(DataError) -> any ImageSource {
    if weights.isEmpty { return self }
    if let mixture = self as? ImageMixture { return try mixture.weighted(by: weights) }
    return try ImageMixture([self], names: [""], weights: weights)
  }
}
