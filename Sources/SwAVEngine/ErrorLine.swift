import Foundation

/// Any error as one line for people: an error of these modules as it describes itself, one of Foundation, which on Linux describes
/// itself as a dump of its fields, as the file and what the system said of it: "out/f.csv: No space left on device".
package func errorLine(_ error: any Error) -> String {
  guard let found = foundationError(error) else { return systemReason(error) }
  let path = found.userInfo[NSFilePathErrorKey] as? String ?? (found.userInfo[NSURLErrorKey] as? URL)?.path
  return (path.map { $0 + ": " } ?? "") + systemReason(error)
}

/// The same without the file, for a message that names it already: "No space left on device".
package func systemReason(_ error: any Error) -> String {
  let text =
    switch error {
    case let error as EncodingError: reason(error)
    case let error as DecodingError: reason(error)
    default: foundationError(error).map(reason) ?? "\(error)"
    }
  return text.split(whereSeparator: \.isNewline).joined(separator: " ")
}

private func foundationError(_ error: any Error) -> NSError? {
  error is CocoaError || error is POSIXError || error is URLError || type(of: error) is NSError.Type ? error as NSError : nil
}

private func reason(_ error: NSError) -> String {
  var candidate: NSError? = error
  while let found = candidate {
    if found.domain == NSPOSIXErrorDomain { return String(cString: strerror(Int32(found.code))) }
    candidate = (found.userInfo[NSUnderlyingErrorKey] as? any Error).map { $0 as NSError }
  }
  return reasons[CocoaError.Code(rawValue: error.code)] ?? "\(error.domain) error \(error.code)"
}

/// Where Foundation does not pass on what the system said.
private let reasons: [CocoaError.Code: String] = [
  .fileNoSuchFile: "No such file or directory", .fileReadNoSuchFile: "No such file or directory",
  .fileReadNoPermission: "Permission denied", .fileWriteNoPermission: "Permission denied",
  .fileWriteOutOfSpace: "No space left on device", .fileWriteVolumeReadOnly: "Read-only file system",
  .fileWriteFileExists: "File exists", .fileReadCorruptFile: "not readable: the file is damaged",
]

private func reason(_ error: EncodingError) -> String {
  guard case .invalidValue(_, let context) = error else { return "\(error)" }
  return context.debugDescription
}

private func reason(_ error: DecodingError) -> String {
  switch error {
  case .typeMismatch(_, let context), .valueNotFound(_, let context), .keyNotFound(_, let context),
    .dataCorrupted(let context):
    let path = context.codingPath.map(\.stringValue).joined(separator: ".")
    return path.isEmpty ? context.debugDescription : "\(path): \(context.debugDescription)"
  @unknown default: return "\(error)"
  }
}
