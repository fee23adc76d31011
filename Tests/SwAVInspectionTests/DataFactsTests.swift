import Foundation
import SwAVAugmentation
import SwAVData
import SwAVEngine
import SwAVTestSupport
import Testing

@testable import SwAVInspection

@Suite struct DataFactsTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// A PNG of smooth waves, by number; gray ones have equal channels.
  private func png(_ number: Int, width: Int, height: Int, gray: Bool = false, channels: Int = 3) throws -> [UInt8] {
    let samples = (0..<width * height * channels).map { index -> UInt8 in
      let (pixel, channel) = (index / channels, index % channels)
      let (x, y, n) = (Double(pixel % width) / Double(width), Double(pixel / width) / Double(height), Double(number))
      let wave = sin((3 + n) * x + 5 * y * y + n) + cos((2 + 1.7 * n) * y - 4 * x * y)
      return UInt8(min(max(110 + 40 * wave + (gray ? 0 : 30 * Double(channel)), 0), 255))
    }
    return try Image.encodePNG(samples, width: width, height: height, channels: channels)
  }

  private func look(_ pixels: Int = 256, headers: Int = 1000, workers: Int = 2) throws -> DataFacts {
    try DataFacts.look(at: openImages(folder.path), pixels: pixels, headers: headers, workers: workers)
  }

  @Test func saysWhatIsThere() throws {
    for number in 0..<8 { try folder.write("a/\(number).png", png(number, width: 40 + 10 * number, height: 20 + 10 * number)) }
    try folder.write("b/gray.png", png(8, width: 30, height: 90, channels: 1))
    try folder.write("b/grayish.png", png(9, width: 30, height: 90, gray: true))
    try folder.write("b/copy.png", png(3, width: 70, height: 50))
    // The same picture in another size.
    try folder.write("b/similar.png", png(4, width: 160, height: 120))
    try folder.write("b/text.png", Array("hello".utf8))
    try folder.write("b/cut.png", Array(png(5, width: 90, height: 70).prefix(1000)))
    let facts = try look()
    #expect(facts.images == 14 && facts.draws == 14 && facts.classes == 2 && facts.headers == 14)
    #expect(facts.broken == 1 && facts.undecodable == 1 && facts.pixels == 13)
    #expect(facts.gray == 1 && facts.deep == 0 && facts.duplicates == 1)
    // Of the copies one looks like the other as well.
    #expect(facts.nearDuplicates == 2)
    #expect(facts.shortSide.smallest == 20 && facts.shortSide.largest == 120 && facts.shortSide.median == 50)
    #expect(facts.elongation.largest == 3 && facts.elongation.smallest == 70.0 / 60 * 60 / 70 * 110 / 90)
    let color = try #require(facts.color)
    // Two of twelve that decode.
    #expect(color.grayShare == 2.0 / 12)
  }

  @Test func theNumberOfWorkersDoesNotMatter() throws {
    for number in 0..<70 { try folder.write("\(number).png", png(number % 50, width: 20 + number, height: 24)) }
    let one = try look(20, headers: 50, workers: 1)
    #expect(try look(20, headers: 50, workers: 5) == one)
    #expect(one.images == 70 && one.headers == 50 && one.pixels == 20)
  }

  @Test func aFullInspectionFindsTheSame() throws {
    for number in 0..<20 { try folder.write("\(number % 2)/\(number).png", png(number, width: 20 + number, height: 24)) }
    try folder.write("0/copy.png", png(0, width: 20, height: 24))
    var inspection = DataInspection(workers: 3)
    inspection.includesStatistics = true
    var whole = try inspection.run(openImages(folder.path)).facts
    let quick = try look()
    // Byte for byte copies are not looked at for likeness there.
    #expect(quick.nearDuplicates == whole.nearDuplicates + whole.duplicates && whole.duplicates == 1)
    whole.nearDuplicates = quick.nearDuplicates
    #expect(whole == quick)
  }

  @Test func colorsAreThoseOfPlainSums() throws {
    // One red and one black half.
    let samples: [Float] = (0..<32 * 32).flatMap { (pixel: Int) -> [Float] in pixel % 32 < 16 ? [1, 0, 0] : [0, 0, 0] }
    let color = PictureColor(samples, channels: 3)
    #expect(color.chroma == 0.5 && color.saturation == 0.5 && color.mean == SIMD3(0.5, 0, 0) && !color.isGray)
    // 0.299 and 0 in equal parts; the root of a difference of sums of 1024 terms, each rounded by 2^-53.
    #expect(abs(color.contrast - 0.1495) <= 1024 * Double.ulpOfOne)
    let gray = PictureColor(Array(repeating: 0.25, count: 32 * 32), channels: 1)
    #expect(gray.chroma == 0 && gray.mean == SIMD3(repeating: 0.25) && gray.isGray)
    var sums = ColorSums()
    sums.add(color)
    sums.add(gray)
    let facts = try #require(sums.facts)
    #expect(facts.grayShare == 0.5 && facts.chroma == 0.25)
    // Means 0.5, 0, 0 and 0.25 three times: variances 1/64 each.
    #expect(abs(facts.spread - (3.0 / 64).squareRoot()) <= 10 * Double.ulpOfOne)
  }

  @Test func manyCopiesAreEstimatedFromSome() throws {
    let pictures = try (0..<2).map { try png($0, width: 16, height: 16) }
    for number in 0..<DataFacts.comparedCopies + 100 { try folder.write("\(number).png", pictures[number % 2]) }
    #expect(try look(4, headers: 10_000).duplicates == DataFacts.comparedCopies + 100 - 2)
  }

  @Test func filesOfOneBeginningAreNoCopies() throws {
    // Two pictures of 4 KiB of white each, then of something else.
    let white = [UInt8](repeating: 255, count: 100 * 100)
    for number in 0..<3 {
      let bytes = Array("P5\n100 100\n255\n".utf8) + white[..<9000] + Array(repeating: UInt8(number), count: 1000)
      try folder.write("\(number).pgm", bytes)
    }
    #expect(try look().duplicates == 0)
  }

  @Test func nothingThatIsAnImageIsNamed() throws {
    try folder.write("1.jpg", Array("hello".utf8))
    let error = #expect(throws: DataError.self) { try look() }
    #expect(error?.description.contains("none of 1 files looked at is an image that can be read; the first: 1.jpg") == true)
  }
}

