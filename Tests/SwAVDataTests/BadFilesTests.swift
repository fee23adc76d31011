import Foundation
import SwAVAugmentation
import SwAVTestSupport
import Synchronization
import Testing

@testable import SwAVData

/// Files that vanish, change or hang while a run goes on.
@Suite struct BadFilesTests {
  let folder: TemporaryFolder
  let recipe: Recipe

  init() throws {
    folder = try TemporaryFolder()
    recipe = Recipe(groups: try CropGroup.parse("2x8"))
    try folder.writePictures("images", classes: 1, perClass: 8)
  }

  private func configuration(batch: Int = 4, epochs: Int = 2, workers: Int = 2, timeout: Double = 60) -> Loader.Configuration {
    var configuration = Loader.Configuration(recipe: recipe, seed: 3, batch: batch, epochs: epochs, workers: workers)
    configuration.readTimeout = timeout
    return configuration
  }

  private func drain(_ loader: Loader) throws -> [[Float]] {
    var batches: [[Float]] = []
    while let next = try loader.withNextBatch({ $0.crops.values(ofGroup: 0) }) {
      batches.append(next)
    }
    return batches
  }

  /// Where a sample is in the first epoch.
  private func position(of sample: Int, count: Int) throws -> Int {
    try #require((0..<count).first { EpochOrder.sample(seed: 3, epoch: 0, count: count, position: $0) == sample })
  }

  @Test func aFileThatVanishesIsReplacedAndNamed() throws {
    let images = try ImageFolder(folder.path + "/images")
    try FileManager.default.removeItem(atPath: folder.path + "/images/class0/5.jpg")
    let first = try Loader(images, configuration())
    let pixels = try drain(first)
    let bad = first.takeNewBadSamples()
    #expect(bad.map(\.name) == ["class0/5.jpg"])
    #expect(bad[0].reason.contains("images/class0/5.jpg: No such file or directory"))
    #expect(try drain(try Loader(images, configuration(workers: 1))) == pixels)
  }

