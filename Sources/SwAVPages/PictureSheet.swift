import SwAVAugmentation
import SwAVData
import SwAVEngine
import SwAVEvaluation
import SwAVInspection

/// Many small pictures as one: a page holds it once, and shows its parts.
struct PictureSheet: Sendable {
  static let columns = 25
  /// Bytes of the encoded sheet that are aimed at.
  static let budget = 2_400_000

  let side: Int
  let count: Int
  let jpeg: [UInt8]
  /// Columns in use.
  var columns: Int { min(PictureSheet.columns, max(1, count)) }

  /// The centres of the samples. One that cannot be read is gray.
  init(
    _ source: any ImageSource, samples: [Int], side: Int, reading: ReadingOptions, progress: (Int) throws -> Void
  ) throws {
    (self.side, count) = (side, samples.count)
    let reads = TimedReads(source, seconds: reading.readTimeout)
    defer { reads.close() }
    let runs = OrderedRuns(count: samples.count, empty: [[UInt8]]()) { number, part in
      part.append(try PictureSheet.thumbnail(of: samples[number], reads, side, reading.decoding))
    }
    let pictures = try runs.run(workers: reading.workers, onStop: reads.close, progress: progress).flatMap { $0 }
    let across = min(PictureSheet.columns, max(1, samples.count))
    let down = max(1, (samples.count + across - 1) / across)
    var canvas = Canvas(width: across * side, height: down * side, level: 128)
    for (index, picture) in pictures.enumerated() {
      canvas.place(picture, side: side, left: index % across * side, top: index / across * side)
    }
    jpeg = try PictureSheet.encoded(canvas)
  }

  private static func encoded(_ canvas: Canvas) throws -> [UInt8] {
    var jpeg: [UInt8] = []
    for quality in [82, 70, 55, 40] {
      jpeg = try Image.encodeJPEG(canvas.samples, width: canvas.width, height: canvas.height, channels: 3, quality: quality)
      if jpeg.count <= budget { break }
    }
    return jpeg
  }

  private static func thumbnail(
    of sample: Int, _ reads: TimedReads, _ side: Int, _ decoding: DecodingOptions
  ) throws -> [UInt8] {
    do {
      let image = try Image(decoding: try reads.bytes(of: sample), channels: 3, options: decoding)
      let info = try image.info()
      return try image.render(CropPlan.square(size: side, imageWidth: info.width, imageHeight: info.height))
    } catch  where endsReading(error) {
      throw error
    } catch {
      return [UInt8](repeating: 128, count: side * side * 3)
    }
  }

  /// Column and row of a picture.
  func place(_ index: Int) -> (column: Int, row: Int) { (index % columns, index / columns) }

  /// What the page has to know once.
  var style: String {
    ".p{background-image:url(\(dataAddress("image/jpeg", jpeg)));background-size:calc(var(--side)*\(columns)) auto}"
  }
}