/// Reads that do not come back.
@Suite struct HangingInspectionTests {
  /// Samples of which some hang until the source is let go.
  // Sendable: `isOpen` is read and written with `gate` held only.
  private final class Hanging: ImageSource, @unchecked Sendable {
    let picture: [UInt8]
    let hanging: Set<Int>
    let count: Int
    private let gate = NSCondition()
    private var isOpen = false

    init(count: Int, hanging: Set<Int>) throws {
      (self.count, self.hanging) = (count, hanging)
      picture = try SwAVTestSupport.picture(kind: 0, number: 1)
    }

    func name(of sample: Int) -> String { "\(sample).jpg" }
    func bytes(of sample: Int) throws -> [UInt8] {
      if hanging.contains(sample) { gate.withLock { while !isOpen { gate.wait() } } }
      return picture
    }
    func open() {
      gate.withLock {
        isOpen = true
        gate.broadcast()
      }
    }
  }

  private func cancelling<R>(_ body: () throws -> R) rethrows -> R {
    let cancellation = Cancellation()
    DispatchQueue.global().asyncAfter(deadline: .now() + 0.2) { cancellation.cancel() }
    return try cancellation.watching(body)
  }

  @Test func aReadThatHangsIsBrokenWithItsReason() throws {
    let disk = try Hanging(count: 20, hanging: [3])
    defer { disk.open() }
    var inspection = DataInspection(workers: 2)
    inspection.readTimeout = 1
    let report = try inspection.run(disk)
    #expect(report.findings.filter { $0.status == .broken }.map(\.path) == ["3.jpg"])
    #expect(report.findings[0].reason.contains("not read within 1.0 seconds"))
    let facts = try DataFacts.look(at: disk, workers: 2, readTimeout: 1)
    #expect(facts.broken == 1 && facts.duplicates == 18)
    var preview = Preview(recipe: Recipe(groups: try CropGroup.parse("1x16")))
    (preview.count, preview.readTimeout) = (20, 1)
    #expect(try preview.paint(disk).bad.map(\.name) == ["3.jpg"])
  }

  @Test func aFileSystemThatHangsAltogetherEndsIt() throws {
    let disk = try Hanging(count: 200, hanging: Set(0..<200))
    defer { disk.open() }
    var inspection = DataInspection(workers: 8)
    inspection.readTimeout = 0.05
    let error = #expect(throws: DataError.self) { try inspection.run(disk) }
    #expect(error?.kind == .stalled)
  }

  @Test func aCancellationActsWhileReadsHang() throws {
    let disk = try Hanging(count: 20, hanging: Set(0..<20))
    defer { disk.open() }
    let stopped = #expect(throws: EngineError.self) { try cancelling { try DataInspection(workers: 2).run(disk) } }
    #expect(stopped?.code == .cancelled)
    let quick = #expect(throws: EngineError.self) { try cancelling { try DataFacts.look(at: disk, workers: 2) } }
    #expect(quick?.code == .cancelled)
    let preview = Preview(recipe: Recipe(groups: try CropGroup.parse("1x16")))
    #expect(throws: DataError.calledOff("the preview")) { try cancelling { try preview.paint(disk) } }
  }
}
