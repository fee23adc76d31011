import Foundation
import SwAVAugmentation
import SwAVEngine
import Testing

@testable import SwAVDemo

/// A folder of its own that is gone at the end.
final class TemporaryFolder {
  let url = FileManager.default.temporaryDirectory.appending(path: "swav-demo-\(UUID().uuidString)")
  deinit { try? FileManager.default.removeItem(at: url) }
}

@Suite struct SplitMix64Tests {
  @Test func givesThePublishedSequence() {
    // The first outputs from state 1234567 of the authors' own program (prng.di.unimi.it/splitmix64.c).
    var generator = SplitMix64(state: 1_234_567)
    #expect(
      (0..<3).map { _ in generator.next() } == [
        6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423,
      ])
  }

  @Test func wordsNameDifferentSequences() {
    var firsts = Set<UInt64>()
    for a in 0..<20 as Range<UInt64> {
      for b in 0..<20 as Range<UInt64> {
        var generator = SplitMix64(a, b)
        firsts.insert(generator.next())
      }
    }
    #expect(firsts.count == 400)
  }

  @Test func numbersStayInsideTheirRange() {
    var generator = SplitMix64(7)
    var seen = Set<Int>()
    for _ in 0..<1000 {
      seen.insert(generator.below(5))
      let x = generator.uniform(-2...3)
      #expect(x >= -2 && x < 3)
    }
    #expect(seen == [0, 1, 2, 3, 4])
  }
}

@Suite struct DemoImagesTests {
  @Test(arguments: DemoClass.allCases) func aPictureIsAFunctionOfItsName(kind: DemoClass) throws {
    let images = DemoImages(seed: 3)
    let picture = images.samples(.train, kind, 5)
    #expect(picture.count == 96 * 96 * 3)
    #expect(picture == images.samples(.train, kind, 5))
    #expect(picture != images.samples(.train, kind, 6))
    #expect(picture != images.samples(.val, kind, 5))
    #expect(picture != DemoImages(seed: 4).samples(.train, kind, 5))
    #expect(try images.jpeg(.train, kind, 5) == images.jpeg(.train, kind, 5))
  }

  @Test(arguments: DemoClass.allCases) func noPictureIsBlank(kind: DemoClass) {
    let images = DemoImages(side: 48)
    for number in 0..<40 {
      let samples = images.samples(.train, kind, number).map(Double.init)
      let mean = samples.reduce(0, +) / Double(samples.count)
      let deviation = (samples.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(samples.count)).squareRoot()
      // Ground and figure differ by 0.25 in Oklab lightness at least, some 60 levels; even a pattern that covers a tenth of
      // the picture leaves 60 sqrt(0.1 * 0.9) = 18.
      #expect(deviation > 10, "number \(number)")
    }
  }

  @Test(arguments: [8, 33, 200]) func anySideIsRendered(side: Int) {
    #expect(DemoImages(side: side).samples(.val, .cells, 0).count == side * side * 3)
  }

  @Test func filesAreJPEGsOfThePictures() throws {
    let images = DemoImages(seed: 2, side: 96)
    for kind in DemoClass.allCases {
      let bytes = try images.jpeg(.val, kind, 1)
      let info = try Image.probe(bytes)
      #expect(info.format == "jpeg" && info.width == 96 && info.height == 96 && info.channels == 3)
      let decoded = try Image(decoding: bytes).render(.whole(size: 96, imageWidth: 96, imageHeight: 96))
      let original = images.samples(.val, kind, 1)
      let error = zip(decoded, original).reduce(0.0) { $0 + abs(Double($1.0) - Double($1.1)) } / Double(original.count)
      // Quality 75 quantises coefficients in steps of 8 to 50, which leaves a mean error of a few levels; half-resolution
      // colour adds as much at edges. Another picture differs by 50 and more.
      #expect(error < 14, "\(kind.rawValue): mean error \(error)")
    }
  }

  @Test func writesEveryClassEquallyAndTheSameBytesAgain() throws {
    let (first, second) = (TemporaryFolder(), TemporaryFolder())
    let images = DemoImages(seed: 9, side: 32, trainPerClass: 3, valPerClass: 2)
    var counts: [Int] = []
    try images.write(to: first.url) { counts.append($0) }
    try images.write(to: second.url)
    #expect(counts == counts.sorted() && counts.last == images.count)
    for split in DemoImages.Split.allCases {
      let folder = first.url.appending(path: split.rawValue)
      let classes = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
      #expect(classes == DemoClass.allCases.map(\.rawValue))
      for name in classes {
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.appending(path: name).path).sorted()
        #expect(files == (0..<images.perClass(split)).map(DemoImages.fileName))
        for file in files {
          let place = "\(split.rawValue)/\(name)/\(file)"
          let bytes = try Data(contentsOf: first.url.appending(path: place))
          #expect(bytes == (try Data(contentsOf: second.url.appending(path: place))), "\(place)")
        }
      }
    }
  }

  @Test func namesSortAsNumbersDo() {
    #expect([0, 12, 9999, 12345].map(DemoImages.fileName) == ["0000.jpg", "0012.jpg", "9999.jpg", "12345.jpg"])
  }
}

@Suite struct DemoErrorTests {
  @Test func aSettingOutsideItsRangeIsNamed() {
    let folder = TemporaryFolder()
    #expect(throws: DemoImages.Failure.setting(name: "side", value: 7, allowed: "8 to 4096")) {
      try DemoImages(side: 7).write(to: folder.url)
    }
    #expect(throws: DemoImages.Failure.setting(name: "valPerClass", value: 0, allowed: "1 to 1000000")) {
      try DemoImages(valPerClass: 0).write(to: folder.url)
    }
    #expect(!FileManager.default.fileExists(atPath: folder.url.path))
  }

  @Test func aFolderThatCannotBeMadeIsNamed() throws {
    let folder = TemporaryFolder()
    try Data("a file".utf8).write(to: folder.url)
    let error = #expect(throws: DemoImages.Failure.self) {
      try DemoImages(side: 16, trainPerClass: 1, valPerClass: 1).write(to: folder.url)
    }
    // ENOTDIR or EEXIST, whichever part of the path the system looks at first.
    let reasons = [ENOTDIR, EEXIST].map { ": " + String(cString: strerror($0)) }
    let text = error?.description ?? ""
    #expect(text.contains(folder.url.lastPathComponent) && reasons.contains { text.hasSuffix($0) }, "\(text)")
  }

  @Test func progressMayStopTheWriting() {
    struct Stop: Error {}
    let folder = TemporaryFolder()
    #expect(throws: Stop.self) {
      try DemoImages(side: 16, trainPerClass: 1, valPerClass: 1).write(to: folder.url) { _ in throw Stop() }
    }
    #expect(!FileManager.default.fileExists(atPath: folder.url.appending(path: "val").path))
  }
}
