import Foundation
import SwAVTestSupport
import Testing

/// `plan`, `replay` and `explore`, as a person meets them.
@Suite(.serialized) struct PlanReplayExploreTests {
  let folder: TemporaryFolder
  static let small = [
    "--crops", "2x32+2x16", "--base-width", "8", "--hidden", "16", "--dim", "8", "--prototypes", "6", "--batch", "4",
  ]

  init() throws {
    folder = try TemporaryFolder()
    try folder.writePictures("images", perClass: 6)
  }

  private func run(_ arguments: [String]) throws -> TrainerProcess.Outcome {
    try TrainerProcess.run(arguments, in: folder.path)
  }

  private func rows(_ outcome: TrainerProcess.Outcome, _ type: String) -> [[String: Any]] {
    outcome.objects.filter { $0["type"] as? String == type }
  }

  @Test func planSaysWhatWasChosenWhatOthersCostAndWhatHostsWouldTake() throws {
    let settings = ["plan", "images"] + PlanReplayExploreTests.small
    let outcome = try run(settings + ["--epochs", "4", "--hosts", "4", "--network", "25Gb/s", "--json"])
    #expect(outcome.code == 0, "\(outcome.errors)")
    #expect(rows(outcome, "decision").count > 3)
    #expect(rows(outcome, "hosts").compactMap { $0["hosts"] as? Int } == [1, 2, 4])
    let result = try #require(outcome.objects.last)
    #expect(result["type"] as? String == "result" && result["command"] as? String == "plan")
    #expect(result["images"] as? Int == 12 && result["steps_per_epoch"] as? Int == 3 && result["steps"] as? Int == 12)
    #expect((result["others"] as? [Any])?.isEmpty == false)
    #expect(!FileManager.default.fileExists(atPath: folder.path + "/run"))
    let table = try run(settings + ["--budget", "2m"])
    #expect(table.code == 0 && table.output.contains("GFLOP/image") && !table.output.contains("efficiency"), "\(table.errors)")
    let wrong = try run(settings + ["--hosts", "2", "--network", "25"])
    #expect(wrong.code == 64 && wrong.errors.contains("--network is '25'"), "\(wrong.errors)")
  }

  @Test func replayMakesAFailedStepAgainAndSaysWhetherItEndedAlike() throws {
    let failed = try run(
      ["pretrain", "images", "--output", "run", "--epochs", "40", "--base-lr", "1e30", "--optimizer", "sgd"]
        + PlanReplayExploreTests.small)
    #expect(failed.code == 76, "\(failed.errors)")
    let again = try run(["replay", "run/failed-step", "--json"])
    #expect(again.code == 0, "\(again.errors)")
    let result = try #require(again.objects.last)
    let message = try #require(result["message"] as? String)
    #expect(result["is_same"] as? Bool == true && message.contains("not finite") && failed.errors.contains(message))
    // Another message in the file, as long as its own.
    let file = URL(fileURLWithPath: folder.path + "/run/failed-step")
    var bytes = try Data(contentsOf: file)
    let place = try #require(bytes.range(of: Data("not finite".utf8)))
    bytes.replaceSubrange(place, with: Data("not infini".utf8))
    try bytes.write(to: file)
    let other = try run(["replay", "run/failed-step", "--json"])
    #expect(other.code == 65 && other.objects.first?["is_same"] as? Bool == false, "\(other.errors)")
  }

  @Test func exploreServesItsPageToThisMachineAloneUntilItIsStopped() throws {
    #expect(try run(["pretrain", "images", "--output", "run", "--epochs", "1"] + PlanReplayExploreTests.small).code == 0)
    let outcome = try TrainerProcess.shell(
      #"""
      "$TRAINER" explore run images --port 0 --json > out.txt & p=$!
      trap 'kill $p 2> /dev/null' EXIT
      until grep -q listening out.txt || ! kill -0 $p; do sleep 0.05; done
      port=$(sed -n 's/.*127.0.0.1:\([0-9]*\).*/\1/p' out.txt)
      exec 3<> /dev/tcp/127.0.0.1/$port
      printf 'GET / HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nConnection: close\r\n\r\n' $port >&3
      timeout 20 cat <&3 > page.txt
      hex=$(printf ':%04X' $port)
      cat /proc/net/tcp /proc/net/tcp6 2> /dev/null | awk -v p="$hex" '$4 == "0A" && index($2, p) {print $2}' > listens.txt
      kill -TERM $p
      wait $p
      """#, in: folder.path)
    #expect(outcome.code == 143, "\(outcome.errors)")
    func text(_ name: String) throws -> String { try String(contentsOfFile: folder.path + "/" + name, encoding: .utf8) }
    let page = try text("page.txt")
    #expect(page.hasPrefix("HTTP/1.1 200") && page.contains("<!doctype html>"), "\(page.prefix(300))")
    // 127.0.0.1, as the kernel writes it.
    #expect(try text("listens.txt").split(separator: "\n").map { $0.prefix(8) } == ["0100007F"])
  }
}
