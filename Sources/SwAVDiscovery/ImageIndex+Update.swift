public import SwAVData
import SwAVEngine
public import SwAVEvaluation
public import SwAVModel

extension ImageIndex {
  /// What bringing an index up to date came to.
  public struct Update: Sendable {
    public var index: ImageIndex
    /// Rows that were taken over, made, and dropped.
    public var kept = 0
    public var added = 0
    public var dropped = 0
    /// Images that could not be read; they are tried again the next time.
    public var bad: [BadSample] { index.features.bad }
  }

  /// The index of the images of `source`, with what the index `old` has of them already. Images are the same when their names are
  /// and, where they are files, size and time; images of an archive, when the archive is.
  ///
  /// - Parameters:
  ///   - identity: what the features depend on beside the images, `output` included.
  ///   - keep: gets an index of what is there so far: every few minutes, and before an error ends the work, so that a later call with
  ///     it as `old` goes on from there.
  ///   - progress: gets how many of how many images that are new are done; throw to stop.
  public static func updated(
    _ old: ImageIndex?, for source: any ImageSource, network: Network, identity: String, size: Int?, output: Output = .features,
    reading: ReadingOptions, keep: (ImageIndex) throws -> Void = { _ in }, progress: (Int, Int) throws -> Void = { _, _ in }
  ) throws -> Update {
    let dim = try network.length(of: output)
    let isOfUse = old.map { $0.network == identity && $0.features.contents.count == $0.names.count } ?? false
    var growing = try GrowingIndex(isOfUse ? old : nil, for: source, identity: identity, dim: dim)
    let missing = growing.missing
    if !missing.isEmpty {
      var saving = SavingPace()
      do {
        try Features.forEachBatch(
          of: source, samples: missing, network: network, size: size, output: output, options: reading
        ) { batch in
          growing.append(batch.unit())
          try progress(growing.looked, missing.count)
          try saving.now { try keep(growing.index()) }
        }
      } catch {
        // The first error is the one to tell.
        if !growing.fresh.isEmpty { try? keep(growing.index()) }
        throw error
      }
    }
    let taken = source.count - missing.count
    return Update(
      index: try growing.index(), kept: taken, added: growing.fresh.count, dropped: max(0, (old?.names.count ?? 0) - taken))
  }
}

/// When to save: every two minutes, and so that saving takes a twentieth of the time at most.
private struct SavingPace {
  private var next = ContinuousClock.now + .seconds(120)

  mutating func now(_ save: () throws -> Void) rethrows {
    let start = ContinuousClock.now
    guard start >= next else { return }
    try save()
    let end = ContinuousClock.now
    next = end + max(.seconds(120), (end - start) * 20)
  }
}

/// Rows that are there and rows that come, in the order of a source.
private struct GrowingIndex {
  private let old: ImageIndex?
  private let identity: String
  private let dim: Int
  /// Of each sample.
  private var (names, stamps) = ([String](), [String]())
  /// The row of `old` of each sample that it has.
  private var found: [Int?] = []
  /// The samples that `old` does not have.
  private(set) var missing: [Int] = []
  /// Those of them that have a row by now, ascending, and the rows.
  private(set) var fresh: [Int] = []
  private var rows: [Float] = []
  private var contents: [UInt64] = []
  private(set) var bad: [BadSample] = []

  /// Of `missing`.
  var looked: Int { fresh.count + bad.count }

  init(_ old: ImageIndex?, for source: any ImageSource, identity: String, dim: Int) throws {
    (self.old, self.identity, self.dim) = (old, identity, dim)
    let places = Dictionary(
      (old?.names ?? []).enumerated().map { ($1 + "\0" + (old?.stamps[$0] ?? ""), $0) }, uniquingKeysWith: { a, _ in a })
    var all: String?
    func identityOfAll() throws -> String {
      let hash = try all ?? source.identity().hash
      all = hash
      return hash
    }
    for sample in 0..<source.count {
      if sample % 1024 == 0 { try Cancellation.check() }
      let name = source.name(of: sample)
      let isFile = source.filePath(of: sample) != nil
      let stamp = try source.fileState(of: sample) ?? (isFile ? "gone" : identityOfAll())
      names.append(name)
      stamps.append(stamp)
      let place = places[name + "\0" + stamp]
      found.append(place)
      if place == nil { missing.append(sample) }
    }
  }

  mutating func append(_ batch: Features) {
    fresh.append(contentsOf: batch.samples)
    rows.append(contentsOf: batch.values)
    contents.append(contentsOf: batch.contents)
    bad.append(contentsOf: batch.bad)
  }

  /// The index of what is there.
  func index() throws -> ImageIndex {
    guard let old else { return try index(of: fresh, rows, contents) }
    if missing.isEmpty && found.count == old.names.count && found.enumerated().allSatisfy({ $0 == $1 }) { return old }
    var (kept, values, hashes, next) = ([Int](), [Float](), [UInt64](), 0)
    values.reserveCapacity((found.count - missing.count + fresh.count) * dim)
    for (sample, place) in found.enumerated() {
      if let place {
        values.append(contentsOf: old.features.row(place))
        hashes.append(old.features.contents[place])
      } else if next < fresh.count, fresh[next] == sample {
        values.append(contentsOf: rows[next * dim..<(next + 1) * dim])
        hashes.append(contents[next])
        next += 1
      } else {
        continue
      }
      kept.append(sample)
    }
    return try index(of: kept, values, hashes)
  }

  private func index(of samples: [Int], _ values: [Float], _ contents: [UInt64]) throws -> ImageIndex {
    ImageIndex(
      network: identity, names: samples.map { names[$0] }, stamps: samples.map { stamps[$0] },
      features: try Features(dim: dim, values: values, samples: samples, contents: contents, bad: bad))
  }
}
