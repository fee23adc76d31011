import Foundation
import SwAVTestSupport
import Testing

/// `evaluate PROTOCOL`, as a person runs it.
@Suite(.serialized) struct EvaluateProtocolTests {
  let folder: TemporaryFolder
  let base = TrainerProcess.untrained + ["--train", "images", "--val", "others"]

  init() throws {
    folder = try TemporaryFolder()
    try folder.writePictures("images", perClass: 6)
    for kind in 0..<2 {
      for number in 30..<34 { try folder.write("others/class\(kind)/\(number).jpg", picture(kind: kind, number: number)) }
    }
  }

  private func evaluate(_ arguments: [String]) throws -> TrainerProcess.Outcome {
    try TrainerProcess.run(["evaluate"] + arguments + base, in: folder.path)
  }

  @Test func everyProtocolGoesFromTheCommandToItsFigure() throws {
    let short = ["--epochs", "1", "--batch", "6"]
    for (arguments, figures) in [
      (["knn"], ["knn20", "knn200", "knn20_equal", "knn200_equal", "raw_knn20"]),
      (["linear-features"], ["linear", "linear_class_mean"]),
      (["retrieval", "--depths", "1,3"], ["retrieval_map", "retrieval_recall1", "retrieval_recall3"]),
      (["clusters"], ["kmeans_nmi", "kmeans_ari", "kmeans_purity", "kmeans_hungarian", "prototypes_nmi"]),
      (["svm"], ["svm_map", "svm_cost"]),
      (
        ["linear", "--tune", "--grid", "--seeds", "2", "--checkpoint", "going"] + short,
        ["linear_sgd", "linear_sgd_best", "linear_sgd_best_epoch", "linear_sgd_rate", "linear_sgd_deviation"]
      ),
      (["transfer", "--as", "inaturalist"] + short, ["transfer", "transfer_best"]),
      (["semi", "--labels", "50", "--seeds", "2"] + short, ["semi50", "semi50_scratch", "semi50_deviation"]),
      (["finetune", "--freeze-norms", "--smoothing", "0.1", "--no-scratch"] + short, ["finetune"]),
    ] {
      let outcome = try evaluate(arguments + ["--json"])
      #expect(outcome.code == 0, "\(arguments): \(outcome.errors)")
      let row = try #require(outcome.objects.last, "\(arguments)")
      #expect(row["type"] as? String == "result" && row["command"] as? String == "evaluate \(arguments[0])")
      let units = row["units"] as? [String: String] ?? [:]
      for figure in figures { #expect(row[figure] is Double && units[figure] != nil, "\(figure) in \(row)") }
      let interval = (row["intervals"] as? [String: [Double]])?[figures[0]]
      let value = try #require(row[figures[0]] as? Double)
      #expect(interval.map { $0[0] <= value && value <= $0[1] } == true, "\(figures[0])")
    }
    let text = try evaluate(["knn"])
    #expect(text.output.contains("20-NN (12 voted: there are no more): ") && text.output.contains(" ["), "\(text.output)")
  }

  /// torchvision's files have no head and no prototypes.
  @Test func weightsWithoutAHeadGoThroughEveryProtocol() throws {
    let weights = ["--weights", FormatFixtures.folder + "/../../torch/torchvision_stream.pth", "--size", "32"]
    let images = ["--train", "images", "--val", "others", "--no-raw-pixels", "--json"]
    let short = ["--epochs", "1", "--batch", "6"]
    for (arguments, figure) in [
      (["knn"], "knn20"), (["linear-features"], "linear"), (["retrieval"], "retrieval_map"), (["clusters"], "kmeans_nmi"),
      (["svm"], "svm_map"), (["linear"] + short, "linear_sgd"), (["transfer"] + short, "transfer"),
      (["semi", "--labels", "50"] + short, "semi50_scratch"), (["finetune"] + short, "finetune_scratch"),
    ] {
      let outcome = try TrainerProcess.run(["evaluate"] + arguments + weights + images, in: folder.path)
      let row = outcome.objects.last ?? [:]
      #expect(outcome.code == 0 && row[figure] is Double, "\(arguments): \(outcome.errors)")
      #expect((row["remarks"] as? [String] ?? []).contains { $0.contains("no prototypes") } == (arguments[0] == "clusters"))
    }
  }

  @Test func aConfusionIsWrittenAsATableAndAsJSON() throws {
    #expect(try evaluate(["knn", "--confusion", "c.csv"]).code == 0)
    let table = try String(contentsOfFile: folder.path + "/c.csv", encoding: .utf8).split(separator: "\n")
    #expect(table.count == 3 && table[0] == "class,class0,class1")
    #expect(try evaluate(["knn", "--confusion", "c.json"]).code == 0)
    let data = try Data(contentsOf: URL(fileURLWithPath: folder.path + "/c.json"))
    let object = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    let counts = try #require(object["confusion"] as? [[Int]])
    #expect(object["classes"] as? [String] == ["class0", "class1"] && counts.joined().reduce(0, +) == 8)
    let unasked = try evaluate(["retrieval", "--confusion", "c.csv"])
    #expect(
      unasked.code == 64 && unasked.errors.hasPrefix("error: --confusion is given; evaluate retrieval says"),
      "\(unasked.errors)")
    let wrong = try evaluate(["knn", "--confusion", "c.txt"])
    #expect(wrong.code == 64 && wrong.errors.hasPrefix("error: --confusion is 'c.txt'"), "\(wrong.errors)")
  }

