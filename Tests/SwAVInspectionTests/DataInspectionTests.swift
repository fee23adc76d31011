import Foundation
import SwAVAugmentation
import SwAVData
import SwAVTestSupport
import Testing

@testable import SwAVInspection

@Suite struct DataInspectionTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// A picture with something in it everywhere: smooth waves of several directions, by number.
  private func waves(_ number: Int, side: Int) -> [UInt8] {
    (0..<side * side * 3).map { index in
      let (x, y) = (Double(index / 3 % side) / Double(side), Double(index / 3 / side) / Double(side))
      let n = Double(number)
      let wave = sin((3 + n) * x + 5 * y * y + n) + cos((2 + 1.7 * n) * y - 4 * x * y) + 0.3 * Double(index % 3)
      return UInt8(min(max(128 + 45 * wave, 0), 255))
    }
  }

  private func statuses(_ report: DataReport) -> [String] { report.findings.map { "\($0.status.rawValue) \($0.path)" } }

  @Test func namesWhatIsBrokenIgnoredAndThereTwice() throws {
    for number in 0..<4 {
      let jpeg = try Image.encodeJPEG(waves(number, side: 160), width: 160, height: 160, channels: 3)
      try folder.write("a/\(number).jpg", jpeg)
      if number == 1 { try folder.write("b/copy.jpg", jpeg) }
    }
    // The same picture in half the size and a worse quality.
    let smaller = try Image.encodeJPEG(waves(2, side: 80), width: 80, height: 80, channels: 3, quality: 40)
    try folder.write("b/smaller.jpg", smaller)
    try folder.write("b/cut.jpg", Array(smaller.prefix(500)))
    try folder.write("b/text.jpg", Array("hello".utf8))
    try folder.write("b/notes.txt", Array("hello".utf8))
    try folder.write("b/.hidden.jpg", smaller)
    let source = try ImageFolder(folder.path)
    let report = try DataInspection(workers: 3).run(source)
    #expect(report.images == 8 && report.readable == 6)
    #expect(
      statuses(report) == [
        "broken b/cut.jpg", "broken b/text.jpg", "ignored b/.hidden.jpg", "ignored b/notes.txt", "duplicate b/copy.jpg",
        "near-duplicate b/smaller.jpg",
      ])
    #expect(report.findings.allSatisfy { $0.reason.count > 10 })
    #expect(report.findings[4].reason == "the same bytes as a/1.jpg" && report.findings[5].reason == "looks like a/2.jpg")
    #expect(report.contradictions == 1)
    #expect(report.classes.map(\.images) == [4, 4] && report.formats.map(\.images) == [6])
    #expect(report.sizes?.smallest == SizeSummary.Size(width: 80, height: 80) && report.sizes?.typicalSide == 160)
  }

  @Test func numberOfWorkersDoesNotMatter() throws {
    for number in 0..<40 {
      let samples = waves(number, side: 24 + number)
      try folder.write(
        "\(number).png", try Image.encodePNG(samples, width: 24 + number, height: 24 + number, channels: 3))
    }
    var inspection = DataInspection(workers: 1)
    inspection.includesStatistics = true
    let source = try ImageFolder(folder.path)
    let one = try inspection.run(source)
    inspection.workers = 5
    let five = try inspection.run(source)
    #expect(one.findings == five.findings && one.sizes == five.sizes)
    // To the last bit: the sums are made of the same parts.
    #expect(one.statistics == five.statistics && one.statistics?.channels == 3)
  }

  @Test func severalSourcesAreOneReport() throws {
    for name in ["a/1.jpg", "b/2.jpg"] { try folder.write(name, try picture(kind: 0, number: 1)) }
    try folder.write("b/notes.txt", Array("hello".utf8))
    let source = try ImageMixture(
      [try ImageFolder(folder.path + "/a"), try ImageFolder(folder.path + "/b")], names: ["a", "b"])
    #expect(statuses(try DataInspection(workers: 1).run(source)) == ["ignored b/notes.txt", "duplicate b/2.jpg"])
  }

  @Test func stopsWhenProgressThrows() throws {
    for number in 0..<3 { try folder.write("\(number).jpg", try picture(kind: 0, number: number)) }
    struct Stop: Error {}
    #expect(throws: Stop.self) { try DataInspection(workers: 2).run(ImageFolder(folder.path)) { _ in throw Stop() } }
  }

  /// Statistics of `images` by plain loops in double: every image counts the same.
  private func expected(_ images: [[Double]], channel: Int, of channels: Int) -> (mean: Double, std: Double) {
    var (mean, square) = (0.0, 0.0)
    for image in images {
      let own = stride(from: channel, to: image.count, by: channels).map { image[$0] }
      mean += own.reduce(0, +) / Double(own.count) / Double(images.count)
      square += own.map { $0 * $0 }.reduce(0, +) / Double(own.count) / Double(images.count)
    }
    return (mean, (square - mean * mean).squareRoot())
  }

  @Test func statisticsAreThoseOfPlainSums() throws {
    let sides = [9, 30, 17]
    for side in sides {
      try folder.write("\(side).png", Image.encodePNG(waves(side, side: side), width: side, height: side, channels: 3))
    }
    var inspection = DataInspection(workers: 2)
    inspection.includesStatistics = true
    let statistics = try #require(try inspection.run(ImageFolder(folder.path)).statistics)
    let images = sides.map { side in waves(side, side: side).map { Double($0) / 255 } }
    for channel in 0..<3 {
      let want = expected(images, channel: channel, of: 3)
      // About 2700 additions of numbers up to 1, each rounded by 2^-53; the root amplifies by less than 10 here.
      let tolerance = 2700 * 10 * Double.ulpOfOne
      #expect(abs(statistics.mean[channel] - want.mean) <= tolerance)
      #expect(abs(statistics.std[channel] - want.std) <= tolerance)
    }
  }

  @Test func sixteenBitsCountInFull() throws {
    // Twelve bits of a scanner in a 16-bit file: reduced to 8 bits, only 17 levels would remain.
    let values = (0..<600).map { UInt16($0 * 7 % 4096) }
    try folder.write("scan.pgm", Array("P5\n30 20\n65535\n".utf8) + values.flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] })
    var inspection = DataInspection(workers: 1)
    inspection.includesStatistics = true
    let report = try inspection.run(ImageFolder(folder.path))
    let statistics = try #require(report.statistics)
    let want = expected([values.map { Double($0) / 65535 }], channel: 0, of: 1)
    let tolerance = 600 * 10 * Double.ulpOfOne  // as above
    #expect(report.deep == 1 && report.gray == 1 && statistics.channels == 1)
    #expect(abs(statistics.mean[0] - want.mean) <= tolerance && abs(statistics.std[0] - want.std) <= tolerance)
    inspection.channels = 3
    #expect(try inspection.run(ImageFolder(folder.path)).statistics?.mean.count == 3)
  }

  @Test(.enabled(if: TestData.has("odd"), "no odd.tar in the folder of test data"))
  func oddFilesAreReportedAsTheirManifestSays() throws {
    let unpacked = try TestData.unpack("odd")
    let report = try DataInspection(workers: 2).run(ImageFolder(unpacked.path + "/odd"))
    let unsound = Dictionary(
      report.findings.filter { $0.status == .broken || $0.status == .ignored }.map { ($0.path, $0.reason) },
      uniquingKeysWith: { a, _ in a })
    let rows = try TestData.manifest(of: "odd")
    #expect(rows.count > 70)
    for row in rows {
      let (name, expected) = (try #require(row["file"]), try #require(row["expect"]))
      if expected == "ok" { #expect(unsound[name] == nil, "\(name)") }
      if expected == "fail" { #expect((unsound[name] ?? "").count > 10, "\(name)") }
    }
    #expect(Set(unsound.keys).isSubset(of: rows.compactMap { $0["file"] }))
    // The same scene in nine orientations is one group of near duplicates.
    let scenes = report.findings.filter { $0.status == .nearDuplicate && $0.path.hasPrefix("exif_landscape_") }
    #expect(scenes.count == 8 && scenes.allSatisfy { $0.reason == "looks like exif_landscape_0.jpg" })
  }
}
