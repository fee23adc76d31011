import Foundation
public import SwAVData
import SwAVEngine
public import SwAVModel

/// Writes the features of a source to a file, image after image: memory does not grow with their number. The file gets its name when it
/// is whole. Until then NAME.partial has the rows, and NAME.partial.json says how far they go: the same export goes on from there,
/// with nothing twice and nothing lost, however it ended.
public final class FeatureExport {
  /// What has to be the same for an export to go on.
  public struct Settings: Codable, Sendable, Equatable {
    public var format: FeatureFormat
    public var element = FeatureElement.float32
    public var normalizes = false
    public var output = Output.features
    public var inference = Inference.float32
    public var size: Int?
    public var batch: Int
    /// What the features depend on beside these: the weights and how they are used.
    public var network: String
    var images = DataIdentity(count: 0, hash: "")

    public init(_ format: FeatureFormat, batch: Int, network: String) {
      (self.format, self.batch, self.network) = (format, batch, network)
    }
  }

  private struct State: Codable {
    var settings: Settings
    /// Images done, and how many of these have a row.
    var done = 0
    var rows = 0
    var bytes = 0
    var nameBytes = 0
  }

  private let source: any ImageSource
  private let path: String
  private let stateFile: String
  private var state: State
  private let data: PartialFile
  private let names: PartialFile?
  /// Images that an earlier export had done.
  public let resumedAt: Int
  /// Whether rows of another export were there, which were dropped.
  public let replacedOther: Bool

  /// Images whose rows are kept should the export end now.
  public private(set) var kept: Int
  /// Images with a row so far, and images done.
  public var rows: Int { state.rows }
  public var done: Int { state.done }
  /// Numbers a row; 0 before ``run(_:reading:progress:bad:)``.
  public private(set) var dim = 0

  /// Opens the file: throws before any image is read when it cannot be written.
  public init(_ source: any ImageSource, to path: String, _ settings: Settings) throws {
    let target = try PartialFile.target(path)
    (self.source, self.path, stateFile) = (source, target, target + ".partial.json")
    var settings = settings
    settings.images = try source.identity()
    let found = FileManager.default.contents(atPath: stateFile).flatMap { try? JSONDecoder().decode(State.self, from: $0) }
    let isPossible = found.map { $0.rows >= 0 && $0.rows <= $0.done && $0.done <= source.count && $0.bytes >= 0 } ?? false
    let isSame = isPossible && found?.settings == settings && FeatureExport.isThere(target, found)
    let state = isSame ? found ?? State(settings: settings) : State(settings: settings)
    (self.state, kept, resumedAt, replacedOther) = (state, state.done, state.done, found != nil && !isSame)
    data = try PartialFile(target, keeping: state.bytes)
    names = settings.format.hasNamesBeside ? try PartialFile(target + ".names.txt", keeping: state.nameBytes) : nil
  }

  /// Whether the partial files are as long as the state says, at least.
  private static func isThere(_ path: String, _ state: State?) -> Bool {
    func length(_ path: String) -> Int {
      (try? FileManager.default.attributesOfItem(atPath: path + ".partial"))?[.size] as? Int ?? -1
    }
    guard let state else { return false }
    return length(path) >= state.bytes
      && (!state.settings.format.hasNamesBeside || length(path + ".names.txt") >= state.nameBytes)
  }

  /// Carries the export out, once, on the calling thread. `progress` gets the number of images done, `bad` each image that has no row.
  public func run(
    _ network: Network, reading: ReadingOptions, progress: (Int) throws -> Void = { _ in },
    bad: (BadSample) throws -> Void = { _ in }
  ) throws {
    defer {
      data.release()
      names?.release()
    }
    let settings = state.settings
    dim = try keepingOrClearing { try network.length(of: settings.output) }
    let rows = FeatureRows(
      settings.format, of: source, title: settings.output.rawValue, dim: dim,
      element: settings.element, normalizes: settings.normalizes)
    var reading = reading
    reading.batch = settings.batch
    try keepingOrClearing {
      if state.bytes == 0 {
        try data.append(rows.header(rows: 0))
        state.bytes = data.length
      }
      var saved = ContinuousClock.now
      try Features.forEachBatch(
        of: source, from: state.done, network: network, size: settings.size, output: settings.output,
        inference: settings.inference, options: reading
      ) { batch in
        let bytes = rows.encode(batch)
        try data.append(bytes.data)
        try names?.append(bytes.names)
        state.done += batch.count + batch.bad.count
        state.rows += batch.count
        (state.bytes, state.nameBytes) = (data.length, names?.length ?? 0)
        for sample in batch.bad { try bad(sample) }
        if ContinuousClock.now - saved > .seconds(2) {
          try save()
          saved = .now
        }
        try progress(state.done)
      }
    }
    try finish(rows)
  }

  private func finish(_ rows: FeatureRows) throws {
    guard state.rows > 0 else {
      kept = 0
      clear()
      throw DataError(.unusable, "none of \(state.done) images could be read")
    }
    try keepingOrClearing {
      if state.settings.format.hasNamesBeside { try data.write(rows.header(rows: state.rows), at: 0) }
      try data.flush()
      try names?.flush()
    }
    for name in state.settings.format.hasNamesBeside ? [path + ".names.txt", path] : [path] {
      guard rename(name + ".partial", name) == 0 else { throw FeatureFileError(name, errno) }
    }
    unlink(stateFile)
  }

  /// Where `body` throws, says on the disk how far it came, or leaves nothing behind where it came nowhere.
  private func keepingOrClearing<Value>(_ body: () throws -> Value) throws -> Value {
    do {
      return try body()
    } catch {
      if state.done > 0 { try? save() }
      if kept == 0 { clear() }
      throw error
    }
  }

  private func clear() {
    data.remove()
    names?.remove()
    unlink(stateFile)
  }

  private func save() throws {
    try data.flush()
    try names?.flush()
    try JSONEncoder().encode(state).write(to: URL(fileURLWithPath: stateFile), options: .atomic)
    kept = state.done
  }
}
