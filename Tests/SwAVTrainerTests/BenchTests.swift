import SwAVTestSupport
import Testing

@Suite struct BenchTests {
  private let shape = ["--arch", "resnet18", "--crops", "2x32", "--batch", "2", "--steps", "1", "--json"]

  private func rows(_ arguments: [String]) throws -> [[String: Any]] {
    let outcome = try TrainerProcess.run(["bench"] + arguments + shape)
    #expect(outcome.code == 0, "\(outcome.errors)")
    return outcome.objects
  }

  @Test func stepsAreMeasuredInEitherPrecision() throws {
    let floats = try rows(["step", "--prototypes", "8"])
    let halves = try rows(["step", "--prototypes", "8", "--precision", "bfloat16"])
    #expect(floats.map { $0["precision"] as? String } == ["float32"])
    #expect(halves.map { $0["precision"] as? String } == ["bfloat16"])
    let planned = try (floats + halves).map { try #require($0["planned_gib"] as? Double) }
    #expect(planned[1] < planned[0])
  }

  @Test func layersAreShownInBothPrecisionsUnlessOneIsNamed() throws {
    #expect(try rows(["layers"]).map { $0["precision"] as? String } == ["float32", "bfloat16"])
    let one = try rows(["layers", "--precision", "bfloat16"])
    #expect(one.map { $0["precision"] as? String } == ["bfloat16"])
    // ResNet-18 has 20 convolutions.
    #expect((one.first?["layers"] as? [[String: Any]])?.count == 20)
  }
}
