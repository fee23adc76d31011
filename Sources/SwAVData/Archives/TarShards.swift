import Glibc

/// Images in tar archives, as WebDataset packs them: indexed once, read where they lie, nothing unpacked. A member's name is
/// text for people and never a path of the file system.
///
/// Taken are members that a folder of them would give (``ImageFolder``): by the ending of their names, or by how they begin.
/// Hidden ones are skipped. Links to members are taken as what they lead to, of members of one name the last counts, and
/// archives that were joined end to end are one. The order is that of the archives, and of the members in each.
///
/// Classes: where there are members KEY.cls, each holds the label of the images KEY.* (KEY is the name up to the first dot of
/// its last part). Without them an image's class is the folder that its name puts it in. There are classes only where every
/// image has one.
public struct TarShards: ImageSource {
  /// The archives as given.
  public var archives: [String] { paths.map { FileBytes.text($0) } }
  public var classNames: [String] { classes.names }
  public let remarks: [SourceRemark]
  /// The folder that was searched for archives, if it was one.
  private let folder: String?
  /// What people call the archives.
  private let names: [String]
  private let paths: [[CChar]]
  private let index: TarIndex
  private let classes: Classes

  /// Reads the headers of all members. Throws `.missing` or `.io` where an archive cannot be read, `.unusable` where one is
  /// damaged, or none of them holds images.
  public init(_ archives: [String]) throws(DataError) { try self.init(archives, isCancelled: { false }) }

  init(_ archives: [String], isCancelled: @escaping @Sendable () -> Bool) throws(DataError) {
    let names = archives.map { String($0.split(separator: "/").last ?? "") }
    try self.init(archives.map { Array($0.utf8CString) }, names: names, folder: nil, remarks: [], isCancelled: isCancelled)
  }

  /// The archives that a folder holds, in the order of their paths.
  init(
    _ root: String, _ listing: consuming FolderListing, isCancelled: @escaping @Sendable () -> Bool
  ) throws(DataError) {
    listing.archives.sort()
    let found = listing.archives
    let places = 0..<found.count
    try self.init(
      places.map { found.fullPath($0, below: root) }, names: places.map { found.text($0) }, folder: root,
      remarks: listing.remarks(archivesAreTaken: true), isCancelled: isCancelled)
  }

  private init(
    _ paths: [[CChar]], names: [String], folder: String?, remarks: [SourceRemark], isCancelled: @escaping @Sendable () -> Bool
  ) throws(DataError) {
    var index = TarIndex(isCancelled: isCancelled)
    for (path, name) in zip(paths, names) { try index.append(path, name: name) }
    guard index.names.count > 0 else {
      let found = index.remarks.map { "; " + $0.text }.joined()
      let all = paths.map { FileBytes.text($0) }.joined(separator: ", ")
      throw DataError(.unusable, "\(all.prefix(200)): no images among \(index.membersSeen) members\(found)")
    }
    classes = index.takeClasses()
    (self.paths, self.names, self.folder) = (paths, names, folder)
    self.remarks = remarks + index.remarks + classes.remarks
    self.index = index
  }

  public var count: Int { index.names.count }

  /// The member's name; with several archives after the archive's own.
  public func name(of sample: Int) -> String {
    let member = index.names.text(sample)
    return names.count > 1 ? names[index.archive(of: sample)] + "/" + member : member
  }

  /// That of the archive.
  public func fileState(of sample: Int) -> String? { index.stamps[index.archive(of: sample)].text }

  public func label(of sample: Int) -> Int? { classes.labels.isEmpty ? nil : Int(classes.labels[sample]) }

  public func bytes(of sample: Int) throws -> [UInt8] { try head(of: sample, limit: FileBytes.maximumSize) }

  public func head(of sample: Int, limit: Int) throws -> [UInt8] {
    let (archive, size) = (index.archive(of: sample), Int(index.sizes[sample]))
    guard size <= FileBytes.maximumSize else {
      throw DataError(.unusable, "\(name(of: sample)): \(size) bytes; at most \(FileBytes.maximumSize) are read")
    }
    let wanted = min(size, limit)
    let bytes = try FileBytes.read(
      paths[archive], at: index.offsets[sample], limit: wanted, isUnchanged: { $0 == index.stamps[archive] })
    guard bytes.count == wanted else {
      throw DataError(.io, "\(FileBytes.text(paths[archive])): ended before \(name(of: sample))")
    }
    return bytes
  }

  /// What lies beside the archives, and members that are neither images nor belong to one. Reads all headers once more.
  public func ignoredFiles() throws -> [IgnoredFile] {
    var files: [IgnoredFile] = []
    if let folder {
      var scan = FolderScan(root: folder, collectsIgnored: true)
      try scan.run()
      let taken = Set(names)
      files = (scan.ignored ?? []).filter { !taken.contains($0.path) }
    }
    for (path, name) in zip(paths, names) {
      var index = TarIndex(collectsIgnored: true)
      try index.append(path, name: name)
      files += (index.ignored ?? []).map { IgnoredFile(path: "\(name)/\($0.path)", reason: $0.reason) }
    }
    return files.sorted { $0.path < $1.path }
  }

  /// Count, and a hash of names and sizes.
  public func identity() throws -> DataIdentity {
    var hash = FNV1a()
    for sample in 0..<count {
      index.names.withPath(sample) { hash.combine($0) }
      hash.combine([0])
      withUnsafeBytes(of: index.sizes[sample].littleEndian) { hash.combine($0) }
    }
    return DataIdentity(count: count, hash: hash.hexadecimal)
  }
}

extension TarShards {
  /// The archives of one of the processes that train together: every `ranks`-th from `rank` on, so that any two have the
  /// same number of archives up to one. Together they have each archive once.
  ///
  /// Throws `.unusable` where a process would get none, or rank is not in 0..<ranks.
  public static func share(of archives: [String], rank: Int, ranks: Int) throws(DataError) -> [String] {
    guard ranks >= 1, (0..<ranks).contains(rank) else {
      throw DataError(.unusable, "rank is \(rank) of \(ranks); 0 to \(max(1, ranks) - 1) are allowed")
    }
    guard archives.count >= ranks else {
      throw DataError(
        .unusable, "\(archives.count) archives for \(ranks) ranks; at least one each is needed: pack more, smaller ones")
    }
    return stride(from: rank, to: archives.count, by: ranks).map { archives[$0] }
  }
}

/// The last place of ascending `starts` (the first is 0) whose value is at most `value`.
func lastIndex(in starts: [Int], atMost value: Int) -> Int {
  var (low, high) = (0, starts.count)
  while high - low > 1 {
    let middle = (low + high) / 2
    if starts[middle] <= value { low = middle } else { high = middle }
  }
  return low
}
