import Foundation
import SwAVTestSupport
import Testing

/// What the command says of files of weights, its own and others'.
@Suite struct InspectTests {
  private let fixtures =
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path + "/Fixtures/"

  private func inspect(_ file: String, _ arguments: String...) throws -> TrainerProcess.Outcome {
    try TrainerProcess.run(["inspect", fixtures + file] + arguments)
  }

  @Test func aTableOfTheTensorsAndWhatTheFileLoadsAs() throws {
    let outcome = try inspect("torch/torchvision_stream.pth")
    #expect(outcome.code == 0 && outcome.errors == "")
    let lines = outcome.output.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    #expect(lines[0] == fixtures + "torch/torchvision_stream.pth: PyTorch's stream")
    #expect(
      lines[1] == "loads as: resnet18b1, guessed from names and shapes (PyTorch's stream, names of torchvision): 120 "
        + "tensors matched; 2 unexpected: fc.bias, fc.weight")
    #expect(lines[3].split(separator: " ") == ["name", "shape", "type", "mean", "std", "smallest", "largest", "non-finite"])
    let stem = try #require(lines.first { $0.hasPrefix("conv1.weight ") })
    #expect(stem.contains("[1, 3, 7, 7]") && stem.contains("F32") && stem.hasSuffix(" 0"))
    #expect(lines.count == 3 + 1 + 122 + 1 + 1 && Set(lines[3...125].map(\.count)).count == 1)
    #expect(lines[126] == "122 tensors, 3281 numbers, 0 of them not finite")
  }

  @Test func rowsOfJSON() throws {
    let objects = try inspect("torch/layouts_zip.pth", "--json").objects
    #expect(objects.count == 131)
    let tensor = try #require(objects.first { $0["name"] as? String == "model.conv1.weight" })
    #expect(
      tensor["type"] as? String == "tensor" && tensor["dtype"] as? String == "F16" && (tensor["shape"] as? [Int])?.count == 4)
    let values = try #require(tensor["values"] as? [String: Any])
    #expect(values["mean"] is Double && values["non_finite"] as? Int == 0)
    let result = try #require(objects.last)
    #expect(result["type"] as? String == "result" && result["tensors"] as? Int == 130)
    let loads = try #require(result["loads_as"] as? [String: Any])
    #expect(loads["architecture"] as? String == "resnet18b1" && loads["is_guessed"] as? Bool == true)
    #expect(result["refusal"] == nil)
  }

  @Test func twoEncodersAreAChoiceByAFlag() throws {
    let outcome = try inspect("torch/moco_zip.pth.tar")
    #expect(outcome.code == 0)
    #expect(
      outcome.output.contains(
        "loads as: nothing: \(fixtures)torch/moco_zip.pth.tar holds 2 encoders, under 'state_dict.encoder_k.' and "
          + "'state_dict.encoder_q.'; choose one by its prefix (--prefix)\n"))
    #expect(try inspect("torch/moco_zip.pth.tar", "--prefix", "encoder_q").output.contains("loads as: resnet18b1, guessed"))
  }

  @Test func whatIsNoFileOfWeightsEndsWithItsExitCode() throws {
    #expect(try inspect("nowhere").code == 66)
    #expect(try inspect("torch/numpy.npz").code == 65)
    let attack = try inspect("torch/attack_stream.pth")
    #expect(attack.code == 65 && attack.errors.contains("posix.system"))
  }
}
