import ArgumentParser
import Foundation
import SwAV

struct PretrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pretrain",
    abstract: "Learn features from images.",
    discussion: """
      Images are a folder, flat or nested; a list (.txt, one path a line); a table
      (.csv with a column path, perhaps one named label); a WebDataset-style
      archive (.tar), or a folder of such archives; a CIFAR batch (.bin). Several
      are taken together; --source-weights says how often the images of each come
      in an epoch: 2 is twice, 0.5 every other one, others each epoch.

      With nothing but the folder, crops, batch and prototypes are chosen to fit
      the images, and the choice is printed. RUN gets config.yaml, metrics.jsonl,
      log.txt, environment.json, a TensorBoard event file, checkpoint and
      weights.safetensors. The same command again goes on where the last run
      stopped, bit for bit. The spellings of the published program are understood
      as well (--nmb_prototypes, --queue_length, ...).
      """)

  @Argument(help: ArgumentHelp("The images: one source or several.", valueName: "images"))
  var images: [String]
  @Option(name: [.customShort("o"), .long], help: ArgumentHelp("The run's folder.", valueName: "run"))
  var output: String?
  @Option(help: ArgumentHelp("Labelled images for the kNN accuracy during training.", valueName: "images"))
  var val: String?
  @Option(help: ArgumentHelp("Settings as YAML, by the names of the flags; a flag beats the file.", valueName: "file"))
  var config: String?
  @Option(
    help: ArgumentHelp("auto (default): go on with the run in the folder; never: refuse a used folder.", valueName: "how"))
  var resume: String?
  @Flag(help: "Print the resolved settings as YAML, and do nothing.")
  var printConfig = false
  @OptionGroup var out: OutputOptions
  @OptionGroup(title: "Settings") var options: PretrainOptions
  @OptionGroup(visibility: .hidden) var published: PublishedOptions

  func run() throws {
    try Failure.reporting(json: out.json) {
      var given = try config.map { try PretrainSettings(contentsOf: $0) } ?? PretrainSettings()
      given.merge(try published.settings())
      given.merge(try options.settings())
      let how = resume ?? given.text(of: "resume") ?? Pretraining.Resume.auto.rawValue
      guard let resume = Pretraining.Resume(rawValue: how) else {
        throw PretrainingError.setting(origin: "--resume", value: how, allowed: "auto or never is needed")
      }
      let source = try out.open(images).weighted(by: try PretrainConfiguration.sourceWeights(in: given))
      let plan = try PretrainConfiguration.planned(for: try DataSummary(of: source), given: given)
      if printConfig {
        print(plan.configuration.yaml, terminator: "")
        return
      }
      guard let output = output ?? published.output ?? given.text(of: "output") else {
        throw ValidationError("--output is missing; give the folder for the run, as --output run")
      }
      var pretraining = Pretraining(
        images: source, validation: try (val ?? given.text(of: "val")).map { try out.open([$0], labelled: true) },
        configuration: plan.configuration, output: output,
        resume: resume)
      pretraining.remarks = plan.reasons
      try PretrainingSession(pretraining, json: out.json).run()
    }
  }
}

/// Runs a pretraining, shows its progress and ends with the exit code of a signal, if one came.
struct PretrainingSession {
  let pretraining: Pretraining
  let json: Bool

  init(_ pretraining: Pretraining, json: Bool) { (self.pretraining, self.json) = (pretraining, json) }

  func run() throws {
    let result = try train()
    var console = Console(json: json)
    try console.show(result, images: pretraining.images)
    if result.outcome == .interrupted { throw ExitCode(StopSignal.exitCode) }
  }

  /// The same without the closing lines.
  func train() throws -> PretrainingResult {
    let cancellation = StopSignal.install()
    var console = Console(json: json)
    if !json { for remark in pretraining.remarks { console.line("planned: " + remark) } }
    do {
      let result = try pretraining.run(cancellation: cancellation) { try console.show($0) }
      console.finishBar()
      return result
    } catch {
      console.finishBar()
      throw error
    }
  }
}
