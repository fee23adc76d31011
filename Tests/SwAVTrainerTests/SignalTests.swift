import Foundation
import SwAVTestSupport
import Testing

/// Signals to a run, and its output in its own folder.
@Suite(.serialized) struct SignalTests {
  let folder: TemporaryFolder
  private static let small =
    "--crops 2x32+2x16 --base-width 8 --hidden 16 --dim 8 --prototypes 6 --batch 4 --checkpoint-minutes 0"

  init() throws {
    folder = try TemporaryFolder()
    try folder.writePictures("images", perClass: 6)
  }

  private func pretrain(_ more: String, whileRunning: (Process) throws -> Void = { _ in }) throws -> TrainerProcess.Outcome {
    let words = ("pretrain images --output run --json " + SignalTests.small + " " + more).split(separator: " ").map(String.init)
    return try TrainerProcess.run(words, in: folder.path, whileRunning: whileRunning)
  }

  private func rows(_ type: String? = nil) -> [[String: Any]] {
    let text = (try? String(contentsOfFile: folder.path + "/run/metrics.jsonl", encoding: .utf8)) ?? ""
    let all = text.split(separator: "\n").compactMap {
      try? JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]
    }
    return type.map { type in all.filter { $0["type"] as? String == type } } ?? all
  }

  private func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: folder.path + "/" + name) }

  private func wait(_ process: Process, until holds: () -> Bool) {
    while process.isRunning, !holds() { Thread.sleep(forTimeInterval: 0.002) }
  }

  @Test(arguments: [(SIGINT, Int32(130)), (SIGTERM, Int32(143)), (SIGHUP, Int32(129)), (SIGQUIT, Int32(131))])
  func aSignalEndsARunWithACheckpoint(_ signal: Int32, _ code: Int32) throws {
    let outcome = try pretrain("--epochs 4000") { process in
      wait(process) { rows().count >= 2 }
      kill(process.processIdentifier, signal)
    }
    #expect(outcome.code == code, "\(outcome.errors)")
    let result = try #require(outcome.objects.last)
    #expect(result["outcome"] as? String == "interrupted")
    #expect(result["step"] as? Int == rows("step").count)
    #expect(exists("run/checkpoint") && exists("run/weights.safetensors"))
  }

  @Test func userSignalOneWritesACheckpointAndTheRunGoesOn() throws {
    var stepsAtCheckpoint = 0
    let outcome = try pretrain("--epochs 4000") { process in
      wait(process) { rows().count >= 2 }
      #expect(!exists("run/checkpoint"))
      kill(process.processIdentifier, SIGUSR1)
      wait(process) { exists("run/checkpoint") }
      stepsAtCheckpoint = rows("step").count
      wait(process) { rows("step").count > stepsAtCheckpoint + 2 }
      #expect(process.isRunning)
      kill(process.processIdentifier, SIGTERM)
    }
    #expect(outcome.code == 143)
    #expect(outcome.objects.contains { $0["type"] as? String == "checkpoint" })
    #expect(rows("step").count > stepsAtCheckpoint)
  }

  @Test func hangingUpIsIgnoredUnderNohup() throws {
    let run = "trainer pretrain images --output run \(SignalTests.small) --epochs 4000"
    let outcome = try TrainerProcess.shell(
      """
      steps() { cat run/metrics.jsonl 2> /dev/null | wc -l; }
      nohup "$TRAINER" \(run.dropFirst("trainer ".count)) > out.txt 2>&1 & p=$!
      trap 'kill -KILL $p 2> /dev/null' EXIT
      until [ $(steps) -ge 2 ] || ! kill -0 $p; do sleep 0.05; done
      kill -HUP $p; n=$(steps)
      until [ $(steps) -ge $((n + 3)) ] || ! kill -0 $p; do sleep 0.05; done
      kill -TERM $p && wait $p
      """, in: folder.path)
    #expect(outcome.code == 143, "\(outcome.errors)")
  }

  @Test func aSignalDuringAnEvaluationKeepsTheEpochAndTheEvaluationIsMadeUpFor() throws {
    try folder.writePictures("val", perClass: 200)
    let outcome = try pretrain("--epochs 2 --val val") { process in
      // The checkpoint comes right before the evaluation.
      wait(process) { exists("run/checkpoint") }
      kill(process.processIdentifier, SIGINT)
    }
    #expect(outcome.code == 130, "\(outcome.errors)")
    let steps = try #require(outcome.objects.last?["step"] as? Int)
    #expect(steps >= 3)
    let rest = try pretrain("--epochs 2 --val val")
    #expect(rest.code == 0 && rest.objects.last?["outcome"] as? String == "finished", "\(rest.errors)")
    #expect(rows("evaluation").compactMap { $0["step"] as? Int } == [3, 6])
  }

  @Test func theLogOfARunMayBeInItsFolderAndTheFilesOfTheRunMayNot() throws {
    let run = "trainer pretrain images --epochs 1 \(SignalTests.small)"
    let own = try TrainerProcess.shell("mkdir a && \(run) --output a > a/nohup.out 2> a/errors.txt", in: folder.path)
    #expect(own.code == 0, "\(own.errors)")
    #expect(exists("a/weights.safetensors"))
    let log = try TrainerProcess.shell("mkdir b && \(run) --output b > b/log.txt", in: folder.path)
    #expect(log.code == 73 && log.errors.contains("b/log.txt: the output of this process goes there"), "\(log.errors)")
    let foreign = try TrainerProcess.shell("mkdir c && echo dear > c/letter && \(run) --output c", in: folder.path)
    #expect(foreign.code == 73, "\(foreign.errors)")
  }
}
