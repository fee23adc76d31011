public import Foundation
import SwAVAugmentation
public import SwAVEngine
import Synchronization

/// A labelled set of rendered pictures to try the method on without downloading anything.
///
/// Thirteen kinds of pattern, in random colours that change across each picture, at random places, turns and sizes, bent,
/// slanted, lit from a side, partly covered: neither mean colour nor a thumbnail tells the kind, its structure does.
/// Every picture is a pure function of (seed, split, class, number): equal bytes on any number of threads.
///
///     try DemoImages().write(to: URL(filePath: "swav-demo/images"))   // train/bricks/0000.jpg ...
public struct DemoImages: Sendable, Equatable {
  /// Which part of the set; also the name of its folder.
  public enum Split: String, CaseIterable, Sendable {
    /// To learn from.
    case train
    /// Held out, to measure with.
    case val
  }

  public var seed: UInt64
  /// Pixels a side, 8...4096.
  public var side: Int
  /// Pictures of each class to learn from, 1...1,000,000.
  public var trainPerClass: Int
  /// Pictures of each class to measure with, 1...1,000,000.
  public var valPerClass: Int

  public init(seed: UInt64 = 1, side: Int = 96, trainPerClass: Int = 200, valPerClass: Int = 60) {
    (self.seed, self.side, self.trainPerClass, self.valPerClass) = (seed, side, trainPerClass, valPerClass)
  }

  /// Pictures in all.
  public var count: Int { DemoClass.allCases.count * (trainPerClass + valPerClass) }

  public func perClass(_ split: Split) -> Int { split == .train ? trainPerClass : valPerClass }

  /// One picture before encoding: samples [side][side][3], red, green, blue, 8 bits each.
  public func samples(_ split: Split, _ kind: DemoClass, _ number: Int) -> [UInt8] {
    var generator = generator(split, kind, number)
    return kind.render(side: side, using: &generator)
  }

  /// One picture as a JPEG file of a quality between 75 and 95.
  public func jpeg(_ split: Split, _ kind: DemoClass, _ number: Int) throws(EngineError) -> [UInt8] {
    var generator = generator(split, kind, number)
    let samples = kind.render(side: side, using: &generator)
    let quality = 75 + generator.below(21)
    return try Image.encodeJPEG(samples, width: side, height: side, channels: 3, quality: quality)
  }

  private func generator(_ split: Split, _ kind: DemoClass, _ number: Int) -> SplitMix64 {
    SplitMix64(seed, split == .train ? 0 : 1, kind.number, UInt64(number))
  }
}

extension DemoImages {
  /// Why the set could not be written.
  public enum Failure: Error, Sendable, Equatable, CustomStringConvertible {
    /// A property outside its range.
    case setting(name: String, value: Int, allowed: String)
    /// A file or folder that the system refused to write.
    case file(path: String, reason: String)
    case engine(EngineError)

    public var description: String {
      switch self {
      case .setting(let name, let value, let allowed): "\(name) is \(value); \(allowed) is allowed"
      case .file(let path, let reason): "\(path): \(reason)"
      case .engine(let error): error.description
      }
    }
  }

  /// Writes `directory`/train|val/CLASS/NUMBER.jpg, numbers from 0000, making the folders that are missing and replacing files of
  /// the same names. All cores of the machine take part.
  ///
  /// - Parameter progress: is called on this thread every so often with the number of pictures written; throw to stop.
  public func write(to directory: URL, progress: (Int) throws -> Void = { _ in }) throws {
    try validate()
    var done = 0
    for split in Split.allCases {
      for kind in DemoClass.allCases {
        let folder = directory.appending(path: split.rawValue).appending(path: kind.rawValue)
        try asFailure(folder.path) { try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true) }
        // One class at a time keeps progress on the caller's thread; a class is enough work for every core.
        try write(split, kind, into: folder)
        done += perClass(split)
        try progress(done)
      }
    }
  }

  private func write(_ split: Split, _ kind: DemoClass, into folder: URL) throws {
    let failure = Mutex<(any Error)?>(nil)
    DispatchQueue.concurrentPerform(iterations: perClass(split)) { number in
      guard failure.withLock({ $0 == nil }) else { return }
      do {
        let bytes = try asFailure { try jpeg(split, kind, number) }
        let file = folder.appending(path: DemoImages.fileName(number))
        try asFailure(file.path) { try Data(bytes).write(to: file, options: .atomic) }
      } catch {
        failure.withLock { $0 = $0 ?? error }
      }
    }
    if let error = failure.withLock({ $0 }) { throw error }
  }

  /// "0007.jpg": names sort as numbers do.
  static func fileName(_ number: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, 4 - digits.count)) + digits + ".jpg"
  }

  private func validate() throws(Failure) {
    let limits = [
      ("side", side, 8...4096), ("trainPerClass", trainPerClass, 1...1_000_000), ("valPerClass", valPerClass, 1...1_000_000),
    ]
    for (name, value, range) in limits where !range.contains(value) {
      throw .setting(name: name, value: value, allowed: "\(range.lowerBound) to \(range.upperBound)")
    }
  }

  private func asFailure<R>(_ path: String = "", _ body: () throws -> R) throws(Failure) -> R {
    do {
      return try body()
    } catch let error as EngineError {
      throw .engine(error)
    } catch {
      throw .file(path: path, reason: systemReason(error))
    }
  }
}
