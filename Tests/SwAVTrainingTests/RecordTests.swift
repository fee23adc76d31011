import Foundation
import SwAVEngine
import SwAVTestSupport
import Testing

@testable import SwAVTraining

@Suite struct RecordTests {
  @Test func checksumIsCastagnolis() {
    // The check value of CRC-32C, and 32 zero bytes, from RFC 3720, appendix B.4.
    #expect(EventRecord.crc32c(Array("123456789".utf8)) == 0xe306_9283)
    #expect(EventRecord.crc32c([UInt8](repeating: 0, count: 32)) == 0x8a91_36aa)
  }

  @Test func recordsAreFramedAsTensorBoardReadsThem() {
    // Written by tensorboard 2.x for Event(wall_time=1.0, file_version="brain.Event:2").
    let record = EventRecord.version(wallTime: 1)
    #expect(record.prefix(8) == [24, 0, 0, 0, 0, 0, 0, 0])
    let data = Array(record[12..<36])
    #expect(data == [0x09, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0x1a, 13] + Array("brain.Event:2".utf8))
    #expect(record.count == 8 + 4 + 24 + 4)
    // Unmasking gives the checksum of what it stands behind.
    func unmasked(_ bytes: ArraySlice<UInt8>) -> UInt32 {
      let value = bytes.reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) } &- 0xa282_ead8
      return value << 15 | value >> 17
    }
    #expect(unmasked(record[8..<12]) == EventRecord.crc32c(Array(record[..<8])))
    #expect(unmasked(record[36..<40]) == EventRecord.crc32c(data))
  }

  @Test func scalarsHaveTagAndValue() {
    let record = EventRecord.scalars([("a", 2)], step: 300, wallTime: 0)
    let value: [UInt8] = [0x0a, 1, 0x61, 0x15, 0, 0, 0, 0x40]
    let expected: [UInt8] = [0x09] + [UInt8](repeating: 0, count: 8) + [0x10, 0xac, 0x02, 0x2a, 10, 0x0a, 8] + value
    #expect(Array(record[12..<record.count - 4]) == expected)
  }

  @Test func aFileIsCutBackToALength() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/file"
    do {
      var file = try AppendFile(path, keeping: 0)
      try file.append(line: "one")
      try file.append(line: "two")
      #expect(file.length == 8)
    }
    do {
      var file = try AppendFile(path, keeping: 4)
      try file.append(line: "three")
    }
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "one\nthree\n")
    let longer = try AppendFile(path, keeping: 1000)
    #expect(longer.length == 10)
  }

  @Test func aFullDiskIsNamed() throws {
    var full = try AppendFile("/dev/full", keeping: 0)
    let error = #expect(throws: PretrainingError.self) { try full.append(line: "x") }
    #expect(error == .file(path: "/dev/full", reason: "No space left on device"))
  }

  @Test func whatCannotBeWrittenIsToldOnceUntilItCanBeAgain() throws {
    let folder = try TemporaryFolder()
    try FileManager.default.createSymbolicLink(atPath: folder.path + "/log.txt", withDestinationPath: "/dev/full")
    var records = try RunRecords(
      RunFolder(path: folder.path), state: TrainingState(of: PretrainConfiguration(), data: .init(count: 7, hash: "00")))
    for line in ["a", "b", "c"] { records.log(line) }
    #expect(records.takeTroubles() == ["\(folder.path)/log.txt: No space left on device"])
    #expect(records.takeTroubles().isEmpty)
  }

  @Test func theNoteReadsBackAndForeignOnesAreRefused() throws {
    var state = TrainingState(of: PretrainConfiguration(), data: .init(count: 7, hash: "00"))
    (state.step, state.metricsBytes, state.badSamples, state.bestKNN) = (12, 345, [1, 5], 61.25)
    #expect(try TrainingState(note: try state.note, path: "p") == state)
    for note in ["", "{}", "not json"] {
      let error = #expect(throws: PretrainingError.self) { try TrainingState(note: note, path: "p") }
      #expect(error?.description.contains("p: its note is not that of a pretraining run") == true)
    }
  }

  @Test func numbersThatAreNotFiniteStayJSON() throws {
    #expect(try jsonLine(["a": Double.nan]) == #"{"a":"nan"}"#)
    #expect(try jsonLine(["imagesPerSecond": 2.5]) == #"{"imagesPerSecond":2.5}"#)
    struct Value: Encodable { var knnAccuracy = 1.5, command = "loses" }
    #expect(
      try jsonRow("result", command: "knn", Value()) == #"{"command":"knn","knn_accuracy":1.5,"schema":1,"type":"result"}"#)
    #expect(try jsonRow("note", fields: ["knn20": 1.5, "name": "a"]) == #"{"knn20":1.5,"name":"a","schema":1,"type":"note"}"#)
    // Names of people's, classes above all, are not words of ours.
    #expect(
      try jsonRow("note", fields: ["per_class": ["CatDog": 1, "catDog": 2, "URLThing": 3]])
        == #"{"per_class":{"CatDog":1,"URLThing":3,"catDog":2},"schema":1,"type":"note"}"#)
  }
}
