import Foundation
import SwAVData
import SwAVEngine
import SwAVEvaluation
import SwAVModel
import SwAVTestSupport
import Testing

@testable import SwAVDiscovery

@Suite struct ImageIndexTests {
  private struct Stop: Error {}

  let folder: TemporaryFolder
  let source: ImageFolder
  let network: Network

  init() throws {
    folder = try TemporaryFolder()
    try folder.writePictures("images", perClass: 4)
    try folder.write("images/class0/2a.jpg", [])
    source = try ImageFolder(folder.path + "/images")
    network = try Network(
      NetworkConfiguration(architecture: .resnet18, stem: .small, baseWidth: 8, hidden: 16, dim: 8, prototypes: [6]), seed: 1)
  }

  private func updated(
    _ old: ImageIndex?, for images: (any ImageSource)? = nil, keep: (ImageIndex) throws -> Void = { _ in },
    progress: (Int, Int) throws -> Void = { _, _ in }
  ) throws -> ImageIndex.Update {
    var reading = ReadingOptions()
    reading.batch = 2
    return try ImageIndex.updated(
      old, for: images ?? source, network: network, identity: "", size: 32, reading: reading, keep: keep, progress: progress)
  }

  @Test func whatWasLookedAtBeforeAnErrorIsKeptAndTheNextCallGoesOnFromThere() throws {
    let whole = try updated(nil)
    #expect(whole.added == 8 && whole.bad.map(\.name) == ["class0/2a.jpg"])
    var (part, last) = (ImageIndex?.none, whole.index)
    // Stopped after every two images that are new.
    for round in 1...4 {
      #expect(throws: Stop.self) {
        try updated(part, keep: { last = $0 }, progress: { done, _ in if done >= 2 { throw Stop() } })
      }
      #expect(last.names.count > part?.names.count ?? 0, "round \(round)")
      part = last
      if last.names.count >= 6 { break }
    }
    let rest = try updated(part)
    #expect(rest.kept == part?.names.count && rest.kept + rest.added == 8)
    #expect(rest.index.names == whole.index.names && rest.index.stamps == whole.index.stamps)
    #expect(rest.index.features == whole.index.features)
  }

  /// Names, sizes and labels of a file with many pictures may be the same while the pictures are others.
  @Test func whenAFileOfManyPicturesIsReplacedAllOfThemAreLookedAtAgain() throws {
    let path = folder.path + "/data_batch_1.bin"
    func write(_ shade: UInt8) throws -> any ImageSource {
      let record = [3] + [UInt8](repeating: shade, count: 3072)
      try Data(record + record).write(to: URL(fileURLWithPath: path), options: .atomic)
      return try openImages([path])
    }
    let before = try updated(nil, for: write(10)).index
    let same = try updated(before, for: openImages([path]))
    #expect(same.kept == 2 && same.added == 0)
    let replaced = try write(200)
    let after = try updated(before, for: ImageMixture([replaced, source], names: ["packed", ""]))
    #expect(after.kept == 0 && after.dropped == 2)
    let again = try updated(before, for: replaced)
    #expect(again.kept == 0 && again.added == 2 && again.index.names == before.names)
    #expect(again.index.features.contents != before.features.contents)
  }

  @Test func aFileHasTheSameRowsAndOneThatCannotBeWrittenLeavesNothing() throws {
    let index = try updated(nil).index
    let path = folder.path + "/i.index"
    try index.write(to: path)
    let read = try #require(ImageIndex(at: path))
    #expect(read.names == index.names && read.stamps == index.stamps)
    #expect(read.features.values == index.features.values && read.features.contents == index.features.contents)
    #expect(read.features.contents.count == 8)
    #expect(throws: OutputError.self) { try index.write(to: folder.path + "/images") }
    #expect(throws: OutputError.self) { try index.write(to: folder.path + "/nowhere/i.index") }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == ["i.index", "images"])
  }

  /// Files cut at every length and changed in every byte of what stands before the rows.
  @Test func aDamagedFileIsNoIndexOrOneOfItsLength() throws {
    let path = folder.path + "/i.index"
    let index = try updated(nil).index
    try index.write(to: path)
    let bytes = try [UInt8](Data(contentsOf: URL(fileURLWithPath: path)))
    for length in stride(from: 0, to: bytes.count, by: 7) {
      try Data(bytes[..<length]).write(to: URL(fileURLWithPath: path))
      #expect(ImageIndex(at: path) == nil, "\(length) bytes")
    }
    for place in 0..<bytes.count - 4 * index.features.values.count - 8 * 8 {
      var changed = bytes
      changed[place] ^= 0x11
      try Data(changed).write(to: URL(fileURLWithPath: path))
      if let read = ImageIndex(at: path) {
        #expect(read.names.count == read.features.count && read.names.count == read.stamps.count, "byte \(place)")
      }
    }
  }
}
