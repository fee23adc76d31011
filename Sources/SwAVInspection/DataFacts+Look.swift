public import SwAVAugmentation
public import SwAVData
import SwAVEngine

extension DataFacts {
  /// Looks at the images quickly: headers of `headers` of them (evenly spaced; all unless there are more), pixels of `pixels`.
  ///
  /// Pixels are looked at in pairs of neighbours, as pictures that look alike, frames of a film for instance, lie together.
  /// Copies are found by the first bytes of the files and then compared in full, at most ``comparedCopies`` of them; where there
  /// are more, their number is estimated from those. The result depends neither on the number of workers nor on time.
  ///
  /// What the calling thread watches (``Cancellation``) calls it off. Throws `.unusable` where none of the files is an image.
  public static func look(
    at source: any ImageSource, pixels: Int = 256, headers: Int = mostHeaders, workers: Int,
    readTimeout: Double = Loader.defaultReadTimeout, decoding: DecodingOptions = .standard,
    progress: (Int) throws -> Void = { _ in }
  ) throws -> DataFacts {
    let reads = TimedReads(source, seconds: readTimeout)
    defer { reads.close() }
    let probes = try HeaderLook.run(source, reads, samples: spread(headers, over: source.count), workers, progress)
    guard !probes.good.isEmpty else {
      throw DataError(
        .unusable,
        "none of \(probes.count) files looked at is an image that can be read; the first: \(probes.firstReason)")
    }
    let copies = try HeaderLook.copies(probes.good, reads, workers)
    let seen = try PixelLook.run(reads, samples: neighbours(pixels, among: probes.good.map(\.sample)), workers, decoding)
    let similar = try Duplicates.similar(Array(seen.looks.indices)) { seen.looks[$0] }
    return DataFacts(
      of: source, headers: probes.count, sizes: probes.good.map { (Int($0.width), Int($0.height)) },
      gray: probes.good.count { $0.isGray }, deep: probes.good.count { $0.isDeep },
      duplicates: copies, pixels: seen.looks.count + seen.undecodable, undecodable: seen.undecodable,
      nearDuplicates: similar.reduce(0) { $0 + $1.count - 1 }, color: seen.color.facts,
      statistics: seen.moments.statistics(channels: 0))
  }

  /// Headers that are read where there are more; half a minute's work.
  public static let mostHeaders = 100_000

  /// Files of equal beginnings that are read in full.
  static let comparedCopies = 512

  /// Pairs of neighbours at evenly spaced places; all where there are no more than `limit`.
  static func neighbours(_ limit: Int, among samples: [Int]) -> [Int] {
    guard samples.count > limit else { return samples }
    return spread(limit / 2, over: samples.count / 2).flatMap { [samples[2 * $0], samples[2 * $0 + 1]] }
  }
}

/// What a header says.
private struct HeaderRecord: Sendable {
  var sample: Int
  var width: Int32
  var height: Int32
  var isGray: Bool
  var isDeep: Bool
  /// Of the first bytes.
  var beginning: Int
}

/// Headers of many files.
private struct HeaderLook: Sendable {
  var good: [HeaderRecord] = []
  var count = 0
  /// Of the first file that is no image.
  var firstReason = ""

  static func run(
    _ source: any ImageSource, _ reads: TimedReads, samples: [Int], _ workers: Int, _ progress: (Int) throws -> Void
  ) throws -> HeaderLook {
    let runs = OrderedRuns(count: samples.count, empty: HeaderLook()) { number, part in
      try part.look(at: samples[number], reads, source)
    }
    return try runs.run(workers: workers, onStop: reads.close, progress: progress).reduce(into: HeaderLook()) { all, part in
      if all.firstReason.isEmpty { all.firstReason = part.firstReason }
      all.good += part.good
      all.count += part.count
    }
  }

  private mutating func look(at sample: Int, _ reads: TimedReads, _ source: any ImageSource) throws {
    count += 1
    do {
      let (info, beginning) = try reads.probe(sample)
      guard info.width > 0, info.height > 0 else { throw DataError(.unusable, "no size in its header") }
      var hasher = Hasher()
      beginning.withUnsafeBytes { hasher.combine(bytes: $0) }
      good.append(
        HeaderRecord(
          sample: sample, width: Int32(clamping: info.width), height: Int32(clamping: info.height), isGray: info.channels == 1,
          isDeep: info.bits == 16, beginning: hasher.finalize()))
    } catch  where endsReading(error) {
      throw error
    } catch {
      if firstReason.isEmpty { firstReason = "\(source.name(of: sample)): \(error)" }
    }
  }

  /// How many are copies of an earlier one.
  static func copies(_ records: [HeaderRecord], _ reads: TimedReads, _ workers: Int) throws -> Int {
    let groups = Dictionary(grouping: records.indices) { records[$0].beginning }.values.filter { $0.count > 1 }
      .sorted { $0[0] < $1[0] }
    // Whole groups, so that copies are compared with each other.
    var (compared, chosen) = (0, [[Int]]())
    for group in groups where compared + group.count <= DataFacts.comparedCopies || chosen.isEmpty {
      chosen.append(Array(group.prefix(DataFacts.comparedCopies)))
      compared += chosen[chosen.count - 1].count
    }
    let members = chosen.flatMap { $0 }
    let runs = OrderedRuns(count: members.count, empty: [Int?]()) { number, hashes in
      hashes.append(try contentHash(records[members[number]].sample, reads))
    }
    let hashes = try runs.run(workers: workers, onStop: reads.close).flatMap { $0 }.compactMap { $0 }
    let found = hashes.count - Set(hashes).count
    let suspected = groups.reduce(0) { $0 + $1.count - 1 }
    let tried = chosen.reduce(0) { $0 + $1.count - 1 }
    return tried == 0 ? 0 : Int((Double(found) * Double(suspected) / Double(tried)).rounded())
  }

  private static func contentHash(_ sample: Int, _ reads: TimedReads) throws -> Int? {
    do {
      var hasher = Hasher()
      let bytes = try reads.bytes(of: sample)
      bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
      return hasher.finalize()
    } catch  where endsReading(error) {
      throw error
    } catch {
      return nil
    }
  }
}

/// Pixels of some files.
private struct PixelLook: Sendable {
  var looks: [PictureLook] = []
  var undecodable = 0
  var color = ColorSums()
  var moments = MomentSums()

  static func run(_ reads: TimedReads, samples: [Int], _ workers: Int, _ decoding: DecodingOptions) throws -> PixelLook {
    let runs = OrderedRuns(count: samples.count, empty: PixelLook()) { number, part in
      try part.look(at: samples[number], reads, decoding)
    }
    return try runs.run(workers: workers, onStop: reads.close).reduce(into: PixelLook()) { all, part in
      all.looks += part.looks
      all.undecodable += part.undecodable
      all.color.add(part.color)
      all.moments.add(part.moments)
    }
  }

  private mutating func look(at sample: Int, _ reads: TimedReads, _ decoding: DecodingOptions) throws {
    do {
      let image = try Image(decoding: try reads.bytes(of: sample), channels: 0, bits: 0, options: decoding)
      looks.append(try PictureLook(of: image))
      color.add(try PictureColor(of: image))
      moments.add(try image.moments())
    } catch  where endsReading(error) {
      throw error
    } catch {
      undecodable += 1
    }
  }
}
