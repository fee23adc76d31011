import Glibc

/// Opens images by path, whatever kind of source it is:
///
/// | path | what it is |
/// |---|---|
/// | a folder | pictures, flat or nested; first-level sub-folders are classes (``ImageFolder``) |
/// | a folder with .tar files and no pictures, in it or below it | those archives, in the order of their paths (``TarShards``) |
/// | a folder with CIFAR batches (`data_batch_*.bin`, or `train.bin`) and no pictures | those batches (``CIFARBatches``) |
/// | FILE.tar | a WebDataset-style archive (``TarShards``) |
/// | FILE.bin | a CIFAR-10 or CIFAR-100 binary batch (``CIFARBatches``) |
/// | FILE.csv, FILE.tsv | a table with a header (``ImageList/init(table:)``) |
/// | FILE.txt, FILE.lst, FILE.list | one path a line (``ImageList/init(contentsOf:)``) |
/// | a picture | itself |
///
/// What is passed over on the way is in the source's ``ImageSource/remarks``.
///
/// What the calling thread watches (``Cancellation``) calls it off, even where the file system hangs: then this throws
/// `.cancelled` within a second. Throws `.missing` where there is nothing, `.unusable` where it is none of these or holds no
/// images.
public func openImages(_ path: String) throws(DataError) -> any ImageSource { try openImages([path]) }

/// Opens one path, or several as one ``ImageMixture``.
public func openImages(_ paths: [String]) throws(DataError) -> any ImageSource {
  do {
    return try onSideThread(paths.count == 1 ? paths[0] : "\(paths.count) sources") { isCancelled in
      try open(paths, isCancelled: isCancelled)
    }
  } catch {
    throw error as? DataError ?? DataError(.unusable, "\(error)")
  }
}

private func open(_ paths: [String], isCancelled: @escaping @Sendable () -> Bool) throws(DataError) -> any ImageSource {
  if paths.count == 1 { return try open(paths[0], isCancelled) }
  var sources: [any ImageSource] = []
  for path in paths { sources.append(try open(path, isCancelled)) }
  // A picture's name is its path.
  let names = zip(paths, sources).map { path, source in (source as? ImageList)?.isPicture == true ? "" : path }
  return try ImageMixture(sources, names: names)
}

private func open(_ path: String, _ isCancelled: @escaping @Sendable () -> Bool) throws(DataError) -> any ImageSource {
  var status = stat()
  guard stat(path, &status) == 0 else { throw FileBytes.failure(path, errno) }
  if status.st_mode & S_IFMT == S_IFDIR {
    var scan = FolderScan(root: path, isCancelled: isCancelled)
    try scan.run()
    if scan.paths.count == 0, scan.archives.count > 0 { return try TarShards(scan, isCancelled: isCancelled) }
    if scan.paths.count == 0, !scan.batches.isEmpty {
      return try CIFARBatches(scan.batches.sorted().map { path + (path.hasSuffix("/") ? "" : "/") + $0 })
    }
    return try ImageFolder(scan)
  }
  switch fileEnding(of: path) {
  case "tar": return try TarShards([path], isCancelled: isCancelled)
  case "bin": return try CIFARBatches([path])
  case "csv", "tsv": return try ImageList(table: path)
  case "txt", "lst", "list": return try ImageList(contentsOf: path)
  default: return try openFile(path)
  }
}

/// A file that its name does not make a source.
private func openFile(_ path: String) throws(DataError) -> any ImageSource {
  let head = try FileBytes.read(path, limit: ImageFiles.headSize)
  if ImageFiles.hasEnding(path) || looksLikeImage(head) { return ImageList(picture: path) }
  let what =
    PackedFiles.advice(name: path, head: head)
    ?? "not a folder, a picture, a list (.txt), a table (.csv), an archive (.tar) or a CIFAR batch (.bin)"
  throw DataError(.unusable, "\(printable(path.utf8)): \(what)")
}
