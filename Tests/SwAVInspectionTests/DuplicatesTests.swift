import SwAVAugmentation
import SwAVEngine
import Testing

@testable import SwAVInspection

@Suite struct DuplicatesTests {
  /// Reproducible random numbers (SplitMix64).
  private struct Generator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
      state &+= 0x9e37_79b9_7f4a_7c15
      var z = (state ^ (state >> 30)) &* 0xbf58_476d_1ce4_e5b9
      z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
      return z ^ (z >> 31)
    }
  }

  private func record(_ sample: Int, look: PictureLook, content: Int? = nil) throws -> PictureRecord {
    // A real header: Info has no public initialiser.
    let info = try Image.probe(try Image.encodePNG([0], width: 1, height: 1, channels: 1))
    return PictureRecord(sample: sample, contentHash: content ?? sample, bytes: 10, info: info, look: look)
  }

  private func randomLook(_ generator: inout Generator) -> PictureLook {
    PictureLook(gray: (0..<81).map { _ in Float.random(in: 0...1, using: &generator) })
  }

  @Test func everyPairWithinSevenBitsIsFoundAmongThousands() throws {
    var generator = Generator(state: 7)
    var pictures = try (0..<3000).map { try record($0, look: randomLook(&generator)) }
    var planted: [[Int]] = []
    for copy in 0..<60 {
      var look = pictures[copy * 50].look
      for bit in (0..<128).shuffled(using: &generator).prefix(copy % 8) { look.hash ^= 1 << UInt128(bit) }
      planted.append([copy * 50, pictures.count])
      pictures.append(try record(pictures.count, look: look))
    }
    #expect(try Duplicates.similar(Array(pictures.indices)) { pictures[$0].look } == planted)
    // What is left out is in no group.
    #expect(try Duplicates.similar(Array(0..<3000)) { pictures[$0].look }.isEmpty)
  }

  @Test func aRunOfEqualPicturesIsOneGroup() throws {
    var generator = Generator(state: 8)
    let look = randomLook(&generator)
    let pictures = try (0..<500).map { try record($0, look: look) }
    #expect(try Duplicates.similar(Array(0..<500)) { pictures[$0].look } == [Array(0..<500)])
  }

  @Test func equalHashesOfDifferentPicturesAreNoCopies() {
    // One bright pixel each, far apart, on black: with the middle row and column left out the hashes nearly agree.
    func dot(_ x: Int, _ y: Int) -> PictureLook {
      PictureLook(gray: (0..<81).map { $0 == y * 9 + x ? 1 : 0 })
    }
    let (a, b) = (dot(1, 1), dot(7, 7))
    #expect((a.hash ^ b.hash).nonzeroBitCount <= PictureLook.maximumDistance)
    #expect(!a.resembles(b) && a.resembles(a))
  }

  @Test func brightnessAndContrastLeaveTheHash() {
    var generator = Generator(state: 9)
    let gray = (0..<81).map { _ in Float.random(in: 0.2...0.6, using: &generator) }
    #expect(PictureLook(gray: gray).hash == PictureLook(gray: gray.map { $0 * 1.3 + 0.1 }).hash)
  }

  @Test func aRecordIsAsSmallAsStated() { #expect(MemoryLayout<PictureRecord>.stride == 128) }

  @Test func equalBytesAreGroupedInOrder() throws {
    var generator = Generator(state: 10)
    let look = randomLook(&generator)
    let pictures = try [5, 9, 5, 7, 9, 9, 1].enumerated().map { try record($0, look: look, content: $1) }
    #expect(Duplicates.exact(pictures) == [[0, 2], [1, 4, 5]])
    #expect(Duplicates.exact([]).isEmpty)
  }

  @Test func sizesHaveMedianAndRows() throws {
    let sizes = try #require(SizeSummary([(40, 30), (300, 200), (64, 64), (4000, 3000), (64, 100)]))
    #expect(sizes.smallest == .init(width: 40, height: 30) && sizes.largest == .init(width: 4000, height: 3000))
    #expect(sizes.median == .init(width: 64, height: 100) && sizes.typicalSide == 64)
    #expect(sizes.histogram.map(\.images) == [1, 0, 2, 0, 1, 0, 0, 0, 0, 1])
    #expect(sizes.histogram.first?.from == 1 && sizes.histogram.last?.to == nil)
    #expect(SizeSummary([]) == nil)
    let one = try #require(SizeSummary([(97, 300)]))
    #expect(one.histogram == [.init(from: 96, to: 159, images: 1)])
  }
}
