import Foundation
import SwAVTestSupport
import Testing

/// Several processes on this machine, started by mpirun; passed over where Open MPI is not installed (make test-mpi installs it).
@Suite(.serialized, .enabled(if: TrainerProcess.mpirun != nil, "mpirun is not installed"))
struct RanksTests {
  let folder: TemporaryFolder
  /// A queue of two batches from the second epoch on, frozen prototypes at first, LARC, two resolutions; 3 steps an epoch of 40 images,
  /// the last 4 of which are left out.
  private static let small =
    "--crops 2x32+2x16 --base-width 8 --hidden 16 --dim 8 --prototypes 6 --batch 12 --optimizer larc --base-lr 0.05 --final-lr 0.01 "
    + "--epsilon 0.05 --queue 24 --queue-start-epoch 1 --freeze-epochs 0.5 --warmup-epochs 0 --checkpoint-minutes 0 --seed 5"
  /// A failure has to end all ranks within this many seconds.
  private static let patience = 30.0

  init() throws {
    folder = try TemporaryFolder()
    try folder.writePictures("images", perClass: 20)
  }

  private func words(_ output: String, _ more: String, images: String = "images") -> [String] {
    "pretrain \(images) --output \(output) --json \(RanksTests.small) \(more)".split(separator: " ").map(String.init)
  }

  private func pretrain(
    _ output: String, ranks: Int, _ more: String = "--epochs 2", environment: [String: String] = [:],
    whileRunning: (Process) throws -> Void = { _ in }
  ) throws -> TrainerProcess.Outcome {
    let words = words(output, more)
    guard ranks > 1 else {
      return try TrainerProcess.run(words, environment: environment, in: folder.path, whileRunning: whileRunning)
    }
    return try TrainerProcess.ranks(ranks, words, environment: environment, in: folder.path, whileRunning: whileRunning)
  }

