import ArgumentParser
import Foundation
import SwAV
import SwAVPages

struct PretrainCommand: PlanningCommand, RankedCommand {
  static let settings = Setting.all

  static let configuration = CommandConfiguration(
    commandName: "pretrain",
    abstract: "Learn features from images.",
    discussion: """
      Images are a folder, flat or nested; a list (.txt, one path a line); a table
      (.csv with a column path, perhaps one named label); a WebDataset-style
      archive (.tar), or a folder of such archives; a CIFAR batch (.bin). Several
      are taken together. RUN gets config.yaml, metrics.jsonl, log.txt,
      environment.json, a TensorBoard event file, checkpoint and
      weights.safetensors. The same command again goes on where the last run
      stopped, bit for bit; what is not given is planned for the images.

      SIGINT (Ctrl-C), SIGTERM, SIGQUIT and, unless ignored as by nohup, SIGHUP end
      the run within seconds, after a checkpoint; a second one ends it at once,
      with the checkpoint that is there. SIGUSR1 writes a checkpoint and goes on.

      SETTINGS ('trainer help settings' shows all; spellings of the published
      program, --nmb_prototypes, --queue_length, ..., are taken as well):
      \(HelpColumns.rows(settings.filter(\.isCommon)))
      """)

  @Argument(help: ArgumentHelp("The images: one source or several.", valueName: "images"))
  var images: [String] = []
  @Option(help: ArgumentHelp("Settings as YAML, by the names of the flags; a flag beats it.", valueName: "file"))
  var config: String?
  @Flag(help: "Print the resolved settings as YAML, and do nothing.")
  var printConfig = false
  @Flag(inversion: .prefixedNo, help: "Write RUN/report.html at the end.")
  var report = true
  @OptionGroup var out: OutputOptions
  var given = GivenSettings()

  func run() throws {
    let began = ContinuousClock.now
    try Failure.reporting(json: out.json) {
      let given = try layers()
      let how = given.text(of: "resume") ?? Pretraining.Resume.auto.rawValue
      guard let resume = Pretraining.Resume(rawValue: how) else {
        throw PretrainingError.setting(origin: given.origin(of: "resume"), value: how, allowed: "auto or never is needed")
      }
      let output = given.text(of: "output")
      // Without a folder there is nothing to measure for; what is printed is a file of settings then, and nothing else.
      let planned = try planned(
        given, goingOnWith: resume == .auto ? output : nil, isQuiet: printConfig, measures: output != nil && !printConfig)
      if printConfig {
        if out.json { return try planned.showPlan(json: true) }
        return print(planned.plan.configuration.yaml, terminator: "")
      }
      guard let output else {
        throw ValidationError("--output is missing; give the folder for the run, as --output run")
      }
      var pretraining = try LaunchedRanks.agree {
        var pretraining = Pretraining(
          images: planned.source, validation: try given.text(of: "val").map { try out.open([$0], labelled: true) },
          configuration: planned.plan.configuration, output: output, resume: resume)
        pretraining.knnTraining = try given.text(of: "knn-train").map { try out.open([$0], labelled: true) }
        return pretraining
      }
      pretraining.imagePaths = planned.paths
      pretraining.validationPaths = given.text(of: "val").map { [$0] }
      pretraining.ranks = LaunchedRanks.group
      pretraining.remarks = planned.plan.reasons + planned.plan.kept + planned.plan.notes
      try planned.showPlan(json: out.json)
      if pretraining.validation != nil, pretraining.knnTraining == nil, planned.source.classNames.isEmpty {
        let note = "kNN: the training images have no classes, so each validation image is asked about among the others"
        print(out.json ? try jsonRow("note", ["note": note]) : "note: " + note)
        pretraining.remarks.append(note)
      }
      pretraining.secondsBefore = (ContinuousClock.now - began) / .seconds(1)
      try PretrainingSession(pretraining, writesReport: report && LaunchedRanks.group?.isRoot ?? true, json: out.json).run()
    }
  }
}

/// Runs a pretraining, shows its progress and ends with the exit code of a signal, if one came.
struct PretrainingSession {
  let pretraining: Pretraining
  let writesReport: Bool
  let json: Bool

  init(_ pretraining: Pretraining, writesReport: Bool, json: Bool) {
    (self.pretraining, self.writesReport, self.json) = (pretraining, writesReport, json)
  }

  func run() throws {
    let result = try train()
    var console = Console(json: json)
    if result.outcome == .finished, writesReport {
      try RunReport.write(
        ofRunAt: pretraining.output, pretraining.images, pretraining.validation, pretraining.configuration, &console, json: json
      )
    }
    try console.show(result, images: pretraining.images)
    if result.outcome == .interrupted { throw ExitCode(try LaunchedRanks.most(StopSignal.exitCode)) }
  }

  /// The same without the closing lines.
  func train() throws -> PretrainingResult {
    let control = StopSignal.installForRun()
    var console = Console(json: json)
    defer { console.finishBar() }
    do {
      return try pretraining.run(control: control) { try console.show($0) }
    } catch PretrainingError.cancelled {
      throw ExitCode(StopSignal.exitCode)
    }
  }
}
