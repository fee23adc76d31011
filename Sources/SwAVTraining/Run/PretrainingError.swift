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

  public var description: String {
    switch self {
    case .setting(let origin, let value, let allowed): "\(origin) is '\(value)'; \(allowed)"
    case .unknownSetting(let origin, let nearest):
      "\(origin) is no setting" + (nearest.map { "; did you mean '\($0)'?" } ?? "; --print-config shows all")
    case .settingsFile(let path, let reason): "\(path): \(reason)"
    case .outputInUse(let path, let reason): "\(path): \(reason)"
    case .settingsChanged(let path, let differences):
      "\(path) was made with other settings (\(differences.joined(separator: ", "))): use those, or another --output"
    case .dataChanged(let path, let reason): "\(path) was made from other images: \(reason)"
    case .checkpoint(let path, let reason): "\(path): \(reason)"
    case .file(let path, let reason): "\(path): \(reason)"
    case .data(let error): error.description
    case .engine(let error): error.description
    }
  }
}

/// Names an error of a lower module as one of this one; others are passed on.
func asPretrainingError<R>(_ body: () throws -> R) throws -> R {
  do {
    return try body()
  } catch let error as DataError {
    throw PretrainingError.data(error)
  } catch let error as EngineError {
    throw PretrainingError.engine(error)
  }
}
