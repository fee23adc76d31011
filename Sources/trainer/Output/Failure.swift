import ArgumentParser
import Foundation
import SwAV
import SwAVDemo
import SwAVDiscovery

/// How a command that failed ends: one line on standard error, and an exit code of a documented meaning.
struct Failure: Error {
  /// As in sysexits.h, where that has a name for it.
  enum Code: Int32, CaseIterable {
    case usage = 64
    case data = 65
    case noInput = 66
    case defect = 70
    case memory = 71
    case outputInUse = 73
    case io = 74
    case notFinite = 76

    var meaning: String {
      switch self {
      case .usage: "a flag, a value or a settings file is wrong"
      case .data: "images, weights or a checkpoint that cannot be used"
      case .noInput: "an input is not there"
      case .defect: "a defect of this program"
      case .memory: "out of memory"
      case .outputInUse: "the output folder is in use, or not the folder of a run"
      case .io: "reading or writing failed, standard output included"
      case .notFinite: "a value is not finite"
      }
    }
  }

  let code: Code
  let message: String
  let json: Bool

  func tell() {
    guard LaunchedRanks.speaks else { return }
    let message = LaunchedRanks.prefix + message
    if json, let row = try? jsonRow("error", fields: ["error": message, "exit_code": code.rawValue]) { print(row) }
    try? FileHandle.standardError.write(contentsOf: Data("error: \(message)\n".utf8))
  }

  /// Runs the body of a command; errors of the library become failures.
  static func reporting(json: Bool, _ body: () throws -> Void) throws {
    do {
      try body()
    } catch let error as ExitCode {
      throw error
    } catch let failure as Failure {
      throw failure
    } catch let error as ValidationError {
      throw Failure(code: .usage, message: error.message, json: json)
    } catch {
      throw Failure(code: code(for: error), message: errorLine(error), json: json)
    }
  }

  /// What the command ends with after any error. Only a signal calls a command off.
  static func exitCode(for error: any Error) -> Int32 {
    if (error as? EngineError)?.code == .cancelled { return StopSignal.exitCode }
    return (error as? ExitCode)?.rawValue ?? code(for: error).rawValue
  }

  static func code(for error: any Error) -> Code {
    switch error {
    case let error as PretrainingError: code(for: error)
    case let error as DataError: code(for: error)
    case let error as EngineError: code(for: error)
    case let error as RankFailure: code(for: error)
    case let error as FeatureFileError: error.isInUse ? .outputInUse : .io
    case OutputError.inUse: .outputInUse
    case is OutputError: .io
    case is CropSyntaxError: .usage
    case let error as DemoImages.Failure: code(for: error)
    case let failure as Failure: failure.code
    case is ValidationError: .usage
    case is CocoaError: .io
    default: .defect
    }
  }

  private static func code(for error: PretrainingError) -> Code {
    switch error {
    case .setting, .unknownSetting, .settingsChanged, .settingsFile: .usage
    case .outputInUse: .outputInUse
    case .dataChanged, .checkpoint: .data
    case .file: .io
    case .data(let error): code(for: error)
    case .engine(let error): code(for: error)
    case .rank(let failure): code(for: failure)
    case .unhealthy: .data
    // Only a signal calls a command off, and its own code comes first.
    case .cancelled: .defect
    case .stopped(let cause, _, _, _): code(for: cause)
    }
  }

  private static func code(for failure: RankFailure) -> Code { Code(rawValue: failure.exitCode) ?? .defect }

  private static func code(for error: DemoImages.Failure) -> Code {
    switch error {
    case .setting: .usage
    case .file: .io
    case .engine(let error): code(for: error)
    }
  }

  private static func code(for error: DataError) -> Code {
    switch error.kind {
    case .missing: .noInput
    case .unusable, .tooManyBad: .data
    case .io, .stalled, .cancelled: .io
    }
  }

  private static func code(for error: EngineError) -> Code {
    switch error.code {
    case .argument: .usage
    case .io: .io
    case .format, .unsupported, .limit: .data
    case .memory: .memory
    case .numeric: .notFinite
    default: .defect
    }
  }
}
