import Foundation
import SwAVTestSupport
import Testing

/// Every kind of source, as the command takes it.
@Suite(.serialized) struct SourcesTests {
  let folder: TemporaryFolder
  let small = [
    "--crops", "2x32", "--base-width", "8", "--hidden", "16", "--dim", "8", "--prototypes", "6", "--batch", "4", "--json",
  ]

  init() throws {
    folder = try TemporaryFolder()
    try folder.writePictures("images", perClass: 6)
    try folder.writePictures("more", perClass: 4)
    let names = (0..<12).map { "class\($0 / 6)/\($0 % 6).jpg" }
    try folder.write("table.csv", Array(("path,label\n" + names.map { "images/\($0),\($0.prefix(6))\n" }.joined()).utf8))
    try folder.write("list.txt", Array(names.map { "images/\($0)\n" }.joined().utf8))
    try folder.write("shards/0.tar", try shell("tar", ["cf", "-", "-C", "images", "class0"]))
    try folder.write("shards/1.tar", try shell("tar", ["cf", "-", "-C", "images", "class1"]))
  }

  /// What a command writes.
  private func shell(_ command: String, _ arguments: [String]) throws -> [UInt8] {
    let (process, pipe) = (Process(), Pipe())
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [command] + arguments
    process.currentDirectoryURL = URL(fileURLWithPath: folder.path)
    process.standardOutput = pipe
    try process.run()
    let bytes = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return [UInt8](bytes)
  }

  private func run(_ arguments: [String]) throws -> TrainerProcess.Outcome {
    try TrainerProcess.run(arguments, in: folder.path)
  }

  @Test(arguments: ["images", "table.csv", "list.txt", "shards", "shards/0.tar"])
  func everyKindTrains(_ source: String) throws {
    let outcome = try run(["pretrain", source, "-o", "run", "--epochs", "1"] + small)
    #expect(outcome.code == 0, "\(outcome.errors)")
    #expect(outcome.objects.last?["step"] as? Int == (source == "shards/0.tar" ? 1 : 3))
  }

  @Test func everyLabelledKindIsMeasuredAlike() throws {
    func knn(_ source: String) throws -> Double {
      let outcome = try run(
        ["knn"] + TrainerProcess.untrained + ["--train", source, "--val", source, "--json"])
      #expect(outcome.code == 0, "\(outcome.errors)")
      return try #require(outcome.objects.last?["knn20"] as? Double)
    }
    let reference = try knn("images")
    for source in ["table.csv", "shards"] { #expect(try knn(source) == reference, "\(source)") }
    #expect(try run(["knn", "--weights", "untrained", "--train", "list.txt", "--val", "images"]).code == 65)
    let embedded = try run(["embed", "shards", "--weights", "untrained", "--size", "32", "-o", "f.csv", "--json"])
    #expect(embedded.objects.last?["images"] as? Int == 12, "\(embedded.errors)")
    let timed = try run(["bench", "data", "--images", "table.csv", "--crops", "2x32", "--json"])
    #expect(timed.objects.last?["images"] as? Int == 12, "\(timed.errors)")
  }

  @Test func weightsDecideTheLengthOfAnEpochAndHoldAtAResume() throws {
    let sources = ["pretrain", "images", "more", "shards/0.tar", "--source-weights", "2", "0.5", "1"] + small
    // 24 + 4 + 6 draws: 8 steps an epoch.
    let whole = try run(sources + ["-o", "whole", "--epochs", "2"])
    #expect(whole.code == 0 && whole.objects.last?["step"] as? Int == 16, "\(whole.errors)")
    let killed = try TrainerProcess.run(
      sources + ["-o", "killed", "--epochs", "2", "--checkpoint-steps", "3"], in: folder.path
    ) { process in
      let metrics = folder.path + "/killed/metrics.jsonl"
      while process.isRunning, ((try? String(contentsOfFile: metrics, encoding: .utf8)) ?? "").count(where: { $0 == "\n" }) < 7
      {
        Thread.sleep(forTimeInterval: 0.002)
      }
      kill(process.processIdentifier, SIGKILL)
    }
    #expect(killed.code == 137 || killed.code == 0)
    #expect(try run(sources + ["-o", "killed", "--epochs", "2"]).code == 0)
    let weights = ["whole", "killed"].map { FileManager.default.contents(atPath: folder.path + "/\($0)/weights.safetensors") }
    #expect(weights[0] != nil && weights[0] == weights[1])
    let other = try run(["pretrain", "images", "more", "shards/0.tar", "-o", "killed", "--epochs", "2"] + small)
    #expect(other.code == 64 && other.errors.contains("source-weights 2.0,0.5,1.0 -> unset"), "\(other.errors)")
    let config = try String(contentsOfFile: folder.path + "/whole/config.yaml", encoding: .utf8)
    #expect(config.contains("source-weights: 2.0,0.5,1.0"))
  }
}
