import Glibc
package import SwAVData
public import SwAVEngine

// Where several processes train together: who does what, and what all of them have to know before the next collective call.
extension RankGroup? {
  var isRoot: Bool { self?.isRoot ?? true }

  func agree<R>(_ body: () throws -> R) throws -> R { try self?.agree(body) ?? body() }
  func onRoot<R: Codable>(_ body: () throws -> R) throws -> R { try self?.onRoot(body) ?? body() }
  func doOnRoot(_ body: () throws -> Void) throws {
    guard let self else { return try body() }
    try self.doOnRoot(body)
  }
}

/// What the root finds in the run's folder, for all.
struct FoundRun: Codable {
  /// The state to go on from; nil for a new run.
  var state: TrainingState?
  var hasWeights: Bool
}

extension RankGroup {
  /// Throws on all ranks where one of them sees other images than the root, or computes with another instruction set. Of the files
  /// some are looked at: the root has looked at all.
  package func requireSameImages(_ images: any ImageSource) throws {
    // Each rank updates its own weights, which have to stay equal to the bit.
    let sets = try gather(try Runtime.info().isa)
    if let other = sets.firstIndex(where: { $0 != sets[0] }) {
      end()
      throw PretrainingError.engine(
        EngineError(
          code: .unsupported,
          message: "rank 0 (\(hosts[0])) computes with \(sets[0]) and rank \(other) (\(hosts[other])) with \(sets[other]): set "
            + "SWAV_MAX_ISA to the lesser one for all ranks"))
    }
    let all = try gather(SeenImages(images))
    guard let other = all.firstIndex(where: { $0 != all[0] }) else { return }
    end()
    throw PretrainingError.data(
      DataError(
        .unusable,
        "rank \(other) (\(hosts[other])) sees other images than rank 0 (\(hosts[0])): \(all[other].difference(from: all[0], images))"
          + "; every host needs the same ones under the same path"))
  }

  /// The images of each batch that are this rank's.
  func share(ofBatch batch: Int) -> Range<Int> { rank * (batch / size)..<(rank + 1) * (batch / size) }
}

/// What tells whether ranks have the same images before them.
private struct SeenImages: Codable, Equatable {
  var names: DataIdentity
  /// Bytes of the files at ``places``: 0 where a sample is no file of its own, -1 where the file is not there.
  var sizes: [Int64]

  private static func places(_ count: Int) -> [Int] { spread(256, over: count) }

  init(_ images: any ImageSource) {
    names = images.identityOfNames
    sizes = SeenImages.places(images.count).map { images.filePath(of: $0).map(SeenImages.size) ?? 0 }
  }

  func difference(from root: SeenImages, _ images: any ImageSource) -> String {
    if names.count != root.names.count { return "\(names.count) in place of \(root.names.count)" }
    if names != root.names { return "as many of other names" }
    let others = zip(SeenImages.places(names.count), zip(sizes, root.sizes)).filter { $0.1.0 != $0.1.1 }
    let first = others.first.map { "; first \(images.name(of: $0.0)), \(text($0.1.0)) in place of \(text($0.1.1))" } ?? ""
    return "of \(sizes.count) files looked at \(others.count) are missing or of other sizes\(first)"
  }

  private static func size(of path: [CChar]) -> Int64 {
    var status = stat()
    return stat(path, &status) == 0 ? Int64(status.st_size) : -1
  }

  private func text(_ size: Int64) -> String { size < 0 ? "missing" : "\(size) bytes" }
}

extension TrainingLoop {
  /// What every rank says before a step.
  private struct Word: Codable {
    var isCancelled: Bool
    var wantsCheckpoint: Bool
  }

  /// Before a step: throws on all ranks where one cannot go on (`trouble`), or was called off. A wish for a checkpoint, and one that is
  /// due by the root's clock, becomes everybody's.
  mutating func agreeToStep(_ control: RunControl, trouble: (any Error)?, isDue: Bool) throws {
    guard let ranks = pretraining.ranks else { return try Cancellation.check() }
    let pending = trouble ?? troubleOfReport
    troubleOfReport = nil
    let word = Word(isCancelled: control.isCancelled, wantsCheckpoint: control.takeCheckpointRequest() || isDue && ranks.isRoot)
    let words = try ranks.agree { () throws -> Word in
      if let pending { throw pending }
      return word
    }
    let all = try ranks.gather(words)
    if all.contains(where: \.isCancelled) {
      control.cancel()
      throw EngineError(code: .cancelled, message: "called off")
    }
    checkpointIsAgreed = all.contains(where: \.wantsCheckpoint)
  }

  /// Samples that any rank found to be bad.
  func badSamples(of work: borrowing Work) throws -> [Int] {
    let own = work.loader.badSamples
    guard let ranks = pretraining.ranks else { return own }
    return Set(try ranks.gather(own).joined()).sorted()
  }
}

extension RankGroup {
  /// The root's plan, on every rank; elsewhere it has the configuration alone. Collective.
  public func sharing(_ plan: () throws -> PretrainPlan) throws -> PretrainPlan {
    var own: PretrainPlan?
    let yaml = try onRoot { () throws -> String in
      let plan = try plan()
      own = plan
      return plan.configuration.yaml
    }
    if let own { return own }
    var configuration = PretrainConfiguration()
    try PretrainSettings(yaml: yaml, path: "the root's settings").apply(to: &configuration)
    return PretrainPlan(configuration: configuration, speed: PlannedSpeed(imagesPerSecond: 0))
  }
}
