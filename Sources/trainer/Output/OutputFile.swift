import Foundation
import SwAV

/// Checks that a file can be written before the work that fills it: makes one beside it and takes that away again. What is there under
/// the name stays untouched. Throws ``Failure`` with 74 and what the system said.
func requireWritable(_ path: String, json: Bool = false) throws {
  func refuse(_ reason: String) -> Failure { Failure(code: .io, message: "\(path): \(reason)", json: json) }
  var status = stat()
  if stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR { throw refuse("a folder; a file is needed") }
  let aside = "\(path).\(getpid()).new"
  let descriptor = open(aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
  guard descriptor >= 0 else { throw refuse(String(cString: strerror(errno))) }
  close(descriptor)
  unlink(aside)
}
