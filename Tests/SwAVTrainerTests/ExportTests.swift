import Foundation
import SwAVTestSupport
import Testing

/// `export` and `pretrain --init-from` as commands.
@Suite(.serialized) struct ExportTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try folder.writePictures("images", perClass: 8)
  }

  private func run(_ arguments: String...) throws -> TrainerProcess.Outcome {
    try TrainerProcess.run(arguments, in: folder.path)
  }

  private func pretrain(_ output: String, _ arguments: String...) throws -> TrainerProcess.Outcome {
    let small = ["--crops", "2x32+2x16", "--batch", "4", "--epochs", "2", "--output", output]
    return try TrainerProcess.run(["pretrain", "images"] + small + arguments, in: folder.path)
  }

  @Test func aRunIsExportedWithHowItWasMadeAndBeginsAnotherOne() throws {
    let first = try pretrain("run", "--base-width", "8", "--prototypes", "6", "--val", "images")
    #expect(first.code == 0, "\(first.errors)")
    let exported = try run("export", "run", "--format", "onnx", "-o", "out", "--fold", "--head", "--licence", "CC BY 4.0")
    #expect(exported.code == 0 && exported.output.hasPrefix("weights: run/weights.safetensors, step 8 of 8"), "\(exported)")
    #expect(exported.output.contains("card: out/README.md, with the lines that check out/fixture.safetensors"))
    let card = try String(contentsOfFile: folder.path + "/out/README.md", encoding: .utf8)
    for part in [
      "| images | 16, unlabelled |", "step 8 of 8, 2 epochs done", "kNN accuracy", "| loss | ", "### Machine", "| seed | `0` |",
      "CC BY 4.0", "batch-norm folded", "scores",
    ] { #expect(card.contains(part), "\(part)") }
    #expect(!card.contains(folder.path))
    // With the head all numbers count, without it those of the backbone.
    func learned(_ card: String) -> Int? {
      card.split(separator: "\n").first { $0.hasPrefix("| learned numbers |") }?.split(separator: "|").last.flatMap {
        Int($0.trimmingCharacters(in: .whitespaces))
      }
    }
    #expect(try run("export", "run", "--format", "torch", "-o", "torch").code == 0)
    let (whole, backbone) = (
      learned(card), learned(try String(contentsOfFile: folder.path + "/torch/README.md", encoding: .utf8))
    )
    // A ResNet-18 of 8 channels; the head has a hidden layer, its norm, 8 numbers and 6 prototypes at least.
    #expect(try #require(backbone) > 150_000 && (try #require(whole)) > (try #require(backbone)) + 64 * 8, "\(card)")
    let inspected = try run("inspect", "run").output
    #expect(inspected.hasPrefix("run/weights.safetensors: safetensors\n"))
    #expect(inspected.contains("\nloads as: resnet18b8, as its metadata says "))

    let continued = try pretrain("next", "--init-from", "run", "--init-prototypes", "kmeans", "--prototypes", "5")
    #expect(continued.code == 0, "\(continued.errors)")
    #expect(
      continued.output.contains("kept: backbone, projection head; begun anew: prototypes (k-means over 16 embeddings, "),
      "\(continued.output)")
    let rows = try TrainerProcess.run(
      ["pretrain", "images", "--init-from", "run", "--crops", "2x32", "--batch", "4", "--epochs", "1", "-o", "json", "--json"],
      in: folder.path
    ).objects
    let initial = try #require(rows.first { $0["type"] as? String == "initialized" })
    #expect(initial["kept"] as? [String] == ["backbone", "projection head", "prototypes"])
  }

  @Test func integersAreCalibratedOnImages() throws {
    #expect(try pretrain("run", "--base-width", "8", "--prototypes", "6").code == 0)
    let exported = try run(
      "export", "run", "--format", "onnx", "-o", "m.onnx", "--precision", "int8", "--calibrate", "images", "--json")
    #expect(exported.code == 0, "\(exported.errors)")
    #expect(exported.objects.last?["weights"] as? String == "m.onnx")
    let lacking = try run("export", "run", "--format", "onnx", "-o", "m.onnx", "--precision", "int8")
    #expect(lacking.code == 64 && lacking.errors.contains("--calibrate is needed"))
  }

  @Test func wrongWordsAreNamed() throws {
    for (words, message) in [
      (["--format", "jax", "-o", "x"], "--format is 'jax'; one of safetensors, torch, onnx, timm is needed"),
      (["--format", "torch", "-o", "x", "--keys", "keras"], "--keys is 'keras'; one of torchvision, timm, detectron2, mmdet"),
      (["--format", "torch", "-o", "x", "--fold"], "folding and integers are of the format onnx"),
      (["--format", "torch", "-o", "x", "--precision", "bfloat16"], "--precision is 'bfloat16'; float32 or int8 is needed"),
      (["--format", "onnx", "-o", "x", "--calibrate", "images"], "--calibrate is given; it needs --precision int8"),
    ] {
      let weights = FileManager.default.fileExists(atPath: folder.path + "/w") ? "w" : try weights()
      let outcome = try TrainerProcess.run(["export", weights] + words, in: folder.path)
      #expect(outcome.code == 64 && outcome.errors.contains(message), "\(outcome.errors)")
    }
    #expect(try run("export", "nowhere", "--format", "torch", "-o", "x").code == 66)
  }

  /// Any file that loads.
  private func weights() throws -> String {
    let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path + "/Fixtures/"
    try FileManager.default.copyItem(atPath: fixtures + "torch/torchvision_stream.pth", toPath: folder.path + "/w")
    return "w"
  }
}
