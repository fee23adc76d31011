import Foundation
import SwAVAugmentation
import SwAVEngine
import SwAVModel
import SwAVTraining
import Testing

@testable import SwAVDemo

@Suite struct ContactSheetTests {
  @Test func picturesAndFramesLieWhereTheyShould() {
    var sheet = ContactSheet(rows: ["", ""], columns: 3, side: 2, lines: 0)
    // Gap 4, then 2 + 2 * 3 of frame and picture, and so on.
    #expect(sheet.width == 3 * 12 + 4 && sheet.height == 2 * 12 + 4)
    let picture: [UInt8] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
    sheet.place(picture, row: 1, column: 2, frame: .right)
    func pixel(_ x: Int, _ y: Int) -> [UInt8] {
      Array(sheet.samples[3 * (y * sheet.width + x)..<3 * (y * sheet.width + x) + 3])
    }
    let (left, top) = (4 + 2 * 12, 4 + 12)
    #expect(pixel(left + 3, top + 3) == [1, 2, 3] && pixel(left + 4, top + 3) == [4, 5, 6])
    #expect(pixel(left + 3, top + 4) == [7, 8, 9] && pixel(left + 4, top + 4) == [10, 11, 12])
    let green: [UInt8] = [70, 190, 110]
    #expect(pixel(left, top) == green && pixel(left + 7, top + 7) == green && pixel(left + 2, top + 3) == green)
    #expect(pixel(left - 1, top) == [24, 24, 24] && pixel(left + 8, top + 7) == [24, 24, 24] && pixel(5, 5) == [24, 24, 24])
  }

  @Test func wordsStandAroundThePicturesAndNotOnThem() {
    var sheet = ContactSheet(rows: ["rings", "rays"], columns: 3, side: 40, lines: 2)
    let pitch = ContactSheet.pitch(40)
    // Five letters of 6 points less one, two pixels a point, 8 pixels on both sides.
    let margin = 2 * (5 * 6 - 1) + 16
    #expect(sheet.width == margin + 3 * pitch + ContactSheet.gap)
    #expect(sheet.height == 2 * ContactSheet.line + 2 * pitch + ContactSheet.gap + ContactSheet.line)
    func inked(_ columns: Range<Int>, _ rows: Range<Int>) -> Int {
      rows.reduce(0) { sum, y in sum + columns.count { sheet.samples[3 * (y * sheet.width + $0)] == 200 } }
    }
    let (pictures, above) = (margin..<sheet.width, 0..<2 * ContactSheet.line)
    let below = sheet.height - ContactSheet.line..<sheet.height
    let rows = above.upperBound..<below.lowerBound
    #expect(inked(0..<margin, rows) > 100 && inked(pictures, 0..<sheet.height) == 0)
    sheet.head("before: 12 %", line: 0, column: 1)
    #expect(inked(pictures, above) > 100 && inked(pictures, rows) == 0 && inked(margin..<margin + pitch, above) == 0)
    sheet.legend([(.right, "same kind"), (.wrong, "another kind")])
    #expect(inked(pictures, below) > 100 && inked(pictures, rows) == 0)
  }
}

@Suite(.serialized) struct DemonstrationTests {
  /// Seconds instead of minutes: small pictures, few of them, a narrow network.
  static func small(_ folder: URL) -> Demonstration {
    var small = Demonstration(
      directory: folder.path, images: DemoImages(seed: 1, side: 40, trainPerClass: 5, valPerClass: 2), seed: 3)
    small.configuration.baseWidth = 4
    small.configuration.hidden = 16
    small.configuration.dim = 8
    small.configuration.prototypes = [16]
    small.configuration.crops = [
      CropGroup(count: 2, size: 32, minScale: 0.3, maxScale: 1), CropGroup(count: 1, size: 16, minScale: 0.1, maxScale: 0.3),
    ]
    small.configuration.batch = 16
    small.configuration.epochs = 3
    return small
  }

  @Test func measuresBeforeAndAfterAndLeavesEverythingInOneFolder() throws {
    let folder = TemporaryFolder()
    let small = Self.small(folder.url)
    var (stages, steps, before): ([Demonstration.Stage], Int, Double?) = ([], 0, nil)
    let report = try #require(
      try small.run { event in
        switch event {
        case .progress(let stage, let done, let total):
          #expect(done <= total)
          if stages.last != stage { stages.append(stage) }
        case .before(let untrained, _): before = untrained
        case .pretraining(.step): steps += 1
        case .pretraining: break
        }
      })
    #expect(stages == [.rendering, .before, .after])
    #expect(before == report.untrained)
    #expect(report.pretraining.outcome == .finished && steps == report.pretraining.totalSteps && steps == 3 * (65 / 16))
    #expect(report.trainImages == 65 && report.valImages == 26)
    #expect(report.kinds.map(\.kind) == DemoClass.allCases)
    // Kinds have equally many pictures, so the whole is their mean.
    let mean = report.kinds.reduce(0) { $0 + $1.trained } / Double(report.kinds.count)
    #expect(abs(mean - report.trained) < 1e-9)
    for path in [
      report.pretraining.weights, small.neighbourSheet, small.runFolder + "/metrics.jsonl",
      small.trainFolder + "/rays/0004.jpg",
    ] {
      #expect(FileManager.default.fileExists(atPath: path), "\(path)")
    }
    let sheet = try Image.probe([UInt8](Data(contentsOf: URL(filePath: small.neighbourSheet))))
    #expect(sheet.format == "png" && sheet.height == 13 * ContactSheet.pitch(40) + ContactSheet.gap + 3 * ContactSheet.line)

    let again = try #require(try small.run())
    #expect(again.pretraining.outcome == .alreadyFinished)
    #expect(again.trained == report.trained && again.untrained == report.untrained && again.thumbnails == report.thumbnails)
  }

  @Test func goesOnAfterAnInterruption() throws {
    let (whole, parts) = (TemporaryFolder(), TemporaryFolder())
    let full = try #require(try Self.small(whole.url).run())
    let control = RunControl()
    let stopped = try Self.small(parts.url).run(control: control) { event in
      if case .pretraining(.step(let step)) = event, step.step == 5 { control.cancel() }
    }
    #expect(stopped?.trained == nil)
    let rest = try #require(try Self.small(parts.url).run())
    #expect(rest.pretraining.outcome == .finished && rest.trained == full.trained)
    #expect(
      try Data(contentsOf: URL(filePath: rest.pretraining.weights)) == Data(contentsOf: URL(filePath: full.pretraining.weights))
    )
  }
}
