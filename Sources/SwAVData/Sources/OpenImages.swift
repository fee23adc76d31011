import Glibc

/// Opens images by path, whatever kind of source it is:
///
/// | path | what it is |
/// |---|---|
/// | a folder | pictures, flat or nested; first-level sub-folders are classes (``ImageFolder``) |
/// | a folder that holds .tar files only | those archives, in the order of their names (``TarShards``) |
/// | a folder with CIFAR batches (`data_batch_*.bin`, or `train.bin`) | those batches (``CIFARBatches``) |
/// | FILE.tar | a WebDataset-style archive (``TarShards``) |
/// | FILE.bin | a CIFAR-10 or CIFAR-100 binary batch (``CIFARBatches``) |
/// | FILE.csv | a table with a header (``ImageList/init(table:)``) |
/// | FILE.txt, FILE.lst, FILE.list | one path a line (``ImageList/init(contentsOf:)``) |
///
/// Throws `.missing` where there is nothing, `.unusable` where it is none of these or holds no images.
public func openImages(_ path: String) throws(DataError) -> any ImageSource {
  var status = stat()
  guard stat(path, &status) == 0 else { throw FileBytes.failure(path, errno) }
  if status.st_mode & S_IFMT == S_IFDIR {
    let names = try visibleNames(in: path)
    let below = { (name: String) in path + (path.hasSuffix("/") ? "" : "/") + name }
    if !names.isEmpty, names.allSatisfy({ fileEnding(of: $0) == "tar" }) { return try TarShards(names.map(below)) }
    let batches = names.filter { $0 == "train.bin" || $0.hasPrefix("data_batch_") && fileEnding(of: $0) == "bin" }
    if !batches.isEmpty { return try CIFARBatches(batches.map(below)) }
    return try ImageFolder(path)
  }
  switch fileEnding(of: path) {
  case "tar": return try TarShards([path])
  case "bin": return try CIFARBatches([path])
  case "csv": return try ImageList(table: path)
  case "txt", "lst", "list": return try ImageList(contentsOf: path)
  default:
    throw DataError(
      .unusable, "\(path): not a folder, and not a list (.txt), a table (.csv), an archive (.tar) or a CIFAR batch (.bin)")
  }
}

/// Opens one path, or several as one ``ImageMixture``.
public func openImages(_ paths: [String]) throws(DataError) -> any ImageSource {
  if paths.count == 1 { return try openImages(paths[0]) }
  var sources: [any ImageSource] = []
  for path in paths { sources.append(try openImages(path)) }
  return try ImageMixture(sources, names: paths)
}

/// Names in a folder, sorted by their bytes, without hidden ones. None where 64 are names of other things than archives and
/// batches: a folder of millions of pictures is not listed twice.
private func visibleNames(in folder: String) throws(DataError) -> [String] {
  guard let directory = opendir(folder) else { throw FileBytes.failure(folder, errno) }
  defer { closedir(directory) }
  var (names, others) = ([String](), 0)
  while let entry = readdir(directory) {
    let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    if name.hasPrefix(".") { continue }
    // Beside CIFAR's batches there are the names of the classes and a readme.
    if !["tar", "bin"].contains(fileEnding(of: name)) { others += 1 }
    guard others < 64 else { return [] }
    names.append(name)
  }
  return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
}
