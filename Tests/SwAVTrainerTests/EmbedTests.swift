import Foundation
import SwAVTestSupport
import Testing

/// `embed` in pipes, stopped half way, with nothing to read.
@Suite(.serialized) struct EmbedTests {
  let folder: TemporaryFolder
  let base = TrainerProcess.untrained

  init() throws {
    folder = try TemporaryFolder()
    try folder.writePictures("images", perClass: 6)
  }

  private func run(_ arguments: [String], whileRunning: (Process) throws -> Void = { _ in }) throws -> TrainerProcess.Outcome {
    try TrainerProcess.run(["embed"] + arguments + base, in: folder.path, whileRunning: whileRunning)
  }

  private func text(_ name: String) throws -> String {
    try String(contentsOfFile: folder.path + "/" + name, encoding: .utf8)
  }

  private func isThere(_ name: String) -> Bool { FileManager.default.fileExists(atPath: folder.path + "/" + name) }

  @Test func pathsComeFromStandardInputAndRowsGoToStandardOutput() throws {
    let flags = base.joined(separator: " ")
    let outcome = try TrainerProcess.shell(
      """
      find images -name '*.jpg' | sort | trainer embed - \(flags) -o listed.jsonl
      find images -name '*.jpg' -print0 | sort -z | trainer embed - \(flags) -o - > printed.jsonl
      trainer embed images \(flags) -o - | head -c 20 > head.txt; echo ${PIPESTATUS[0]} > code.txt
      trainer embed images/class0/1.jpg images/class1/2.jpg \(flags) -o two.csv
      trainer embed - \(flags) -o none.csv < /dev/null
      """, in: folder.path)
    #expect(outcome.code == 65 && outcome.errors.contains("standard input: names no files"), "\(outcome.errors)")
    let listed = try text("listed.jsonl")
    #expect(try listed == text("printed.jsonl") && listed.split(separator: "\n").count == 12)
    #expect(listed.hasPrefix(#"{"type":"features","schema":1,"name":"images/class0/0.jpg","features":["#))
    #expect(try text("head.txt").count == 20 && text("code.txt") == "0\n")
    let two = try text("two.csv").split(separator: "\n")
    #expect(two.count == 3 && two[1].hasPrefix("images/class0/1.jpg,") && two[2].hasPrefix("images/class1/2.jpg,"))
  }

  @Test func picturesAndArchivesComeThroughAPipeAsWell() throws {
    let flags = base.joined(separator: " ")
    let outcome = try TrainerProcess.shell(
      """
      cat images/class1/2.jpg | trainer embed - \(flags) -o piped.csv
      trainer embed images/class1/2.jpg \(flags) -o named.csv
      cat images/class1/2.jpg images/class0/4.jpg images/class1/2.jpg | trainer embed - \(flags) -o - > several.jsonl
      (cd images && tar c class0 class1) | trainer embed - \(flags) -o archive.csv
      trainer embed images \(flags) -o folder.csv
      (cat images/class1/2.jpg; head -c 400 images/class0/4.jpg; cat images/class1/2.jpg) | trainer embed - \(flags) -o cut.csv > cut.txt
      """, in: folder.path)
    #expect(outcome.code == 0, "\(outcome.errors)")
    let rest = try 400 + picture(kind: 1, number: 2).count
    let note = "picture 2 does not say where it ends, or is cut off; the last \(rest) bytes are taken for one picture"
    #expect(try text("cut.txt").hasPrefix("note: standard input: \(note)\n"))
    let several = try text("several.jsonl").split(separator: "\n")
    #expect(several.count == 3 && several[0].contains(#""name":"-/1""#) && several[2].contains(#""name":"-/3""#))
    #expect(several[0].split(separator: "[").last == several[2].split(separator: "[").last && several[0] != several[1])
    let (archive, plain) = (try text("archive.csv").split(separator: "\n"), try text("folder.csv").split(separator: "\n"))
    #expect(archive[0] == plain[0] && archive.sorted() == plain.sorted() && archive.count == 13)
    let (piped, named) = (try text("piped.csv").split(separator: "\n"), try text("named.csv").split(separator: "\n"))
    #expect(piped[1].hasPrefix("-,") && piped[1].dropFirst(2) == named[1].drop { $0 != "," }.dropFirst())
  }

  @Test func layersStagesAndTypesAreChosenByFlags() throws {
    func columns(_ flags: String...) throws -> Int {
      #expect(try run(["images", "-o", "f.csv"] + flags).code == 0)
      return try text("f.csv").split(separator: "\n")[0].split(separator: ",").filter { $0.hasPrefix("f") }.count
    }
    #expect(try columns("--stage", "1") == 64)
    #expect(try columns("--stage", "3") == 256)
    #expect(try columns("--stage", "4") == 512)
    #expect(try columns("--layer", "head") == 128)
    #expect(try columns("--layer", "scores") == 100)
    #expect(try columns("--layer", "grid") == 4 * 512)
    #expect(try columns("--layer", "backbone", "--dtype", "float16", "--normalize") == 512)
    let fourth = try text("f.csv")
    #expect(try columns("--stage", "4", "--type", "float16", "--normalize") == 512)
    #expect(try text("f.csv") == fourth)
    for (flags, message) in [
      (["--stage", "5"], "--stage is 5; 1 to 4 are allowed"), (["--stage", "1", "--layer", "head"], "--stage and --layer"),
      (["--stage", "1", "--precision", "int8"], "with --precision int8 only 4"), (["--layer", "neck"], "--layer is 'neck'"),
    ] {
      let refused = try run(["images", "-o", "f.csv"] + flags)
      #expect(refused.code == 64 && refused.errors.contains(message), "\(refused.errors)")
    }
  }

