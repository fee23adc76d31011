import Foundation
public import SwAVEngine

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
    return try aside(paths) { isCancelled in try open(paths, try list(paths, isCancelled), isCancelled) }
  } catch {
    throw error as? DataError ?? DataError(.unusable, "\(error)")
  }
}

/// The same on each rank of a group: the root searches folders, and the others take what it found there, so that a shared file system
/// is listed once. Fails on all ranks where it does on one. Collective.
public func openImages(_ paths: [String], ranks: RankGroup?) throws -> any ImageSource {
  guard let ranks else { return try openImages(paths) }
  var own: [FolderListing?]?
  let found = try ranks.bytesOfRoot {
    let listings = try aside(paths) { isCancelled in try list(paths, isCancelled) }
    own = listings
    return Array(try PropertyListEncoder.binary.encode(listings.map { $0.map { [$0] } ?? [] }))
  }
  return try ranks.agree {
    let listings =
      try own ?? PropertyListDecoder().decode([[FolderListing]].self, from: Data(found)).map(\.first)
    return try aside(paths) { isCancelled in try open(paths, listings, isCancelled) }
  }
}

private func aside<R: Sendable>(
  _ paths: [String], _ body: @escaping @Sendable (_ isCancelled: @escaping @Sendable () -> Bool) throws -> R
) throws -> R { try onSideThread(paths.count == 1 ? paths[0] : "\(paths.count) sources", body) }

/// What is below each of the paths that is a folder.
private func list(
  _ paths: [String], _ isCancelled: @escaping @Sendable () -> Bool
) throws(DataError) -> [FolderListing?] {
  var listings: [FolderListing?] = []
  for path in paths {
    var status = stat()
    guard stat(path, &status) == 0 else { throw FileBytes.failure(path, errno) }
    var listing: FolderListing?
    if status.st_mode & S_IFMT == S_IFDIR {
      var scan = FolderScan(root: path, isCancelled: isCancelled)
      try scan.run()
      listing = scan.found
    }
    listings.append(listing)
  }
  return listings
}

private func open(
  _ paths: [String], _ listings: [FolderListing?], _ isCancelled: @escaping @Sendable () -> Bool
) throws(DataError) -> any ImageSource {
  if paths.count == 1 { return try open(paths[0], listings[0], isCancelled) }
  var sources: [any ImageSource] = []
  for (path, listing) in zip(paths, listings) { sources.append(try open(path, listing, isCancelled)) }
  // A picture's name is its path. A shell's completion ends the name of a folder in a slash: the same folder.
  let names = zip(paths, sources).map { path, source in
    (source as? ImageList)?.isPicture == true ? "" : String(path.reversed().drop { $0 == "/" }.reversed())
  }
  return try ImageMixture(sources, names: names)
}

private func open(
  _ path: String, _ listing: FolderListing?, _ isCancelled: @escaping @Sendable () -> Bool
) throws(DataError) -> any ImageSource {
  if let listing {
    if listing.paths.count == 0, listing.archives.count > 0 { return try TarShards(path, listing, isCancelled: isCancelled) }
    if listing.paths.count == 0, !listing.batches.isEmpty {
      return try CIFARBatches(listing.batches.sorted().map { path + (path.hasSuffix("/") ? "" : "/") + $0 })
    }
    return try ImageFolder(path, listing)
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

extension PropertyListEncoder {
  /// Bytes stay bytes: paths need not be text.
  fileprivate static var binary: PropertyListEncoder {
    let encoder = PropertyListEncoder()
    encoder.outputFormat = .binary
    return encoder
  }
}
