import Glibc

/// What came through a pipe, in a file without a name: memory does not grow with it.
///
/// It is pictures, one directly behind the other, or an archive, or else text: paths of pictures.
// Sendable: nothing changes once it is full.
package final class PipedImages: @unchecked Sendable {
  private let descriptor: Int32
  private var mapped = UnsafeRawBufferPointer(start: nil, count: 0)

  /// Throws `.io` where there is no room for it.
  package init(folder: String) throws(DataError) {
    var template = Array((folder + "/swav-piped-XXXXXX").utf8CString)
    descriptor = mkstemp(&template)
    guard descriptor >= 0 else {
      throw DataError(
        .io, "standard input: no file can be made in \(folder), the folder of temporary files (TMPDIR): \(systemText(errno))")
    }
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    unlink(template)
  }

  deinit {
    munmap(UnsafeMutableRawPointer(mutating: mapped.baseAddress), mapped.count)
    close(descriptor)
  }

  package func append(_ bytes: UnsafeRawBufferPointer) throws(DataError) {
    var rest = bytes
    while !rest.isEmpty {
      let count = write(descriptor, rest.baseAddress, rest.count)
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else {
        throw DataError(.io, "standard input: no room for it in the folder of temporary files: \(systemText(errno))")
      }
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
    }
  }

  /// What it is, once all is there.
  package enum Content {
    case images(any ImageSource)
    case text([UInt8])
  }

  package func content() throws(DataError) -> Content {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw DataError(.io, "standard input: \(systemText(errno))") }
    guard status.st_size > 0 else { return .text([]) }
    guard let start = mmap(nil, Int(status.st_size), PROT_READ, MAP_PRIVATE, descriptor, 0), start != MAP_FAILED else {
      throw DataError(.io, "standard input: \(systemText(errno))")
    }
    mapped = UnsafeRawBufferPointer(start: start, count: Int(status.st_size))
    if looksLikeImage(mapped.prefix(ImageFiles.headSize)) { return .images(PictureStream(self, extents())) }
    if isArchive { return .images(try PipedArchive(self, path: "/proc/self/fd/\(descriptor)")) }
    if let advice = PackedFiles.advice(name: "", head: Array(mapped.prefix(ImageFiles.headSize))) {
      throw DataError(.unusable, "standard input: \(advice)")
    }
    return .text(Array(mapped))
  }

  /// POSIX's and GNU's tar write it into each header.
  private var isArchive: Bool { mapped.count >= 512 && mapped[257..<262].elementsEqual("ustar".utf8) }

  /// Behind each picture, and whether the last one says itself where it ends. What follows one and is none belongs to it, as
  /// decoders see it.
  private func extents() -> (ends: [Int], lastIsKnown: Bool) {
    var (found, at) = ([Int](), 0)
    while let end = PictureExtent.end(of: mapped, from: at) {
      guard looksLikeImage(mapped[end...].prefix(ImageFiles.headSize)) else { return (found + [mapped.count], true) }
      found.append(end)
      at = end
    }
    return (found + [mapped.count], false)
  }

  fileprivate func bytes(_ range: Range<Int>) -> [UInt8] { Array(mapped[range]) }

  fileprivate var hash: FNV1a {
    var hash = FNV1a()
    hash.combine(mapped)
    return hash
  }
}

/// Pictures, one behind the other.
private struct PictureStream: ImageSource {
  private let pipe: PipedImages
  private let ends: [Int]
  let remarks: [SourceRemark]

  init(_ pipe: PipedImages, _ extents: (ends: [Int], lastIsKnown: Bool)) {
    (self.pipe, ends) = (pipe, extents.ends)
    let length = (ends.last ?? 0) - (ends.dropLast().last ?? 0)
    let text =
      "picture \(ends.count) does not say where it ends, or is cut off; the last \(length) bytes are taken for one picture"
    remarks = extents.lastIsKnown ? [] : [SourceRemark(.unreadable, text)]
  }

  var count: Int { ends.count }

  func bytes(of sample: Int) throws -> [UInt8] { try head(of: sample, limit: FileBytes.maximumSize) }

  func head(of sample: Int, limit: Int) throws -> [UInt8] {
    let start = sample == 0 ? 0 : ends[sample - 1]
    return pipe.bytes(start..<min(ends[sample], start + limit))
  }

  func name(of sample: Int) -> String { count == 1 ? "-" : "-/\(sample + 1)" }
  func identity() throws -> DataIdentity { DataIdentity(count: count, hash: pipe.hash.hexadecimal) }
}

/// An archive, read where it lies.
private struct PipedArchive: ImageSource {
  private let pipe: PipedImages
  private let shards: TarShards

  init(_ pipe: PipedImages, path: String) throws(DataError) {
    do { shards = try TarShards([path]) } catch {
      throw DataError(error.kind, error.description.replacing(path, with: "standard input"))
    }
    self.pipe = pipe
  }

  var count: Int { shards.count }
  var classNames: [String] { shards.classNames }
  var remarks: [SourceRemark] { shards.remarks }
  func bytes(of sample: Int) throws -> [UInt8] { try shards.bytes(of: sample) }
  func head(of sample: Int, limit: Int) throws -> [UInt8] { try shards.head(of: sample, limit: limit) }
  func name(of sample: Int) -> String { shards.name(of: sample) }
  func label(of sample: Int) -> Int? { shards.label(of: sample) }
  func identity() throws -> DataIdentity { try shards.identity() }
}
