import ArgumentParser
import Foundation
import SwAV

/// A command that plans a run: of images, a file of settings, flags.
protocol PlanningCommand: SettingsCommand {
  var images: [String] { get }
  var config: String? { get }
  var out: OutputOptions { get }
}

/// Images and what is planned for them.
struct PlannedImages {
  /// As they were given.
  var paths: [String]
  var source: any ImageSource
  /// What the plan is made for; the root's.
  var facts: DataFacts?
  var plan: PretrainPlan
}

extension PlanningCommand {
  /// Flags over the file.
  func layers() throws -> PretrainSettings {
    var given = try config.map { try PretrainSettings(contentsOf: expandingHome($0)) } ?? PretrainSettings()
    given.merge(self.given.flags)
    return given
  }

  /// Looks at the images and plans. `run`: the folder of the run that may go on. `isQuiet`: nothing but the result is printed.
  /// `measures`: speeds are measured where the time decides, else they are expectations. Collective.
  func planned(
    _ given: PretrainSettings, goingOnWith run: String?, isQuiet: Bool, measures: Bool
  ) throws -> PlannedImages {
    let paths = images.isEmpty ? [given.text(of: "images")].compactMap { $0 } : images
    guard !paths.isEmpty else { throw ValidationError(self.given.missingImages) }
    let running = try PretrainConfiguration.neededForImages(in: given)
    let source = try LaunchedRanks.agree {
      try (isQuiet ? openImages(paths, ranks: LaunchedRanks.group) : out.open(paths)).weighted(by: running.sourceWeights)
    }
    var facts: DataFacts?
    let plan = try LaunchedRanks.sharing {
      let run = try run.flatMap { try PretrainSettings.ofRun(at: $0) }
      let given = try InitialWeights.complete(given, goingOnWith: run)
      let found = try DataFacts.look(
        at: source, headers: PlannedImages.headers, workers: running.readers, readTimeout: running.readTimeout,
        decoding: running.decoding)
      facts = found
      let measure = measure(source, running, isQuiet: isQuiet)
      return try PretrainConfiguration.planned(
        for: found, given: given, goingOnWith: run, on: .here(threads: running.threads), ranks: LaunchedRanks.group?.size ?? 1,
        measuring: measures ? measure : nil)
    }
    return PlannedImages(paths: paths, source: source, facts: facts, plan: plan)
  }

  /// Says what it measures, on standard output.
  private func measure(
    _ source: any ImageSource, _ running: PretrainConfiguration, isQuiet: Bool
  ) -> (PretrainConfiguration) throws(PretrainingError) -> SpeedEstimate? {
    let console = isQuiet || out.json ? nil : Console(json: false)
    return SpeedEstimate.measuring(source, seconds: running.measuringSeconds) { configuration in
      var console = console
      console?.line(
        "measuring \(configuration.arch.rawValue) of base width \(configuration.baseWidth), "
          + "crops \(CropGroup.describe(configuration.crops))")
    }
  }
}

extension PlannedImages {
  /// Headers that are read before a run: some seconds' work.
  fileprivate static let headers = 10_000

  /// What was decided and why, and what the person should know.
  func showPlan(json: Bool) throws {
    if json {
      for decision in plan.decisions { print(try jsonRow("decision", decision)) }
      for note in plan.notes { print(try jsonRow("note", ["note": note])) }
    } else {
      var console = Console(json: false)
      for reason in plan.reasons { console.line("planned: " + reason) }
      for reason in plan.kept { console.line("kept: " + reason) }
      for note in plan.notes { console.line("note: " + note) }
    }
  }
}
