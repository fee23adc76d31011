public import SwAVData
public import SwAVEngine

/// Why a run did not start or did not go on: one line that names the setting or the file, its value and what would be right.
public enum PretrainingError: Error, Sendable, Equatable, CustomStringConvertible {
  /// A setting with a wrong value. `origin` is the flag, or the file and the key.
  case setting(origin: String, value: String, allowed: String)
  /// A name that is no setting.
  case unknownSetting(origin: String, nearest: String?)
  /// A settings file that is not readable YAML.
  case settingsFile(path: String, reason: String)
  /// The output folder holds something that must not be overwritten.
  case outputInUse(path: String, reason: String)
  /// The run was made with other settings: their names, with the old and the new value.
  case settingsChanged(path: String, differences: [String])
  /// The images are not those that the run began with.
  case dataChanged(path: String, reason: String)
  /// The checkpoint cannot be used.
  case checkpoint(path: String, reason: String)
  /// A file of the run could not be written or read.
  case file(path: String, reason: String)
  case data(DataError)
  case engine(EngineError)
  /// A disease that the settings say ends a run.
  case unhealthy(Diagnosis)
  /// What went wrong in another one of the processes that train together.
  case rank(RankFailure)
  /// Called off before the first step.
  case cancelled
  /// The run ended early for a reason. `kept` says what is on the disk.
  indirect case stopped(cause: PretrainingError, step: Int, totalSteps: Int, kept: String)

  public var description: String {
    switch self {
    case .setting(let origin, let value, let allowed): "\(origin) is '\(value)'; \(allowed)"
    case .unknownSetting(let origin, let nearest):
      "\(origin) is no setting" + (nearest.map { "; did you mean '\($0)'?" } ?? "")
    case .settingsFile(let path, let reason): "\(path): \(reason)"
    case .outputInUse(let path, let reason): "\(path): \(reason)"
    case .settingsChanged(let path, let differences):
      "\(path) was made with other settings (\(differences.joined(separator: ", "))): use those, or another folder"
        + PretrainingError.explanation(of: differences)
    case .dataChanged(let path, let reason): "\(path) was made from other images: \(reason)"
    case .checkpoint(let path, let reason): "\(path): \(reason)"
    case .file(let path, let reason): "\(path): \(reason)"
    case .data(let error): error.description
    case .engine(let error): error.description
    case .unhealthy(let diagnosis): diagnosis.text()
    case .rank(let failure): failure.description
    case .cancelled: "called off before the first step"
    case .stopped(let cause, let step, let totalSteps, let kept):
      "stopped after step \(step) of \(totalSteps): \(cause.description); \(kept)"
    }
  }

  /// Why a change that people expect to be possible is none.
  private static func explanation(of differences: [String]) -> String {
    guard differences.contains(where: { $0.hasPrefix("epochs ") }) else { return "" }
    return
      ". A run cannot be made longer: its learning rate has gone down to the end that was planned, and more steps at that rate "
      + "would learn next to nothing; a run of so many epochs begins anew, in a folder of its own"
  }
}

extension PretrainingError {
  /// An error of a lower module as one of this one; nil for others.
  package init?(_ error: any Error) {
    switch error {
    case let error as PretrainingError: self = error
    case let error as DataError: self = error.kind == .cancelled ? .cancelled : .data(error)
    case let error as RankFailure: self = .rank(error)
    case let error as EngineError: self = error.code == .cancelled ? .cancelled : .engine(error)
    default: return nil
    }
  }
}

/// Names an error of a lower module as one of this one; others are passed on.
func asPretrainingError<R>(_ body: () throws -> R) throws -> R {
  do {
    return try body()
  } catch {
    throw PretrainingError(error) ?? error
  }
}