  private func rows(_ output: String) -> [[String: Any]] {
    let text = (try? String(contentsOfFile: folder.path + "/\(output)/metrics.jsonl", encoding: .utf8)) ?? ""
    return text.split(separator: "\n").compactMap {
      try? JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]
    }.filter { $0["type"] as? String == "step" }
  }

  private func losses(_ output: String) -> [Double] { rows(output).compactMap { $0["loss"] as? Double } }
  private func bytes(_ output: String, _ name: String = "weights.safetensors") throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: folder.path + "/\(output)/\(name)"))
  }

  private func wait(_ process: Process, until holds: () -> Bool) {
    while process.isRunning, !holds() { Thread.sleep(forTimeInterval: 0.005) }
  }

  /// Whether a process is ours and has a handler for a signal: before it becomes ours it has those of mpirun.
  private func catches(_ signal: Int32, _ process: pid_t) -> Bool {
    let program = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(process)/exe")) ?? ""
    let status = (try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("SigCgt:") }
    let caught = line.flatMap { UInt64($0.dropFirst(7).trimmingCharacters(in: .whitespaces), radix: 16) } ?? 0
    return program.hasSuffix("/trainer") && caught >> UInt64(signal - 1) & 1 == 1
  }

  /// Errors of ours: mpirun has words of its own about processes that end with a code.
  private func errors(_ outcome: TrainerProcess.Outcome) -> [String] {
    outcome.errors.split(separator: "\n").map(String.init).filter { $0.hasPrefix("error:") }
  }

  @Test func prototypesByKMeansAreMadeOnceForAllRanks() throws {
    #expect(try pretrain("base", ranks: 1, "--epochs 1").code == 0)
    let outcomes = try expectTheSameBits(ranks: 2, steps: 3, "--epochs 1 --init-from base --init-prototypes kmeans")
    for outcome in outcomes {
      let initial = try #require(outcome.objects.first { $0["type"] as? String == "initialized" })
      #expect(
        (initial["reset"] as? [String])?.first?.hasPrefix("prototypes (k-means over 40 embeddings, ") == true, "\(initial)")
    }
  }

  /// Ranks round as one process does that sums over as many parts: losses and weights are equal to the bit. Their outcomes.
  @discardableResult private func expectTheSameBits(
    ranks: Int, steps: Int, _ more: String = "--epochs 2"
  ) throws -> [TrainerProcess.Outcome] {
    let outcomes = [
      try pretrain("ranks", ranks: ranks, more), try pretrain("parts", ranks: 1, more + " --sum-parts \(ranks)"),
    ]
    for outcome in outcomes { #expect(outcome.code == 0, "\(outcome.errors)") }
    #expect(losses("ranks").count == steps && losses("ranks") == losses("parts"))
    #expect(try bytes("ranks") == bytes("parts"))
    return outcomes
  }

  @Test func ranksTrainAsOneProcess() throws {
    let outcome = try expectTheSameBits(ranks: 3, steps: 6)[0]
    // One rank prints: as many lines as one process has.
    #expect(outcome.objects.filter { $0["type"] as? String == "step" }.count == 6)
    // One that sums the whole batch rounds otherwise. In the first step: behind 20 layers, which round by an eps each, as often up as
    // down, cosines are 5e-7 off, and the mean of a loss with slopes of 2 / temperature and 2 / epsilon x ln 6 in them, over 12 images,
    // 1.4e-5: of 1.8 less than 1e-5. Later ones begin where these have moved the weights.
    #expect(try pretrain("whole", ranks: 1).code == 0)
    let (first, whole) = try (#require(losses("ranks").first), #require(losses("whole").first))
    #expect(abs(first - whole) <= 1e-5 * whole, "\(first), one process \(whole)")
  }

  @Test func aRunInPartsHasTheSameBitsOnAnyNumberOfRanksKilledOrNot() throws {
    let more = "--epochs 20 --sum-parts 12 --checkpoint-steps 2"
    #expect(try pretrain("whole", ranks: 1, more).code == 0)
    let killed = try pretrain("run", ranks: 2, more) { process in
      wait(process) { rows("run").count >= 5 }
      kill(try #require(TrainerProcess.children(of: process).last), SIGKILL)
    }
    #expect(killed.code != 0)
    for ranks in [4, 3] {
      let outcome = try pretrain("run", ranks: ranks, more) { process in
        let before = rows("run").count
        if ranks == 4 { wait(process) { rows("run").count > before + 4 } }
        if ranks == 4 { kill(try #require(TrainerProcess.children(of: process).first), SIGTERM) }
      }
      #expect(outcome.code == (ranks == 4 ? 143 : 0), "\(outcome.errors)")
      let warnings = outcome.objects.compactMap { $0["warning"] as? String }
      #expect(!warnings.contains { $0.contains("rounded in another order") }, "\(warnings)")
    }
    #expect(try bytes("run") == bytes("whole"))
    // A step that was made again after the kill has the loss that it had.
    for row in rows("run") {
      let same = rows("whole").first { $0["step"] as? Int == row["step"] as? Int }
      #expect(row["loss"] as? Double == same?["loss"] as? Double)
    }
  }

  @Test func theSameRanksAgainGiveTheSameBits() throws {
    for output in ["first", "second"] { #expect(try pretrain(output, ranks: 3).code == 0) }
    #expect(try bytes("first") == bytes("second"))
  }

  @Test func aSignalToOneRankEndsAllAfterACheckpointThatTheyGoOnFromBitForBit() throws {
    #expect(try pretrain("whole", ranks: 2, "--epochs 40").code == 0)
    let stopped = try pretrain("run", ranks: 2, "--epochs 40") { process in
      wait(process) { rows("run").count >= 4 }
      // The second one: not the rank that writes.
      kill(try #require(TrainerProcess.children(of: process).last), SIGTERM)
    }
    #expect(stopped.code == 143, "\(stopped.errors)")
    #expect(stopped.objects.last?["outcome"] as? String == "interrupted")
    let done = rows("run").count
    #expect(done < 120)
    #expect(try pretrain("run", ranks: 2, "--epochs 40").code == 0)
    #expect(rows("run").count == 120)
    #expect(try bytes("run") == bytes("whole"))
  }

  @Test func aKilledRankEndsAllAndTheRunGoesOnWithAnotherNumber() throws {
    let began = Date()
    var killed = Date()
    let dead = try pretrain("run", ranks: 3, "--epochs 40 --checkpoint-steps 2") { process in
      wait(process) { rows("run").count >= 5 }
      killed = Date()
      kill(try #require(TrainerProcess.children(of: process).last), SIGKILL)
    }
    #expect(dead.code != 0)
    #expect(Date().timeIntervalSince(killed) < RanksTests.patience, "\(killed.timeIntervalSince(began)) s before")
    for (ranks, epochs) in [(2, 40), (1, 40)] {
      let outcome = try pretrain("run", ranks: ranks, "--epochs \(epochs) --checkpoint-steps 2") { process in
        let before = rows("run").count
        wait(process) { rows("run").count > before + 4 }
        kill(ranks == 1 ? process.processIdentifier : try #require(TrainerProcess.children(of: process).first), SIGTERM)
      }
      #expect(outcome.code == 143 || outcome.code == 0, "\(outcome.errors)")
      // mpirun has ended the rank that speaks: what was kept is told by the same command.
      let start = try #require(outcome.objects.first { $0["type"] as? String == "start" })
      #expect(start["resumed_at"] as? Int ?? 0 >= 2, "\(start)")
      let warnings = outcome.objects.compactMap { $0["warning"] as? String }
      #expect(warnings.contains { $0.contains("rounded in another order") }, "\(warnings)")
    }
  }

  @Test func aStoppedRankEndsAllOnceTheOthersHaveWaited() throws {
    var stopped = Date()
    let patience = ["SWAV_RANK_PATIENCE": "2"]
    let outcome = try pretrain("run", ranks: 2, "--epochs 40 --checkpoint-steps 2", environment: patience) { process in
      wait(process) { rows("run").count >= 5 }
      stopped = Date()
      kill(try #require(TrainerProcess.children(of: process).last), SIGSTOP)
    }
    #expect(outcome.code != 0 && Date().timeIntervalSince(stopped) < RanksTests.patience)
    #expect(outcome.errors.contains("the other ranks have not answered for 2 s"), "\(outcome.errors)")
    #expect(try pretrain("run", ranks: 2, "--epochs 40 --checkpoint-steps 2").code == 0)
  }

  @Test func whatIsNotFiniteEndsAllWithItsCode() throws {
    let outcome = try pretrain("run", ranks: 2, "--epochs 40 --base-lr 1e30 --optimizer sgd")
    #expect(outcome.code == 76, "\(outcome.errors)")
    #expect(errors(outcome).count == 1 && errors(outcome)[0].contains("not finite"), "\(outcome.errors)")
  }

  @Test func aFullDiskOnTheRankThatWritesEndsAllWithItsMessage() throws {
    // A limit on the size of files stands for the full disk.
    let script = "trap '' XFSZ; ulimit -f 128; exec \"$@\""
    let outcome = try TrainerProcess.ranks(2, words("run", "--epochs 2"), script: script, in: folder.path)
    #expect(outcome.code == 74, "\(outcome.errors)")
    #expect(errors(outcome).count == 1 && errors(outcome)[0].contains("File too large"), "\(outcome.errors)")
  }

  @Test func badImagesOfOneRankAreReplacedAsInOneProcessAndTooManyEndAll() throws {
    for number in [3, 11] { try folder.write("images/class0/\(number).jpg", Array("no picture".utf8)) }
    try expectTheSameBits(ranks: 2, steps: 6)
    let outcome = try pretrain("strict", ranks: 2, "--epochs 2 --max-bad 0")
    #expect(outcome.code == 65, "\(outcome.errors)")
    #expect(errors(outcome).count == 1 && errors(outcome)[0].contains("images are bad"), "\(outcome.errors)")
  }

  @Test func ranksThatSeeOtherImagesAreTold() throws {
    try folder.writePictures("images1", perClass: 19)
    let script = "[ $OMPI_COMM_WORLD_RANK = 0 ] || set -- \"${@/images/images1}\"; exec \"$@\""
    let outcome = try TrainerProcess.ranks(2, words("run", "--epochs 2"), script: script, in: folder.path)
    #expect(outcome.code == 65, "\(outcome.errors)")
    #expect(errors(outcome).count == 1 && errors(outcome)[0].contains("sees other images than rank 0"), "\(outcome.errors)")
    #expect(errors(outcome)[0].contains("2 are missing or of other sizes; first class"), "\(outcome.errors)")
  }

  @Test func featuresAreSharedOutAndTheRootWritesThemInOrder() throws {
    // Three batches: one rank has two of them. One image has no row.
    try folder.writePictures("many", perClass: 80)
    try folder.write("many/class1/7.jpg", Array("no picture".utf8))
    #expect(try pretrain("base", ranks: 1, "--epochs 1").code == 0)
    func run(_ ranks: Int, _ words: String) throws -> [String: Any] {
      let words = words.split(separator: " ").map(String.init)
      let outcome = try TrainerProcess.ranks(ranks, words, in: folder.path)
      #expect(outcome.code == 0, "\(words) on \(ranks): \(outcome.errors)")
      #expect(outcome.objects.filter { $0["type"] as? String == "result" }.count == 1)
      return try #require(outcome.objects.last)
    }
    let measure = "evaluate knn --train many --val many --weights base --neighbours 3 --json"
    var measured: [Data] = []
    for ranks in [1, 2] {
      let written = try run(ranks, "embed many --weights base --output of\(ranks).csv --json")
      #expect(written["images"] as? Int == 159)
    }
    for ranks in [1, 2] {
      let result = try run(ranks, measure).filter { $0.key != "seconds" }
      measured.append(try JSONSerialization.data(withJSONObject: result, options: .sortedKeys))
    }
    let files = try [1, 2].map { try Data(contentsOf: URL(fileURLWithPath: folder.path + "/of\($0).csv")) }
    #expect(files[0] == files[1])
    #expect(measured[0] == measured[1])
    let outcome = try TrainerProcess.ranks(2, ["embed", "many", "--weights", "base", "--output", "-"], in: folder.path)
    #expect(outcome.code == 64)
    #expect(errors(outcome).count == 1 && errors(outcome)[0].contains("- is given"), "\(outcome.errors)")
  }

  @Test func aSignalToOneRankEndsTheFeaturesOfAllAndTheSameCommandGoesOn() throws {
    try folder.writePictures("many", perClass: 200)
    let words = "embed many --weights untrained --arch resnet18 --size 96 --json --output".split(separator: " ").map(
      String.init)
    func run(_ file: String, after signal: Int32? = nil) throws -> TrainerProcess.Outcome {
      let partial = folder.path + "/\(file).partial"
      return try TrainerProcess.ranks(2, words + [file], in: folder.path) { process in
        guard let signal else { return }
        let before = (try? Data(contentsOf: URL(fileURLWithPath: partial)).count) ?? 0
        wait(process) { ((try? Data(contentsOf: URL(fileURLWithPath: partial)).count) ?? 0) > before }
        kill(try #require(TrainerProcess.children(of: process).last), signal)
      }
    }
    let stopped = try run("rows.jsonl", after: SIGTERM)
    #expect(stopped.code == 143, "\(stopped.errors)")
    let told = stopped.objects.compactMap { $0["stopped"] as? String }
    #expect(told.count == 1 && told[0].hasPrefix("rank 1 ("), "\(told)")
    #expect(told[0].contains("of 400 images are kept in rows.jsonl.partial"), "\(told)")
    #expect(errors(stopped).isEmpty, "\(stopped.errors)")
    #expect(try run("killed.jsonl", after: SIGKILL).code == 128 + SIGKILL)
    for file in ["whole.jsonl", "rows.jsonl", "killed.jsonl"] {
      let outcome = try run(file)
      #expect(outcome.code == 0, "\(outcome.errors)")
      let resumed = try #require(outcome.objects.last?["resumed_at"] as? Int)
      if file == "rows.jsonl" { #expect(resumed >= 128) }
      let notes = outcome.objects.compactMap { $0["note"] as? String }
      #expect(notes.contains("going on after \(resumed) of 400 images") == (resumed > 0), "\(notes)")
      let (rows, whole) = try (bytes(".", file), bytes(".", "whole.jsonl"))
      #expect(rows == whole)
    }
  }

  @Test func aSignalToOneRankEndsTheEvaluationOfAll() throws {
    try folder.writePictures("many", perClass: 200)
    let words = "evaluate knn --train many --val images --weights untrained --arch resnet18 --size 96 --json"
      .split(separator: " ").map(String.init)
    for signal in [SIGTERM, SIGKILL] {
      let outcome = try TrainerProcess.ranks(2, words, in: folder.path) { process in
        wait(process) { TrainerProcess.children(of: process).last.map { catches(SIGTERM, $0) } ?? false }
        // From its first images on: all of them take seconds.
        Thread.sleep(forTimeInterval: 0.3)
        kill(try #require(TrainerProcess.children(of: process).last), signal)
      }
      #expect(outcome.code == 128 + signal, "\(outcome.errors)")
      #expect(errors(outcome).isEmpty, "\(outcome.errors)")
      #expect(!outcome.objects.contains { $0["type"] as? String == "result" })
      // mpirun ends the rank that speaks where another was killed.
      let told = outcome.objects.compactMap { $0["stopped"] as? String }
      #expect(told.count == (signal == SIGTERM ? 1 : 0))
      #expect(told.allSatisfy { $0.hasPrefix("rank 1 (") && $0.hasSuffix("was asked to; nothing was measured") }, "\(told)")
    }
  }

  @Test func aMistakeIsToldOnce() throws {
    let outcome = try pretrain("run", ranks: 3, "--epochs many")
    #expect(outcome.code == 64)
    #expect(errors(outcome).count == 1, "\(outcome.errors)")
    let uneven = try pretrain("run", ranks: 3, "--epochs 2 --batch 10")
    #expect(uneven.code == 64)
    #expect(errors(uneven).count == 1 && errors(uneven)[0].contains("as 12"), "\(uneven.errors)")
    let parts = try pretrain("run", ranks: 3, "--epochs 2 --sum-parts 4")
    #expect(parts.code == 64)
    #expect(errors(parts).count == 1 && errors(parts)[0].contains("as 6, or 0"), "\(parts.errors)")
  }

  /// Whether MPI starts then or ends the process is its own affair.
  @Test func aStepOfSlurmWithoutPMIIsToldWhatToAskFor() throws {
    let step = ["SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "2"]
    for rank in ["0", "1"] {
      let alone = try TrainerProcess.run(
        ["info"], environment: step.merging(["SLURM_PROCID": rank]) { $1 }, in: folder.path)
      #expect(alone.errors.contains("srun --mpi=pmix (Open MPI)") == (rank == "0"), "\(alone.errors)")
    }
  }

  @Test func whatIsForOneProcessIsNotDoneByMany() throws {
    let outcome = try TrainerProcess.ranks(2, ["info"], in: folder.path)
    #expect(outcome.code == 64)
    #expect(errors(outcome).count == 1 && errors(outcome)[0].contains("info runs in one process"), "\(outcome.errors)")
  }
}
