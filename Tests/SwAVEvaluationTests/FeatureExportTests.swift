import Foundation
import SwAVData
import SwAVModel
import SwAVTestSupport
import Testing

@testable import SwAVEvaluation

/// Files of features: what they hold, and that an end before the end costs nothing.
@Suite struct FeatureExportTests {
  let folder: TemporaryFolder
  let network: Network

  init() throws {
    folder = try TemporaryFolder()
    try folder.writePictures("images", classes: 2, perClass: 7)
    try folder.write("images/class0/3.jpg", Array("gone".utf8))
    network = try smallNetwork()
  }

  private func source() throws -> ImageFolder { try ImageFolder(folder.path + "/images") }
  private func path(_ name: String) -> String { folder.path + "/" + name }
  private func bytes(_ name: String) throws -> [UInt8] { try [UInt8](Data(contentsOf: URL(fileURLWithPath: path(name)))) }
  private func files() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0 != "images" }.sorted()
  }

  private func settings(_ format: FeatureFormat) -> FeatureExport.Settings {
    FeatureExport.Settings(format, batch: 4, network: "weights")
  }

  /// Exports to a name; where `stop` is given, until that number of images is done. Returns the export.
  @discardableResult
  private func export(_ name: String, _ settings: FeatureExport.Settings, stop: Int? = nil) throws -> FeatureExport {
    struct Stop: Error {}
    let export = try FeatureExport(source(), to: path(name), settings)
    do {
      try export.run(network, reading: ReadingOptions(workers: 2)) { done in
        if let stop, done >= stop { throw Stop() }
      }
    } catch is Stop {}
    return export
  }

  @Test func everyFormatHoldsTheSameNumbers() throws {
    let features = try Features.extract(from: source(), network: network, options: ReadingOptions(workers: 2, batch: 4))
    let names = try features.samples.map { try source().name(of: $0) }
    for format in FeatureFormat.allCases { try export("f.\(format.rawValue)", settings(format)) }
    #expect(
      try files() == ["f.csv", "f.jsonl", "f.npy", "f.npy.names.txt", "f.safetensors", "f.safetensors.names.txt"])

    let lines = String(decoding: try bytes("f.csv"), as: UTF8.self).split(separator: "\n")
    #expect(lines.count == 14 && lines[0].hasPrefix("name,class,f0,f1,") && lines[1].hasPrefix("class0/0.jpg,class0,"))
    #expect(lines.dropFirst().flatMap { $0.split(separator: ",").dropFirst(2).map { Float($0) } } == features.values)

    let objects = try String(decoding: bytes("f.jsonl"), as: UTF8.self).split(separator: "\n").map {
      try #require(JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
    }
    #expect(objects.map { $0["name"] as? String } == names && objects[12]["class"] as? String == "class1")
    #expect(objects.allSatisfy { $0["type"] as? String == "features" && $0["schema"] as? Int == 1 })
    let numbers = objects.flatMap { ($0["features"] as? [NSNumber] ?? []).map(\.floatValue) }
    #expect(numbers == features.values)

    let raw = features.values.flatMap { value in withUnsafeBytes(of: value) { Array($0) } }
    let npy = try bytes("f.npy")
    #expect(npy.prefix(8) == [0x93] + Array("NUMPY".utf8) + [1, 0] && npy[127] == 0x0a && Array(npy[128...]) == raw)
    #expect(
      String(decoding: npy[10..<127], as: UTF8.self).hasPrefix(
        "{'descr': '<f4', 'fortran_order': False, 'shape': (13, 64), }"))
    let tensors = try bytes("f.safetensors")
    let header = try JSONSerialization.jsonObject(with: Data(tensors[8..<256])) as? [String: [String: Any]]
    #expect(tensors[0] == 248 && header?["features"]?["shape"] as? [Int] == [13, 64])
    #expect(header?["features"]?["data_offsets"] as? [Int] == [0, raw.count] && Array(tensors[256...]) == raw)
    for file in ["f.npy.names.txt", "f.safetensors.names.txt"] {
      #expect(String(decoding: try bytes(file), as: UTF8.self) == names.map { $0 + "\n" }.joined())
    }
  }

  @Test func rowsAreScaledAndRoundedOnRequest() throws {
    var settings = settings(.npy)
    (settings.normalizes, settings.element) = (true, .float16)
    try export("f.npy", settings)
    let numbers = try bytes("f.npy").dropFirst(128).withUnsafeBytes { Array($0.bindMemory(to: Float16.self)) }
    let features = try Features.extract(from: source(), network: network, options: ReadingOptions(workers: 2, batch: 4))
    #expect(numbers.count == features.values.count)
    for row in 0..<features.count {
      let norm = features.row(row).reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
      for (a, b) in zip(features.row(row), numbers[row * 64..<(row + 1) * 64]) {
        // Half a unit in the last place of a number below 1, after one rounding to float.
        #expect(abs(Double(a) / norm - Double(b)) <= Double(Float16.ulpOfOne) / 2)
      }
    }
  }

  @Test(arguments: FeatureFormat.allCases)
  func anExportThatWasStoppedGoesOnWithNothingTwiceAndNothingLost(_ format: FeatureFormat) throws {
    let (whole, stopped) = ("whole.\(format.rawValue)", "stopped.\(format.rawValue)")
    try export(whole, settings(format))
    let first = try export(stopped, settings(format), stop: 4)
    #expect(first.kept == 4)
    #expect(!FileManager.default.fileExists(atPath: path(stopped)))
    // Rows that were written after the state was saved, as before a power failure, do not count.
    let partial = try FileHandle(forWritingTo: URL(fileURLWithPath: path(stopped) + ".partial"))
    try partial.seekToEnd()
    try partial.write(contentsOf: Data("torn".utf8))
    try partial.close()
    let second = try export(stopped, settings(format), stop: 12)
    #expect(second.resumedAt == 4 && second.kept == 12)
    #expect(try export(stopped, settings(format)).resumedAt == 12)
    #expect(try bytes(stopped) == bytes(whole))
    if format.hasNamesBeside { #expect(try bytes(stopped + ".names.txt") == bytes(whole + ".names.txt")) }
    #expect(try files().allSatisfy { !$0.contains("partial") })
  }

  @Test func whatAnotherExportLeftIsNotGoneOnWith() throws {
    try export("f.csv", settings(.csv), stop: 4)
    var other = settings(.csv)
    other.network = "other weights"
    let export = try FeatureExport(source(), to: path("f.csv"), other)
    #expect(export.resumedAt == 0 && export.replacedOther)
    #expect(throws: FeatureFileError.self) { try FeatureExport(source(), to: path("f.csv"), other) }
  }

  @Test func aFileThatCannotBeWrittenIsToldAtOnce() throws {
    try folder.write("folder.csv/inside", [])
    for (name, reason) in [("nowhere/f.csv", "No such file or directory"), ("folder.csv", "a folder; a file is needed")] {
      let error = #expect(throws: FeatureFileError.self) { try FeatureExport(source(), to: path(name), settings(.csv)) }
      #expect(error?.description.hasSuffix("\(name): \(reason)") == true, "\(error as Any)")
    }
  }

  @Test func anExportOfNothingReadableLeavesNothing() throws {
    for file in try source().paths { try folder.write("images/" + file, Array("gone".utf8)) }
    let error = #expect(throws: DataError.self) { try export("f.npy", settings(.npy)) }
    #expect(error?.description == "none of 14 images could be read")
    #expect(try files() == [])
  }
}

extension ImageFolder {
  fileprivate var paths: [String] { (0..<count).map { name(of: $0) } }
}