  @Test func aFileThatChangesIsReplacedAndNamed() throws {
    let images = try ImageFolder(folder.path + "/images")
    let before = try drain(try Loader(images, configuration(batch: 8, epochs: 1)))
    // Another picture that decodes as well: only the file's size and time tell.
    try folder.write("images/class0/2.jpg", picture(kind: 1, number: 30, side: 50))
    let loader = try Loader(images, configuration(batch: 8, epochs: 1))
    let after = try drain(loader)
    let bad = loader.takeNewBadSamples()
    #expect(
      bad.map(\.name) == ["class0/2.jpg"] && bad[0].reason.contains("images/class0/2.jpg: changed since it was read first"))
    let (length, changed) = (8 * 8 * 3, try position(of: 2, count: 8))
    for item in 0..<8 {
      let range = item * length..<(item + 1) * length
      #expect((before[0][range] == after[0][range]) == (item != changed), "item \(item)")
    }
    let list = try ImageList(contentsOf: try folder.write("list.txt", Array("\(folder.path)/images/class0/3.jpg\n".utf8)))
    #expect(try list.bytes(of: 0) == picture(kind: 0, number: 3))
    try folder.write("images/class0/3.jpg", picture(kind: 1, number: 31, side: 50))
    #expect(throws: DataError.self) { try list.bytes(of: 0) }
  }

  @Test func aPipeInPlaceOfAFileIsReplacedAtOnce() throws {
    let images = try ImageFolder(folder.path + "/images")
    let path = folder.path + "/images/class0/7.jpg"
    try FileManager.default.removeItem(atPath: path)
    #expect(mkfifo(path, 0o600) == 0)
    let loader = try Loader(images, configuration())
    #expect(try drain(loader).count == 4)
    let bad = loader.takeNewBadSamples()
    #expect(bad.map(\.name) == ["class0/7.jpg"] && bad[0].reason.contains("not a regular file"))
  }

  /// A file system of which some files hang until they are let go.
  private final class Hanging: ImageSource {
    let pictures: [[UInt8]]
    let hanging: Set<Int>
    let gate = NSCondition()
    let asked = Atomic(0)
    // Written with the gate held.
    nonisolated(unsafe) var isOpen = false

    init(count: Int, hanging: Set<Int>) throws {
      pictures = try (0..<count).map { try picture(kind: $0, number: $0, side: 24) }
      self.hanging = hanging
    }

    var count: Int { pictures.count }
    func name(of sample: Int) -> String { "disk/\(sample).jpg" }
    func bytes(of sample: Int) throws -> [UInt8] {
      if hanging.contains(sample) {
        asked.add(1, ordering: .relaxed)
        gate.withLock { while !isOpen { gate.wait() } }
      }
      return pictures[sample]
    }
    func open() {
      gate.withLock {
        isOpen = true
        gate.broadcast()
      }
    }
  }

  @Test func aReadThatHangsIsGivenUpAndItsFileNamed() throws {
    let disk = try Hanging(count: 12, hanging: [4])
    let loader = try Loader(disk, configuration(epochs: 3, timeout: 1))
    let pixels = try drain(loader)
    #expect(pixels.count == 9)
    let bad = loader.takeNewBadSamples()
    #expect(bad.map(\.sample) == [4])
    #expect(bad[0].reason.contains("disk/4.jpg: not read within 1.0 seconds"))
    // Three epochs ask for it once: the read still hangs.
    #expect(disk.asked.load(ordering: .relaxed) == 1)
    // The substitute is that of any other bad file.
    let damaged = try MemorySource(count: 12, damaged: [4])
    #expect(try drain(try Loader(damaged, configuration(epochs: 3))) == pixels)
    disk.open()
  }

  @Test func stoppingDoesNotWaitForReadsThatHang() throws {
    // Without a limit as well, and with one that no calendar has.
    for timeout in [3600, 0, 1e12] {
      let disk = try Hanging(count: 4, hanging: [0, 1, 2, 3])
      let loader = try Loader(disk, configuration(timeout: timeout))
      loader.stop()
      #expect(try loader.withNextBatch { _ in } == nil)
      disk.open()
    }
  }

  @Test func aFileLargerThanAnyPictureIsRefused() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write("large.jpg", [0xff, 0xd8])
    // Sparse: it takes no room on the disk.
    #expect(truncate(path, off_t(1 << 30) + 1) == 0)
    let error = #expect(throws: DataError.self) { try ImageFolder(folder.path).bytes(of: 0) }
    #expect(error?.description.contains("1073741825 bytes; at most 1073741824 are read") == true)
  }

  @Test func aSampleIsReadAgainOnceItsReadHasComeBack() throws {
    let disk = try Hanging(count: 3, hanging: [1])
    let reads = TimedReads(disk, seconds: 1)
    #expect(throws: DataError.self) { try reads.bytes(of: 1) }
    #expect(throws: DataError.self) { try reads.bytes(of: 1) }
    #expect(disk.asked.load(ordering: .relaxed) == 1)
    #expect(try reads.bytes(of: 2) == disk.pictures[2])
    disk.open()
    var bytes: [UInt8]?
    for _ in 0..<2000 where bytes == nil {
      bytes = try? reads.bytes(of: 1)
      Thread.sleep(forTimeInterval: 0.005)
    }
    #expect(bytes == disk.pictures[1])
    reads.close()
    #expect(throws: TimedReads.Closed.self) { try reads.bytes(of: 2) }
  }

  @Test func manyReadsThatHangEndTheRun() throws {
    let disk = try Hanging(count: 100, hanging: Set(0..<100))
    let error = #expect(throws: DataError.self) { try drain(try Loader(disk, configuration(workers: 8, timeout: 0.02))) }
    #expect(error?.kind == .stalled)
    #expect(error?.description.contains("reads have not come back within 0.02 seconds each") == true)
    disk.open()
  }

  @Test func aLargeSetThatIsMostlyBadIsNotTriedToItsEnd() throws {
    /// Half a million names, of which one in ten is there.
    struct Sparse: ImageSource {
      let picture: [UInt8]
      var count: Int { 500_000 }
      func name(of sample: Int) -> String { "\(sample)" }
      func bytes(of sample: Int) throws -> [UInt8] { sample % 10 == 0 ? picture : [] }
    }
    let error = #expect(throws: DataError.self) {
      try drain(try Loader(try Sparse(picture: picture(kind: 0, number: 0, side: 16)), configuration(batch: 50, epochs: 1)))
    }
    // Of the first thousand tried, 500 may be bad.
    #expect(error?.kind == .tooManyBad)
    #expect(
      error?.description.contains("501 of the first 1000 of 500000 images are bad, more than the 500 that max-bad 0.5") == true)
  }
}
