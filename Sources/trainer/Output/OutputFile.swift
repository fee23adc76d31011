import ArgumentParser
import Foundation
import SwAV

/// Throws where the name of an output does not end as its kind of file does: then it may be a file of another kind that would be lost.
func requireEnding(_ endings: [String], of path: String, flag: String = "--output") throws {
  guard !endings.contains(where: { path.lowercased().hasSuffix($0) }) else { return }
  throw ValidationError("\(flag) is '\(path)'; a name that ends in \(endings.joined(separator: " or ")) is needed")
}

/// Checks that a file can be written before the work that fills it: makes one beside it and takes that away again. What is there under
/// the name stays untouched. Throws ``Failure`` with 74 and what the system said, and with 73 where it is one of the `inputs`, which
/// would be lost.
func requireWritable(_ path: String, apartFrom inputs: [String] = [], json: Bool = false) throws {
  func refuse(_ reason: String) -> Failure { Failure(code: .io, message: "\(path): \(reason)", json: json) }
  var status = stat()
  if stat(path, &status) == 0 {
    if status.st_mode & S_IFMT == S_IFDIR { throw refuse("a folder; a file is needed") }
    if let own = FileIdentity(path), inputs.contains(where: { FileIdentity($0) == own }) {
      throw Failure(
        code: .outputInUse, message: "\(path): it is what is read, and would be lost; name another file", json: json)
    }
  }
  let aside = "\(path).\(getpid()).new"
  let descriptor = open(aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
  guard descriptor >= 0 else { throw refuse(String(cString: strerror(errno))) }
  close(descriptor)
  unlink(aside)
}

/// Which file a path leads to, through links: writing or removing what another path leads to would lose it there too.
struct FileIdentity: Equatable {
  private let device: dev_t, inode: ino_t

  /// nil where nothing is there.
  init?(_ path: UnsafePointer<CChar>) {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    (device, inode) = (status.st_dev, status.st_ino)
  }
}