  @Test func thePublishedProgramsFlagsAreTaken() throws {
    for name in ["train", "val"] { try folder.writePictures("data/\(name)", perClass: 3) }
    let common = ["--data_path", "data", "--pretrained", "untrained", "--stem", "small", "--size", "32", "--epochs", "2"]
    let semi = try TrainerProcess.run(
      ["evaluate", "semi"] + common + [
        "--labels_perc", "100", "--lr", "0.02", "--lr_last_layer", "5", "--decay_epochs", "1", "2", "--batch_size", "4",
        "--world_size", "1", "--no-scratch",
      ], in: folder.path)
    #expect(semi.code == 0 && semi.output.contains("no effect here: --world_size 1"), "\(semi.errors)\(semi.output)")
    let linear = try TrainerProcess.run(
      ["evaluate", "linear"] + common + ["--lr", "0.3", "--wd", "1e-6", "--scheduler_type", "cosine", "--use_bn", "false"],
      in: folder.path)
    #expect(linear.code == 0 && linear.output.contains("linear by SGD, after 2 epochs"), "\(linear.errors)\(linear.output)")
  }

  @Test func aFactorWithoutStepsIsSaidToHaveNoEffect() throws {
    let flags = ["linear", "--no-augment", "--epochs", "2", "--batch", "6", "--gamma", "0.5"]
    let without = try evaluate(flags)
    #expect(without.code == 0 && without.output.contains("note: --gamma has no effect: "), "\(without.output)\(without.errors)")
    #expect(try !evaluate(flags + ["--decay-epochs", "1"]).output.contains("--gamma"))
  }

  @Test func wrongValuesAreToldInOneLine() throws {
    for (arguments, text) in [
      (["knn", "--neighbours", "20,x"], "--neighbours is '20,x'"), (["knn", "--weighting", "none"], "--weighting is 'none'"),
      (["linear", "--epochs", "0"], "--epochs is 0"), (["transfer", "--seeds", "0"], "--seeds is 0"),
      (["semi", "--rate", "-1"], "--rate is -1.0"), (["semi", "--labels", "0"], "--labels is 0.0"),
      (["semi", "--smoothing", "1"], "--smoothing is 1.0"), (["svm", "--costs", "1,-1"], "--costs is '1,-1'"),
      (["transfer", "--as", "cars"], "--as is 'cars'"), (["linear", "--decay-epochs", "a"], "--decay-epochs is 'a'"),
    ] {
      let outcome = try evaluate(arguments)
      #expect(outcome.code == 64 && outcome.errors.hasPrefix("error: " + text), "\(arguments): \(outcome.errors)")
    }
    let unknown = try TrainerProcess.run(["evaluate", "knm"], in: folder.path)
    #expect(unknown.code == 64 && unknown.errors.contains("did you mean 'knn'?"), "\(unknown.errors)")
    for name in ["0.jpg", "1.jpg"] { try folder.write("flat/\(name)", picture(kind: 0, number: 1)) }
    let flat = try TrainerProcess.run(
      ["evaluate", "svm", "--weights", "untrained", "--train", "flat", "--val", "flat"], in: folder.path)
    #expect(flat.code == 65, "\(flat.code): \(flat.errors)")
    #expect(flat.errors.contains("class"), "\(flat.errors)")
  }
}
