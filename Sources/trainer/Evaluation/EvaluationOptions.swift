import ArgumentParser
import Foundation
import SwAV

/// Flags that all evaluations share.
struct EvaluationOptions: ParsableArguments {
  @OptionGroup var network: WeightsOptions
  @Option(help: ArgumentHelp("Labelled images to learn from, as DIR/CLASS/FILE.", valueName: "images"))
  var train: String?
  @Option(help: ArgumentHelp("Labelled images that are asked about.", valueName: "images"))
  var val: String
  @Flag(help: "Re-estimate batch-norm buffers on --train first.")
  var recalibrate = false
  @OptionGroup var inference: InferenceOptions
  @Flag(inversion: .prefixedNo, help: "Measure 16x16 thumbnails too.")
  var rawPixels = true
  @Option(help: ArgumentHelp("File.csv or .json: who was taken for whom.", valueName: "file"))
  var confusion: String?
  @OptionGroup var pictures: PictureOptions
  @OptionGroup var threads: ThreadOptions
  @OptionGroup var out: OutputOptions

  func validate() throws {
    if let confusion, ![".csv", ".json"].contains(where: { confusion.lowercased().hasSuffix($0) }) {
      throw ValidationError("--confusion is '\(confusion)'; a name that ends in .csv or .json is needed")
    }
  }

  /// Measures and shows. `command` is what the result's row is of.
  /// `checkpoint`: the file that the judges go on from after an interruption.
  func run(
    _ judges: [any EvaluationProtocol], command: String, part: (train: String, val: String)? = nil, checkpoint: String? = nil
  ) throws {
    try Failure.reporting(json: out.json) {
      let evaluation = try LaunchedRanks.agree {
        guard train != nil || !judges.contains(where: \.needsTrainingImages) else {
          throw ValidationError("--train is missing; \(command) learns from labelled images")
        }
        guard confusion == nil || judges.contains(where: \.saysClasses) else { throw noConfusion(command) }
        if let confusion { try requireWritable(confusion, json: out.json) }
        return try self.evaluation(judges)
      }
      try LaunchedRanks.setThreads(threads.threads)
      let kept = checkpoint.map { "\($0) has the last whole epoch, if there was one: the same command goes on from it" }
      let report = try endingOnSignal(stopped: kept ?? "nothing was measured", json: out.json) {
        let (images, network) = try LaunchedRanks.agree { (try self.images(part), try self.network.open(json: out.json)) }
        for source in [images.train, images.val].compactMap(\.self) {
          try LaunchedRanks.group?.requireSameImages(source)
        }
        var console = Console(json: out.json)
        defer { console.finishBar() }
        // Each process has all features, and measures the same.
        return try LaunchedRanks.agree {
          try evaluation.run(images, network: network) { console.showProgress($0, done: $1, total: $2) }
        }
      }
      try show(report, command)
      if let confusion { try LaunchedRanks.onRoot { try write(report, to: confusion) } }
    }
  }

  private func evaluation(_ judges: [any EvaluationProtocol]) throws -> Evaluation {
    var evaluation = Evaluation(judges)
    evaluation.size = network.size
    evaluation.recalibrates = recalibrate
    evaluation.inference = try inference.inference()
    evaluation.calibration = try inference.calibration()
    evaluation.includesRawPixels = rawPixels
    evaluation.reading = try threads.reading(pictures)
    return evaluation
  }

  /// `part`: images may have several classes, and these are the lists of a Pascal folder.
  private func images(_ part: (train: String, val: String)?) throws -> EvaluationImages {
    guard let part, let train else {
      return try EvaluationImages(
        train: train.map { try out.open([$0], labelled: true) }, val: out.open([val], labelled: true))
    }
    return try EvaluationImages(
      train: MultiLabelImages.open(train, part: part.train), val: MultiLabelImages.open(val, part: part.val))
  }

  private func show(_ report: EvaluationReport, _ command: String) throws {
    if out.json {
      for bad in report.bad { print(try jsonRow("bad_image", ["bad_image": bad.name, "reason": bad.reason])) }
      for remark in report.remarks { print(try jsonRow("warning", ["warning": remark])) }
      let settings: [String: any Encodable] = [
        "weights": network.weights, "recalibrated": recalibrate, "precision": try inference.inference().rawValue,
      ]
      return print(try jsonRow("result", command: command, fields: settings.merging(report.fields) { $1 }))
    }
    for bad in report.bad { print("left out \(bad.name): \(bad.reason)") }
    for line in report.lines { print(line) }
    if let chosen = try inference.chosen() { print(chosen) }
  }

  private func noConfusion(_ command: String) -> ValidationError {
    ValidationError("--confusion is given; \(command) says of no image that it is of one class")
  }

  /// What each class was taken for, of the first result that says so.
  private func write(_ report: EvaluationReport, to path: String) throws {
    guard let found = report.confusion else { throw noConfusion(report.results.first?.name ?? "it") }
    struct Table: Encodable {
      var classes: [String]
      /// [truth][said].
      var confusion: [[Int]]
    }
    let data =
      path.lowercased().hasSuffix(".csv")
      ? Data(found.csv(report.classNames).utf8)
      : try JSONEncoder().encode(Table(classes: report.classNames, confusion: found.rows))
    do { try data.write(to: URL(fileURLWithPath: path), options: .atomic) } catch {
      throw Failure(code: .io, message: "\(path): \(error.localizedDescription)", json: out.json)
    }
  }
}
