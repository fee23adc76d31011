import Foundation
import SwAVTestSupport
import Testing

/// What becomes of what a command prints.
@Suite(.serialized) struct OutputTests {
  let folder: TemporaryFolder
  let small = "--crops 2x32 --base-width 8 --hidden 16 --dim 8 --prototypes 6 --batch 4 --epochs 2"

  init() throws {
    folder = try TemporaryFolder()
    try folder.writePictures("images", perClass: 6)
  }

  /// Every kind of command, also those that the argument parser answers by itself.
  private var commands: [String] {
    [
      "check-data images --no-speed", "info --json", "--version", "--help", "pretrain images --print-config",
      "bench sinkhorn --batch 4 --prototypes 8 --steps 1 --json",
      "knn --weights untrained --stem small --size 32 --train images --val images", "preview images -o sheet.png",
      "embed images --weights untrained --size 32 -o f.csv",
    ]
  }

  @Test func aFullDiskBehindStandardOutputIsOneLineAndExit74() throws {
    for command in commands {
      let outcome = try TrainerProcess.shell("trainer \(command) > /dev/full", in: folder.path)
      #expect(outcome.code == 74, "\(command)")
      #expect(
        outcome.errors == "error: standard output: No space left on device; what is printed from here on is lost\n",
        "\(command)")
    }
  }

  @Test func aClosedStandardOutputIsOneLineAndExit74() throws {
    for command in commands.prefix(4) {
      let outcome = try TrainerProcess.shell("trainer \(command) >&-", in: folder.path)
      #expect(outcome.code == 74, "\(command)")
      #expect(outcome.errors == "error: standard output: it is closed; what is printed from here on is lost\n", "\(command)")
    }
  }

  @Test(arguments: [">&-", "<&- >&- 2>&-", "> /dev/full"])
  func whatIsPrintedNeverLandsInAFileOfTheRun(_ redirection: String) throws {
    let whole = try TrainerProcess.shell("trainer pretrain images -o whole \(small) > out.txt", in: folder.path)
    let outcome = try TrainerProcess.shell("trainer pretrain images -o run \(small) \(redirection)", in: folder.path)
    #expect(whole.code == 0 && outcome.code == 74)
    func lines(_ file: String) throws -> [Substring] {
      try String(contentsOfFile: folder.path + "/" + file, encoding: .utf8).split(separator: "\n")
    }
    #expect(try lines("run/log.txt").count == lines("whole/log.txt").count)
    #expect(try lines("run/log.txt").allSatisfy { $0.hasPrefix("20") })
    for row in try lines("run/metrics.jsonl") {
      #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(row.utf8)) }
    }
    #expect(try lines("run/metrics.jsonl").count == 6)
    let weights = ["run", "whole"].map { FileManager.default.contents(atPath: "\(folder.path)/\($0)/weights.safetensors") }
    #expect(weights[0] != nil && weights[0] == weights[1])
  }

  @Test func aReaderThatLeavesIsNoError() throws {
    let outcome = try TrainerProcess.shell(
      "trainer pretrain images -o run \(small) --json | head -1 > /dev/null; exit ${PIPESTATUS[0]}", in: folder.path)
    #expect(outcome.code == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
    #expect(FileManager.default.fileExists(atPath: folder.path + "/run/weights.safetensors"))
    #expect(try TrainerProcess.shell("trainer info | true; exit ${PIPESTATUS[0]}", in: folder.path).errors.isEmpty)
  }

  /// A limit on the size of files stands for the full disk: writing beyond it fails in the same way.
  @Test func filesThatCannotBeWrittenAreOneLineWithoutLitter() throws {
    for (command, file) in [
      ("preview images -o sheet.png", "sheet.png"), ("embed images --weights untrained --size 32 -o f.csv", "f.csv"),
      ("embed images --weights untrained --size 32 -o f.npy", "f.npy"),
    ] {
      let outcome = try TrainerProcess.shell("trap '' XFSZ; ulimit -f 8; trainer \(command) > /dev/null", in: folder.path)
      #expect(outcome.code == 74, "\(command)")
      #expect(outcome.errors.hasPrefix("error: ") && outcome.errors.hasSuffix("\(file): File too large\n"), "\(outcome.errors)")
      #expect(outcome.errors.count { $0 == "\n" } == 1, "\(outcome.errors)")
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["images"])
  }

  /// `script` gives the command a terminal.
  @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/script")))
  func aTerminalGetsABarAndNoLineThatItWouldBreak() throws {
    for (command, text) in [
      ("pretrain images -o run --val images \(small)", "] 100 %"),
      ("check-data images --no-speed", "looking at images"),
    ] {
      let outcome = try TrainerProcess.shell(
        "script -qec 'stty cols 80; \"$TRAINER\" \(command)' out.txt > /dev/null < /dev/null", in: folder.path)
      #expect(outcome.code == 0, "\(outcome.errors)")
      let shown = try String(contentsOfFile: folder.path + "/out.txt", encoding: .utf8).split(separator: "\n")
        .filter { !$0.hasPrefix("Script ") }.flatMap { $0.split(whereSeparator: { $0 == "\r" || $0 == "\r\n" }) }
        .map { $0.replacing("\u{1b}[K", with: "") }
      #expect(shown.contains { $0.contains(text) }, "\(command)")
      for line in shown { #expect(line.count <= 80, "\(line)") }
    }
  }

  @Test func everyRowSaysWhatItIsAndWhichSchema() throws {
    let broken = Array("no picture".utf8)
    try folder.write("images/class0/broken.jpg", broken)
    let types: [(command: String, types: Set<String>)] = [
      (
        "pretrain images -o run --val images \(small) --batch 13",
        ["start", "step", "evaluation", "bad_image", "checkpoint", "result"]
      ),
      ("check-data images --no-speed", ["finding", "result"]), ("preview images -o sheet.png", ["result"]),
      ("info", ["result"]), ("bench sinkhorn --batch 4 --prototypes 8 --steps 1", ["result"]),
      ("check-data nowhere", ["error"]),
    ]
    for item in types {
      let outcome = try TrainerProcess.run(item.command.split(separator: " ").map(String.init) + ["--json"], in: folder.path)
      let rows = outcome.objects
      #expect(rows.allSatisfy { $0["schema"] as? Int == 1 && $0["type"] is String }, "\(item.command)")
      #expect(Set(rows.compactMap { $0["type"] as? String }).isSuperset(of: item.types), "\(item.command): \(outcome.output)")
      #expect(["result", "error"].contains(rows.last?["type"] as? String))
    }
    let metrics = try String(contentsOfFile: folder.path + "/run/metrics.jsonl", encoding: .utf8)
    #expect(metrics.split(separator: "\n").allSatisfy { $0.contains(#""schema":1,"#) && $0.contains(#""type":""#) })
  }
}
