import Foundation

/// What the system said about a file: "No space left on device". Foundation's own text for it is a number on Linux.
func systemReason(_ error: any Error) -> String {
  var candidate: NSError? = error as NSError
  while let found = candidate {
    if found.domain == NSPOSIXErrorDomain { return String(cString: strerror(Int32(found.code))) }
    candidate = (found.userInfo[NSUnderlyingErrorKey] as? any Error).map { $0 as NSError }
  }
  return "\(error)"
}