  @Test func whatIsKilledGoesOnWithNothingTwiceAndNothingLost() throws {
    try folder.writePictures("many", perClass: 500)
    var kept = false
    let killed = try run(["many", "-o", "f.npy"]) { process in
      while process.isRunning, !isThere("f.npy.partial.json") { Thread.sleep(forTimeInterval: 0.01) }
      kept = isThere("f.npy.partial.json")
      kill(process.processIdentifier, SIGKILL)
    }
    // A machine that is done in two seconds has kept nothing on the way.
    #expect(killed.code == 137 || killed.code == 0)
    let rest = try run(["many", "-o", "f.npy"])
    #expect(rest.code == 0)
    if killed.code == 137, kept {
      #expect((rest.output + rest.errors).contains("going on after "), "\(rest.output)\(rest.errors)")
    }
    #expect(try run(["many", "-o", "whole.npy"]).code == 0)
    for name in ["", ".names.txt"] {
      let (found, whole) = (folder.path + "/f.npy" + name, folder.path + "/whole.npy" + name)
      #expect(FileManager.default.contentsEqual(atPath: found, andPath: whole))
    }
  }

  @Test func aSignalEndsItSoonAndTheSameCommandGoesOn() throws {
    try folder.writePictures("many", perClass: 400)
    let stopped = try run(["many", "-o", "f.csv"]) { process in
      // Rows are flushed batch by batch; the state says so after two seconds at the latest, and at the end.
      let partial = folder.path + "/f.csv.partial"
      func size() -> Int { (try? FileManager.default.attributesOfItem(atPath: partial))?[.size] as? Int ?? 0 }
      while process.isRunning, size() < 200_000 { Thread.sleep(forTimeInterval: 0.002) }
      kill(process.processIdentifier, SIGTERM)
    }
    #expect(stopped.code == 143, "\(stopped.errors)")
    #expect(
      stopped.errors.hasPrefix("stopped: ")
        && stopped.errors.contains(" of 800 images are kept in f.csv.partial, and the same command goes on with them"),
      "\(stopped.errors)")
    #expect(!isThere("f.csv"))
    let second = try run(["many", "-o", "f.csv"])
    #expect(second.code == 0 && second.output.contains("going on after "), "\(second.output)")
    #expect(try run(["many", "-o", "whole.csv"]).code == 0)
    #expect(try text("f.csv") == text("whole.csv") && !isThere("f.csv.partial") && !isThere("f.csv.partial.json"))
  }

  @Test func nothingReadableAndNothingWritableAreErrors() throws {
    try folder.write("broken/a.jpg", Array("gone".utf8))
    let broken = try run(["broken", "-o", "f.csv"])
    #expect(broken.code == 65 && broken.errors == "error: none of 1 images could be read\n", "\(broken.errors)")
    #expect(!isThere("f.csv") && !isThere("f.csv.partial"))
    let refused = try TrainerProcess.run(
      ["embed", "images", "--weights", "broken/a.jpg", "-o", "g.npy"], in: folder.path)
    #expect(refused.code == 65, "\(refused.errors)")
    for name in ["", ".partial", ".names.txt.partial", ".partial.json"] { #expect(!isThere("g.npy" + name), "\(name)") }
    for (output, text) in [("nowhere/f.csv", "No such file or directory"), ("images", "a name that ends in .csv, .jsonl")] {
      let outcome = try run(["images", "-o", output])
      #expect(outcome.code == (output == "images" ? 64 : 74) && outcome.errors.contains(text), "\(outcome.errors)")
      #expect(outcome.errors.split(separator: "\n").count == 1)
    }
  }

  @Test func whatTheDiskHasNoRoomForIsToldInOneLine() throws {
    try folder.writePictures("many", perClass: 60)
    let flags = base.joined(separator: " ")
    // A limit on the size of files stands for the full disk: some batches fit.
    let full = try TrainerProcess.shell(
      "trap '' XFSZ; ulimit -f 200; trainer embed many \(flags) -o f.npy", in: folder.path)
    #expect(full.code == 74 && full.errors.split(separator: "\n").count == 1, "\(full.errors)")
    #expect(
      full.errors.hasPrefix("error: f.npy: File too large; 64 of 120 images are kept in f.npy.partial, "), "\(full.errors)")
    #expect(try run(["many", "-o", "f.npy"]).code == 0)
    #expect(try run(["many", "-o", "whole.npy"]).code == 0)
    func file(_ name: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: folder.path + "/" + name)) }
    #expect(try file("f.npy") == file("whole.npy"))
  }
}
