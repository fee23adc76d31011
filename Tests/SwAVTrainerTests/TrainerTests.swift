import Foundation
import SwAVTestSupport
import Testing

/// The command as a person or a script meets it.
@Suite(.serialized) struct TrainerTests {
  let folder: TemporaryFolder
  /// Small enough that a run of 12 steps takes a second or two.
  let small = [
    "--crops", "2x32+2x16", "--base-width", "8", "--hidden", "16", "--dim", "8", "--prototypes", "6", "--batch", "4",
    "--epochs", "4", "--queue", "8", "--queue-start-epoch", "1",
  ]

  init() throws { folder = try TemporaryFolder() }

  private func pretrain(
    _ output: String, _ more: [String] = [], environment: [String: String] = [:],
    whileRunning: (Process) throws -> Void = { _ in }
  ) throws -> TrainerProcess.Outcome {
    try TrainerProcess.run(
      ["pretrain", "images", "--output", output] + small + more, environment: environment, in: folder.path,
      whileRunning: whileRunning)
  }

  private func weights(_ output: String) throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: folder.path + "/\(output)/weights.safetensors"))
  }

  private func steps(_ output: String) -> Int {
    let text = (try? String(contentsOfFile: folder.path + "/\(output)/metrics.jsonl", encoding: .utf8)) ?? ""
    return text.split(separator: "\n").count { $0.contains("\"type\":\"step\"") }
  }

  /// Waits until a run has so many rows of metrics, or has ended.
  private func wait(for rows: Int, of output: String, _ process: Process) {
    while process.isRunning && steps(output) < rows { Thread.sleep(forTimeInterval: 0.002) }
  }

  @Test func killedAtAnyMomentItEndsWithTheSameWeights() throws {
    try folder.writePictures("images", perClass: 6)
    #expect(try pretrain("whole").code == 0)
    let reference = try weights("whole")
    // Killed before the first checkpoint, between checkpoints, again and again; each time with other threads.
    for (turn, rows) in [1, 2, 5, 9, 11].enumerated() {
      let outcome = try pretrain(
        "killed", ["--checkpoint-steps", "2", "--threads", "\(1 + turn % 3)", "--workers", "\(1 + turn % 2)"]
      ) { process in
        wait(for: rows, of: "killed", process)
        kill(process.processIdentifier, SIGKILL)
      }
      #expect(outcome.code == 137 || outcome.code == 0, "\(outcome.errors)")
    }
    let last = try pretrain("killed", ["--checkpoint-steps", "2"])
    #expect(last.code == 0, "\(last.errors)")
    #expect(try weights("killed") == reference)
    #expect(steps("killed") == 12)
  }

  @Test func jsonGivesAnObjectALineAndTheResultLast() throws {
    try folder.writePictures("images", perClass: 6)
    try folder.write("images/class0/broken.jpg", Array("no picture".utf8))
    let outcome = try pretrain("run", ["--json", "--val", "images"])
    #expect(outcome.code == 0, "\(outcome.errors)")
    #expect(outcome.objects.count == outcome.output.split(separator: "\n").count)
    #expect(outcome.objects.filter { $0["loss"] != nil && $0["ln_k"] != nil && $0["data_wait"] != nil }.count >= 12)
    #expect(outcome.objects.contains { $0["bad_image"] as? String == "class0/broken.jpg" })
    let knn = outcome.objects.compactMap { $0["knn20"] as? Double }
    #expect(knn.count == 5 && knn.allSatisfy { (0...100).contains($0) })
    let result = try #require(outcome.objects.last)
    #expect(result["outcome"] as? String == "finished" && result["step"] as? Int == 12)
    #expect(result["bad_images"] as? Int == 1)
    let again = try pretrain("run", ["--json", "--val", "images"])
    #expect(again.code == 0 && again.objects.last?["outcome"] as? String == "already_finished")
  }

  @Test func plainLinesComeWhereThereIsNoTerminal() throws {
    try folder.writePictures("images", perClass: 6)
    let outcome = try pretrain("run")
    #expect(outcome.code == 0)
    #expect(!outcome.output.contains("\u{1b}") && !outcome.output.contains("\r"))
    #expect(outcome.output.contains("step 12/12  loss ") && outcome.output.contains("weights: run/weights.safetensors"))
    #expect(outcome.output.contains("memory planned: "))
    // Which of the two limits is not for a test to say; that it is said once, on the screen and in the log, is.
    let log = try String(contentsOfFile: folder.path + "/run/log.txt", encoding: .utf8)
    for text in [outcome.output, log] { #expect(text.components(separatedBy: "advice: ").count == 2) }
  }

  @Test func aFlagBeatsTheFileAndPrintConfigShowsTheResult() throws {
    try folder.writePictures("images", perClass: 6)
    try folder.write("settings.yaml", Array("batch: 3\nepochs: 7\nnmb_prototypes: 11\n".utf8))
    let outcome = try TrainerProcess.run(
      [
        "pretrain", "images", "--config", "settings.yaml", "--batch_size", "5", "--nmb_crops", "2", "1", "--size_crops", "48",
        "32", "--winograd", "off", "--print-config",
      ],
      in: folder.path)
    #expect(outcome.code == 0, "\(outcome.errors)")
    let lines = outcome.output.split(separator: "\n")
    for line in ["batch: 5", "epochs: 7", "prototypes: 11", "crops: 2x48+1x32", "min-scale: 0.4,0.15", "winograd: off"] {
      #expect(lines.contains(Substring(line)), "\(line)")
    }
  }

  @Test func aFileMaySayWhereTheRunGoes() throws {
    try folder.writePictures("images", perClass: 6)
    try folder.write("settings.yaml", Array("output: there\nval: images\nresume: never\nepochs: 1\n".utf8))
    let tiny = ["--crops", "2x32", "--base-width", "8", "--hidden", "16", "--dim", "8", "--prototypes", "6", "--batch", "4"]
    let arguments = ["pretrain", "images", "--config", "settings.yaml", "--json"] + tiny
    let first = try TrainerProcess.run(arguments, in: folder.path)
    #expect(first.code == 0, "\(first.errors)")
    #expect(first.objects.last?["knn20"] is Double)
    #expect(try weights("there").count > 0)
    #expect(try TrainerProcess.run(arguments, in: folder.path).code == 73)
  }

  @Test func measuresAndExportsWhatItLearned() throws {
    try folder.writePictures("images", classes: 2, perClass: 6)
    #expect(try pretrain("run").code == 0)
    func run(_ arguments: [String]) throws -> [String: Any] {
      let outcome = try TrainerProcess.run(arguments + ["--json"], in: folder.path)
      #expect(outcome.code == 0, "\(arguments): \(outcome.errors)")
      return try #require(outcome.objects.last)
    }
    let data = ["--train", "images", "--val", "images"]
    for weights in ["run", "run/weights.safetensors", "run/checkpoint", "untrained"] {
      let size = weights == "untrained" ? ["--size", "32", "--stem", "small"] : []
      let knn = try run(["knn", "--weights", weights] + data + size)
      #expect((knn["knn20"] as? Double).map { (0...100).contains($0) } == true && knn["raw_knn20"] is Double)
    }
    #expect(try run(["linear", "--weights", "run", "--recalibrate"] + data)["linear"] is Double)
    let integers = try run(["knn", "--weights", "run", "--precision", "int8", "--calibrate", "images"] + data)
    #expect(integers["knn20"] is Double && integers["precision"] as? String == "int8")
    let bfloats = try run(["knn", "--weights", "run", "--precision", "bfloat16"] + data)
    #expect(bfloats["knn20"] is Double && bfloats["precision"] as? String == "bfloat16")
    let automatic = try run(["linear", "--weights", "run", "--precision", "auto"] + data)["precision"] as? String
    let info = try run(["info"])
    let isFast = try #require(info["fast_bfloat16"] as? Bool)
    #expect(automatic == (isFast ? "bfloat16" : "float32"))
    #expect(try run(["embed", "images", "--weights", "run", "--output", "f.csv"])["dim"] as? Int == 64)
    #expect(try String(contentsOfFile: folder.path + "/f.csv", encoding: .utf8).split(separator: "\n").count == 13)
    #expect(try run(["embed", "images", "--weights", "run", "--layer", "scores", "--output", "f.npy"])["dim"] as? Int == 6)
    #expect(try FileManager.default.attributesOfItem(atPath: folder.path + "/f.npy")[.size] as? Int == 128 + 12 * 6 * 4)
    let embedded = try run(["embed", "images", "--weights", "run", "--precision", "int8", "--output", "i.csv"])
    #expect(embedded["images"] as? Int == 12)
    let tables = try ["f", "i"].map { try String(contentsOfFile: folder.path + "/\($0).csv", encoding: .utf8) }
    #expect(tables[0] != tables[1] && tables.allSatisfy { $0.split(separator: "\n").count == 13 })
    for (flags, reason) in [
      (["--precision", "int4"], "--precision is 'int4'"), (["--calibrate", "images"], "--calibrate is given"),
    ] {
      let outcome = try TrainerProcess.run(
        ["embed", "images", "--weights", "run", "--output", "i.csv"] + flags, in: folder.path)
      #expect(outcome.code == 64 && outcome.errors.contains(reason), "\(outcome.errors)")
    }
  }

  @Test func benchmarksPrintTheKeysOfTheScript() throws {
    func keys(_ arguments: [String]) throws -> Set<String> {
      let outcome = try TrainerProcess.run(["bench"] + arguments + ["--json"], in: folder.path)
      #expect(outcome.code == 0, "\(outcome.errors)")
      return Set(try #require(outcome.objects.last).keys)
    }
    let step = try keys([
      "step", "--arch", "resnet18", "--crops", "2x32", "--batch", "2", "--prototypes", "5", "--steps", "1", "--optimizer",
      "sgd", "--profile",
    ])
    #expect(
      step.isSuperset(of: [
        "command", "arch", "crops", "batch", "threads", "seconds", "forward", "backward", "update", "images_per_second",
        "peak_rss_gib", "profile",
      ]))
    let layers = try keys(["layers", "--arch", "resnet18", "--crops", "2x32", "--batch", "2", "--steps", "1"])
    #expect(layers.isSuperset(of: ["command", "arch", "crops", "batch", "threads", "peak_gflops", "layers"]))
    let embed = try keys(["embed", "--arch", "resnet18", "--size", "32", "--batch", "1", "--steps", "1"])
    #expect(embed.isSuperset(of: ["command", "arch", "size", "batch", "threads", "images_per_second"]))
    let integers = ["embed", "--arch", "resnet18", "--size", "32", "--batch", "1", "--steps", "1", "--precision", "int8"]
    #expect(try keys(integers).contains("precision"))
    #expect(try keys(integers.dropLast() + ["bfloat16"]).contains("precision"))
    let sinkhorn = try keys(["sinkhorn", "--batch", "16", "--prototypes", "8", "--steps", "1", "--threads", "2"])
    #expect(sinkhorn.isSuperset(of: ["command", "batch", "prototypes", "threads", "codes_ms", "loss_and_gradient_ms"]))
    try folder.writePictures("images", perClass: 2)
    try folder.write("list.txt", Array("images/class0/0.jpg\nimages/class1/1.jpg\n".utf8))
    let data = try keys(["data", "--list", "list.txt", "--crops", "2x32", "--threads", "1"])
    #expect(data.isSuperset(of: ["command", "crops", "images", "images_per_second_per_core"]))
  }
}
