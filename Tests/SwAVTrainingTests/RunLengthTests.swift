import Foundation
import SwAVData
import SwAVInspection
import SwAVTestSupport
import Synchronization
import Testing

@testable import SwAVTraining

@Suite struct RunLengthTests {
  @Test(arguments: [
    ("90s", 90.0, "1m30s"), ("30m", 1800, "30m"), ("2h", 7200, "2h"), ("1h30m", 5400, "1h30m"), ("1.5h", 5400, "1h30m"),
    ("2d", 172_800, "48h"),
  ])
  func timesAreReadAndShown(_ text: String, _ seconds: Double, _ shown: String) {
    #expect(Duration.seconds(text) == seconds && Duration.text(seconds) == shown && Duration.seconds(shown) == seconds)
  }

  @Test(arguments: ["", "30", "m", "30x", "-30m", "1e3s", "0.5s", "30m2h", "nan", "infs", "1 h"])
  func otherTextsAreNoTimes(_ text: String) { #expect(Duration.seconds(text) == nil) }

  @Test func aPlanOfStepsReadsWhatItShows() {
    var plan = StepPlan(total: 1000)
    #expect("\(plan)" == "1000" && StepPlan("1000") == plan)
    plan.change(at: 100, to: 900)
    plan.change(at: 300, to: 1200)
    #expect("\(plan)" == "0:1000,100:900,300:1200" && StepPlan("\(plan)") == plan && plan.total == 1200)
    for text in ["", "0", "-1", "x", "5:10", "0:10,3", "0:10,3:2", "0:10,12:20", "0:10,5:9,5:8", "0:10,"] {
      #expect(StepPlan(text) == nil, "\(text)")
    }
  }

  @Test func theScheduleGoesOnWhereItWasAndEndsAtItsEnd() {
    var plan = StepPlan(total: 1000)
    plan.change(at: 100, to: 550)
    plan.change(at: 325, to: 1000)
    plan.change(at: 900, to: 901)
    #expect(plan.position(of: 0) == 0 && plan.position(of: 99) == 99 && plan.position(of: 100) == 100)
    // 900 places in 450 steps, then 450 in 675.
    #expect(plan.position(of: 200) == 300 && plan.position(of: 325) == 550)
    #expect(abs(plan.position(of: 400) - (550 + 75 * 450.0 / 675)) < 1e-9)
    for step in 1..<plan.total {
      #expect(plan.position(of: step) > plan.position(of: step - 1) && plan.position(of: step) < 1000)
    }
  }

  @Test func aPlanThatEndsAtOnceKeepsTheRatesOfTheStepsThatWereMade() {
    var plan = StepPlan(total: 1000)
    plan.change(at: 40, to: 600)
    let before = (0...40).map(plan.position)
    plan.change(at: 40, to: 41)
    #expect(plan.total == 41 && (0...40).map(plan.position) == before)
  }

  @Test func aTimetableAsksForWhatFits() {
    var timetable = Timetable(budget: 1000, secondsDone: 0)
    // Too early to look.
    #expect(timetable.stepsLeft(planned: 900, now: 10, steps: 10, stepSeconds: 10, reserve: 50) == nil)
    // A step takes twice as long as planned for: 2 s of the 910 that are left beside the reserve.
    #expect(timetable.stepsLeft(planned: 900, now: 40, steps: 20, stepSeconds: 40, reserve: 50) == 455)
    // As planned: nothing changes.
    #expect(timetable.stepsLeft(planned: 425, now: 100, steps: 50, stepSeconds: 100, reserve: 50) == nil)
    // The time is over.
    #expect(timetable.stepsLeft(planned: 425, now: 960, steps: 51, stepSeconds: 102, reserve: 50) == 0)
    var none = Timetable(budget: nil, secondsDone: 0)
    #expect(none.stepsLeft(planned: 1, now: 1e9, steps: 1, stepSeconds: 1, reserve: 0) == nil)
  }
}

@Suite(.serialized) struct BudgetTests {
  /// On a clock that goes on by a hundredth of a second whenever somebody looks at it.
  private func onTestClock(_ pretraining: Pretraining) -> Pretraining {
    var pretraining = pretraining
    let clock = Ticks()
    pretraining.clock = { clock.next() }
    return pretraining
  }

  private final class Ticks: Sendable {
    private let count = Atomic(0)
    func next() -> Double { 0.01 * Double(count.add(1, ordering: .relaxed).newValue) }
  }

  private func steps(_ run: TinyRun, _ output: String) throws -> StepPlan {
    try #require(
      PretrainSettings(contentsOf: run.folder.path + "/\(output)/config.yaml").text(of: "steps").flatMap(StepPlan.init))
  }

