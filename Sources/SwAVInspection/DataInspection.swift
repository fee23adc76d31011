import Foundation
import SwAVAugmentation
public import SwAVData
import SwAVEngine
import Synchronization

/// Reads and decodes every image of a source, and says what is in it: sizes, formats, classes, files that cannot be used,
/// duplicates and, on request, the statistics that normalise pixels.
///
/// Of an image 128 bytes stay in memory, whatever its size, and its name where there is something to say about it.
public struct DataInspection: Sendable {
  /// Threads that read and decode.
  public var workers: Int
  /// Whether mean and standard deviation of the channels are computed.
  public var includesStatistics = false
  /// Channels of the statistics, 1 or 3; 0: 1 where every image is stored as gray, 3 otherwise.
  public var channels = 0

  public init(workers: Int) { self.workers = workers }

  /// Looks at all images. `progress` is called every tenth of a second or so with the number of images done; throw to stop.
  /// The result does not depend on the number of workers.
  public func run(_ source: any ImageSource, progress: (Int) throws -> Void = { _ in }) throws -> DataReport {
    let work = InspectionWork(source: source, channels: channels, includesStatistics: includesStatistics)
    let group = DispatchGroup()
    for index in 0..<max(1, workers) {
      group.enter()
      // Threads of their own: decoding blocks on files and computes for long, which Swift's pool is not made for.
      let thread = Thread {
        work.run()
        group.leave()
      }
      thread.name = "swav-inspect-\(index)"
      thread.stackSize = 1 << 20
      thread.start()
    }
    do {
      while group.wait(timeout: .now() + .milliseconds(100)) == .timedOut { try progress(work.done) }
    } catch {
      work.stop()
      group.wait()
      throw error
    }
    try progress(work.done)
    let ignored = try source.ignoredFiles()
    return DataReport(of: source, findings: work.findings, ignored: ignored, channels: channels)
  }
}

/// What was seen of one image that decodes: 128 bytes, as there may be millions.
struct PictureRecord: Sendable {
  var look: PictureLook
  var sample: Int
  /// Of the encoded bytes.
  var contentHash: Int
  var bytes: Int
  var width: Int32
  var height: Int32
  /// As stored.
  var isGray: Bool
  var isDeep: Bool
  private var formatIndex: UInt8

  static let formats = ["jpeg", "png", "webp", "bmp", "pnm", "unknown"]

  init(sample: Int, contentHash: Int, bytes: Int, info: Image.Info, look: PictureLook) {
    (self.sample, self.contentHash, self.bytes, self.look) = (sample, contentHash, bytes, look)
    (width, height) = (Int32(clamping: info.width), Int32(clamping: info.height))
    (isGray, isDeep) = (info.channels == 1, info.bits == 16)
    formatIndex = UInt8(PictureRecord.formats.firstIndex(of: info.format) ?? PictureRecord.formats.count - 1)
  }

  var format: String { PictureRecord.formats[Int(formatIndex)] }
}

/// What was seen of some images in a row.
struct Findings: Sendable {
  var pictures: [PictureRecord] = []
  var broken: [BadSample] = []
  var moments = MomentSums()
}

/// Hands out runs of samples to the workers and keeps what they find, in the order of the samples.
private final class InspectionWork: Sendable {
  /// Samples that one worker looks at in a row. A constant, so that sums are made of the same parts with any number of workers.
  static let runLength = 16

  private let source: any ImageSource
  private let channels: Int
  private let includesStatistics: Bool
  private let next = Atomic(0)
  private let finished = Atomic(0)
  private let stopped = Atomic(false)
  private let results: Mutex<[Findings?]>

  init(source: any ImageSource, channels: Int, includesStatistics: Bool) {
    (self.source, self.channels, self.includesStatistics) = (source, channels, includesStatistics)
    let runs = (source.count + InspectionWork.runLength - 1) / InspectionWork.runLength
    results = Mutex(Array(repeating: nil, count: runs))
  }

  var done: Int { finished.load(ordering: .relaxed) }

  func stop() { stopped.store(true, ordering: .relaxed) }

  /// All findings so far, joined in the order of the samples.
  var findings: Findings {
    results.withLock { results in
      var all = Findings()
      for index in results.indices {
        guard let part = results[index].take() else { continue }
        all.pictures.append(contentsOf: part.pictures)
        all.broken.append(contentsOf: part.broken)
        all.moments.add(part.moments)
      }
      return all
    }
  }

  func run() {
    while !stopped.load(ordering: .relaxed) {
      let index = next.add(1, ordering: .relaxed).oldValue
      let first = index * InspectionWork.runLength
      guard first < source.count else { return }
      var findings = Findings()
      for sample in first..<min(first + InspectionWork.runLength, source.count) {
        look(at: sample, &findings)
        finished.add(1, ordering: .relaxed)
      }
      results.withLock { $0[index] = findings }
    }
  }

  private func look(at sample: Int, _ findings: inout Findings) {
    do {
      let bytes = try source.bytes(of: sample)
      let image = try Image(decoding: bytes, channels: channels, bits: 0)
      var hasher = Hasher()
      bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
      findings.pictures.append(
        PictureRecord(
          sample: sample, contentHash: hasher.finalize(), bytes: bytes.count, info: try Image.probe(bytes),
          look: try PictureLook(of: image)))
      if includesStatistics { findings.moments.add(try image.moments()) }
    } catch {
      findings.broken.append(BadSample(sample: sample, name: source.name(of: sample), reason: "\(error)"))
    }
  }
}
