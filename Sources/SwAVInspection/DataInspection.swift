public import SwAVAugmentation
public import SwAVData
import SwAVEngine

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

  /// Seconds after which a read is given up and the image counts as broken; 0: never.
  public var readTimeout = Loader.defaultReadTimeout
  /// Which pictures are decoded, and what transparent ones lie on.
  public var decoding = DecodingOptions.standard

  public init(workers: Int) { self.workers = workers }

  /// Looks at all images. `progress` is called every tenth of a second or so with the number of images done; throw to stop.
  /// What the calling thread watches (``Cancellation``) calls it off, even while reads hang. The result does not depend on the
  /// number of workers.
  public func run(_ source: any ImageSource, progress: (Int) throws -> Void = { _ in }) throws -> DataReport {
    let reads = TimedReads(source, seconds: readTimeout)
    defer { reads.close() }
    let inspection = self
    let runs = OrderedRuns(count: source.count, empty: Findings()) { sample, findings in
      try findings.look(at: sample, reads, source, inspection)
    }
    let parts = try runs.run(workers: workers, onStop: reads.close, progress: progress)
    let findings = parts.reduce(into: Findings()) { $0.add($1) }
    let ignored = try onSideThread("the images") { _ in try source.ignoredFiles() }
    return try DataReport(of: source, findings: findings, ignored: ignored, channels: channels)
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
  var form: StoredForm
  private var formatIndex: UInt8

  init(sample: Int, contentHash: Int, bytes: Int, info: Image.Info, look: PictureLook) {
    (self.sample, self.contentHash, self.bytes, self.look) = (sample, contentHash, bytes, look)
    (width, height) = (Int32(clamping: info.width), Int32(clamping: info.height))
    (isGray, isDeep) = (info.channels == 1, info.bits == 16)
    form = StoredForm(info)
    formatIndex = UInt8(Image.Info.formats.firstIndex(of: info.format) ?? 0)
  }

  var format: String { Image.Info.formats[Int(formatIndex)] }
}

/// What was seen of some images in a row.
struct Findings: Sendable {
  var pictures: [PictureRecord] = []
  var broken: [BadSample] = []
  var moments = MomentSums()
  var color = ColorSums()

  mutating func add(_ other: Findings) {
    pictures += other.pictures
    broken += other.broken
    moments.add(other.moments)
    color.add(other.color)
  }

  mutating func look(
    at sample: Int, _ reads: TimedReads, _ source: any ImageSource, _ inspection: DataInspection
  ) throws {
    do {
      let bytes = try reads.bytes(of: sample)
      let image = try Image(decoding: bytes, channels: inspection.channels, bits: 0, options: inspection.decoding)
      var hasher = Hasher()
      bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
      pictures.append(
        PictureRecord(
          sample: sample, contentHash: hasher.finalize(), bytes: bytes.count, info: try Image.probe(bytes),
          look: try PictureLook(of: image)))
      color.add(try PictureColor(of: image))
      if inspection.includesStatistics { moments.add(try image.moments()) }
    } catch  where endsReading(error) {
      throw error
    } catch {
      broken.append(BadSample(sample: sample, name: source.name(of: sample), reason: "\(error)"))
    }
  }
}