  @Test func aRunByTheClockIsPlannedAnewAndItsFileGivesTheSameBits() throws {
    var run = try TinyRun()
    // Far more steps than the seconds have.
    run.configuration.length = .budget(4, StepPlan(total: 1_000_000))
    run.configuration.knnEvery = 20
    var replanned = 0
    let result = try onTestClock(run.pretraining("clock", validates: true)).run { event in
      if case .replanned = event { replanned += 1 }
    }
    let plan = try steps(run, "clock")
    #expect(result.outcome == .finished && replanned > 0 && plan.total == result.step && plan.pieces.count > 1)
    #expect(result.totalSteps == result.step && result.knn20 != nil)
    #expect(try RunHistory(at: run.folder.path + "/clock").isFinished)
    // The rate has come to its end, up to the last of the steps of the schedule.
    let rates = try run.rows("clock").compactMap { $0["lr"] as? Double }
    #expect(rates.count == result.step && rates[rates.count - 1] < run.configuration.baseLR / 2)
    // The same command says that the run is finished.
    #expect(try run.pretraining("clock").run().outcome == .alreadyFinished)
    let given = try PretrainSettings(contentsOf: run.folder.path + "/clock/config.yaml")
    #expect(given.text(of: "budget") == nil && given.text(of: "epochs") == nil)
    run.configuration = try PretrainConfiguration.planned(for: DataFacts(images: 12, shortSide: 40), given: given).configuration
    #expect(try run.pretraining("clock").run().outcome == .alreadyFinished)
    _ = try run.interrupt("again", after: 5)
    #expect(try run.pretraining("again").run().step == result.step)
    #expect(try run.file("again") == run.file("clock"))
  }

  @Test func aRunByTheClockGoesOnWithWhatItHasLeft() throws {
    var run = try TinyRun()
    run.configuration.length = .budget(4, StepPlan(total: 1_000_000))
    let (control, pretraining) = (RunControl(), onTestClock(try run.pretraining("run")))
    var done = 0
    let first = try pretraining.run(control: control) { event in
      if case .step = event { done += 1 }
      if done == 20 { control.cancel() }
    }
    #expect(first.outcome == .interrupted && first.step == 20)
    let written = try #require(try PretrainSettings.ofRun(at: run.folder.path + "/run"))
    #expect(written.text(of: "budget") == "4s")
    #expect(try !RunHistory(at: run.folder.path + "/run").isFinished)
    let second = try onTestClock(run.pretraining("run")).run()
    #expect(second.outcome == .finished && second.step > 20)
    // As many as without the break, up to what opening the run costs.
    let whole = try onTestClock(run.pretraining("whole")).run()
    #expect(abs(whole.step - second.step) <= whole.step / 10, "\(whole.step) and \(second.step)")
    let steps = try run.rows("run").filter { $0["type"] as? String == "step" }
    #expect(steps.compactMap { $0["step"] as? Int } == Array(1...second.step))
  }

  @Test func aRunByTheClockKeepsItsScheduleWhateverIsExpectedLater() throws {
    var run = try TinyRun()
    run.configuration.length = .budget(4, StepPlan(total: 1_000_000))
    let (control, pretraining) = (RunControl(), onTestClock(try run.pretraining("run")))
    var done = 0
    _ = try pretraining.run(control: control) { event in
      if case .step = event { done += 1 }
      if done == 20 { control.cancel() }
    }
    let plan = try steps(run, "run")
    // A slower machine would have planned fewer steps than the schedule has gone through.
    #expect(plan.position(of: 19) > 30)
    run.configuration.length = .budget(4, StepPlan(total: 30))
    let result = try onTestClock(run.pretraining("run")).run()
    #expect(result.outcome == .finished && result.step > 20)
    let (rates, whole) = (try run.rows("run").compactMap { $0["lr"] as? Double }, try steps(run, "run"))
    #expect(whole.scheduled == plan.scheduled && rates.count == result.step)
    run.configuration.length = .steps(whole)
    let schedule = run.configuration.schedule(stepsPerEpoch: 3)
    for (step, rate) in rates.enumerated() {
      let planned = try schedule.rate(at: whole.position(of: step))
      // What stands in the table has gone through decimal digits.
      #expect(abs(rate - planned) <= 1e-12 * planned, "step \(step)")
    }
  }

  @Test func whatARunWasPlannedWithStaysWhenItGoesOn() throws {
    let facts = DataFacts(images: 4000, shortSide: 224)
    let run = try PretrainSettings(yaml: "budget: 2h\nsteps: 0:5000,10:4000\nbase-width: 48\nseed: 3", path: "f")
    let plan = try PretrainConfiguration.planned(for: facts, goingOnWith: run) { _ throws(PretrainingError) in throw .cancelled
    }
    #expect(plan.configuration.budget == 7200 && "\(plan.configuration.steps(stepsPerEpoch: 62))" == "0:5000,10:4000")
    // The time is given again, as it was or another one: what of it is left is planned on the way.
    for (budget, seconds) in [("2h", 7200.0), ("1h", 3600)] {
      var given = PretrainSettings()
      try given.set("budget", to: budget)
      let again = try PretrainConfiguration.planned(for: facts, given: given, goingOnWith: run).configuration
      #expect(again.budget == seconds && "\(again.steps(stepsPerEpoch: 62))" == "0:5000,10:4000")
    }
    // What was given, as the seed, has to be given again.
    #expect(plan.configuration.baseWidth == 48 && plan.configuration.seed == 0)
  }
}
