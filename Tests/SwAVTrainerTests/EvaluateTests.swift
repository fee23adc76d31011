import Foundation
import SwAVTestSupport
import Testing

/// What `knn`, `linear` and `pretrain --val` measure, as a person reads it.
@Suite(.serialized) struct EvaluateTests {
  let folder: TemporaryFolder
  let base = TrainerProcess.untrained

  init() throws {
    folder = try TemporaryFolder()
    try folder.writePictures("images", perClass: 6)
  }

  @Test func evaluationsSayWhatTheirFiguresAreWorth() throws {
    try folder.write("few/class0/1.jpg", picture(kind: 0, number: 40))
    try folder.write("few/class1/1.jpg", picture(kind: 1, number: 41))
    func knn(_ arguments: [String]) throws -> TrainerProcess.Outcome {
      try TrainerProcess.run(["knn"] + arguments + base, in: folder.path)
    }
    let few = try knn(["--train", "few", "--val", "images"])
    #expect(few.output.contains("20-NN (2 voted: there are no more): "), "\(few.output)")
    #expect(few.output.contains("mean of the classes ") && few.output.contains("largest class 50.00 %"), "\(few.output)")
    let same = try knn(["--train", "images", "--val", "images", "--json"])
    let result = try #require(same.objects.last)
    #expect(result["type"] as? String == "result" && result["command"] as? String == "knn" && result["schema"] as? Int == 1)
    #expect(result["knn20_voters"] as? Double == 12 && (result["units"] as? [String: String])?["knn20"] == "percent")
    #expect((result["remarks"] as? [String])?.first?.hasPrefix("12 of 12 validation images are among the training") == true)
    #expect(same.objects.contains { $0["type"] as? String == "warning" })
    let alone = try knn(["--val", "images"])
    #expect(alone.output.contains("12 validation images, each asked about among the others, 2 classes"), "\(alone.output)")
    let linear = try TrainerProcess.run(["linear", "--val", "images"] + base, in: folder.path)
    #expect(linear.code == 64 && linear.errors.hasPrefix("error: --train is missing"), "\(linear.errors)")
  }

  @Test func trainingWithoutLabelsIsMeasuredOnLabelledImagesOfTheirOwn() throws {
    for number in 0..<8 { try folder.write("flat/\(number).jpg", picture(kind: number % 2, number: 20 + number)) }
    let tiny = [
      "--crops", "2x32", "--base-width", "8", "--hidden", "16", "--dim", "8", "--prototypes", "6", "--batch", "4", "--epochs",
      "1",
      "--val", "images", "--json",
    ]
    for (output, more, note) in [("alone", [], true), ("with", ["--knn-train", "images"], false)] {
      let outcome = try TrainerProcess.run(["pretrain", "flat", "-o", output] + tiny + more, in: folder.path)
      #expect(outcome.code == 0, "\(outcome.errors)")
      let row = try #require(outcome.objects.first { $0["type"] as? String == "evaluation" })
      #expect(row["knn20"] is Double && row["val_images"] as? Int == 12 && row["majority_share"] as? Double == 50)
      #expect((row["train_images"] as? Int) == (note ? nil : 12))
      #expect(outcome.output.contains("each validation image is asked about among the others") == note, "\(outcome.output)")
    }
  }
}
