import Foundation
import SwAVData
import SwAVTestSupport
import Testing

@testable import SwAVDiscovery

@Suite struct ClusterFolderTests {
  /// Pictures of no file.
  private struct Packed: ImageSource {
    var count: Int { 6 }
    func name(of sample: Int) -> String { "\(sample).jpg" }
    func bytes(of sample: Int) throws -> [UInt8] { [UInt8(sample)] }
  }

  @Test func aFolderThatWasNotWrittenToItsEndIsTakenAgain() throws {
    struct Enough: Error {}
    let (folder, images) = (try TemporaryFolder(), try grouped(6, groups: 2))
    let (path, clusters) = (folder.path + "/out", try Clustering.byKMeans(images, clusters: 2))
    #expect(throws: Enough.self) {
      try ClusterFolder(path).write(clusters, of: images, Packed()) { done, _ in if done == 4 { throw Enough() } }
    }
    try ClusterFolder(path).write(clusters, of: images, Packed())
    #expect(FileManager.default.fileExists(atPath: path + "/clusters.csv"))
    // And one that is stopped leaves what an earlier one has made.
    func names() throws -> [String] { try FileManager.default.subpathsOfDirectory(atPath: path).sorted() }
    let before = try names()
    #expect(throws: Enough.self) {
      try ClusterFolder(path).write(try Clustering.byKMeans(images, clusters: 1), of: images, Packed()) { done, _ in
        if done == 4 { throw Enough() }
      }
    }
    #expect(try names() == before)
    try ClusterFolder(path).write(try Clustering.byKMeans(images, clusters: 1), of: images, Packed())
    #expect(try names().filter { $0.hasPrefix("cluster-") && !$0.contains("/") } == ["cluster-0"])
  }

  @Test func whatSomebodyElsePutThereStays() throws {
    let (folder, images) = (try TemporaryFolder(), try grouped(6, groups: 2))
    let clusters = try Clustering.byKMeans(images, clusters: 2)
    for own in ["cluster-names.csv", "cluster-0/notes.txt", "cluster-1/2024-03-01.jpg"] {
      let path = folder.path + "/\(own.count)"
      try ClusterFolder(path).write(clusters, of: images, Packed())
      try ClusterFolder(path).write(clusters, of: images, Packed())
      try Data("mine".utf8).write(to: URL(fileURLWithPath: path + "/" + own))
      #expect(throws: OutputError.self) { try ClusterFolder(path) }
      #expect(try String(contentsOfFile: path + "/" + own, encoding: .utf8) == "mine")
    }
  }

  @Test func picturesThatNoCallHasWrittenAreNotTakenForItsOwn() throws {
    let (folder, images) = (try TemporaryFolder(), try grouped(6, groups: 2))
    let (path, copy) = (folder.path + "/out", folder.path + "/copy")
    try ClusterFolder(path).write(try Clustering.byKMeans(images, clusters: 2), of: images, Packed())
    // A copy without the list, as of whoever sorts on by hand.
    try FileManager.default.copyItem(atPath: path, toPath: copy)
    try FileManager.default.removeItem(atPath: copy + "/.written")
    #expect(throws: OutputError.self) { try ClusterFolder(copy) }
    // A picture that was changed since.
    let first = try #require(FileManager.default.contentsOfDirectory(atPath: path + "/cluster-0").sorted().first)
    try Data("changed".utf8).write(to: URL(fileURLWithPath: path + "/cluster-0/" + first))
    #expect(throws: OutputError.self) { try ClusterFolder(path) }
  }

  @Test func imagesWithinTheFolderAreNeverTakenAway() throws {
    let folder = try TemporaryFolder()
    try folder.writePictures("out/cluster-0", classes: 1, perClass: 2)
    let cluster = try ClusterFolder(folder.path + "/new")
    try cluster.requireApart(from: ImageFolder(folder.path + "/out"))
    try FileManager.default.createSymbolicLink(atPath: folder.path + "/new", withDestinationPath: "out")
    #expect(throws: OutputError.self) { try cluster.requireApart(from: ImageFolder(folder.path + "/out")) }
  }
}
