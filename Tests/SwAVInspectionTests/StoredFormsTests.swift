import SwAVAugmentation
import SwAVData
import SwAVTestSupport
import Testing

@testable import SwAVInspection

@Suite struct StoredFormsTests {
  @Test func picturesWithTransparencyInksAndFurtherFramesAreCounted() throws {
    let folder = try TemporaryFolder()
    for name in ["rgb.png", "rgba.png", "transparent.gif", "cmyk.jpg", "cmyk.tif", "animated.gif", "pages.tif"] {
      try folder.write(name, try FormatFixtures.bytes(name))
    }
    // Adobe's marker is named otherwise, so that nobody knows it.
    var unmarked = try FormatFixtures.bytes("cmyk.jpg")
    let marker = try #require(unmarked.indices.dropLast().first { unmarked[$0] == 0xff && unmarked[$0 + 1] == 0xee })
    unmarked[marker + 1] = 0xed
    try folder.write("unmarked.jpg", unmarked)
    let report = try DataInspection(workers: 2).run(try ImageFolder(folder.path))
    #expect(report.readable == 8)
    #expect(report.stored.alpha == 2)
    #expect(report.stored.cmyk == 3)
    #expect(report.stored.cmykWithoutMarker == 1)
    #expect(report.stored.severalFrames == 2)
  }

  @Test func aLimitOfPixelsAndABackgroundReachTheInspection() throws {
    let folder = try TemporaryFolder()
    try folder.write("a.gif", try FormatFixtures.bytes("transparent.gif"))
    var inspection = DataInspection(workers: 1)
    inspection.includesStatistics = true
    let dropped = try inspection.run(try ImageFolder(folder.path)).statistics?.mean
    inspection.decoding.background = Background("white")
    let onWhite = try inspection.run(try ImageFolder(folder.path)).statistics?.mean
    #expect(dropped != onWhite)
    inspection.decoding.maximumPixels = 10
    #expect(try inspection.run(try ImageFolder(folder.path)).readable == 0)
  }
}
