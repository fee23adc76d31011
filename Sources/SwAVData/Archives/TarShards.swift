import Glibc

/// Images in tar archives, as WebDataset packs them: indexed once, read where they lie, nothing unpacked. A member's name is
/// text for people and never a path of the file system.
///
/// Taken are regular files with an image's ending (``ImageFolder`` lists them); hidden ones are skipped. The order is that of
/// the archives, and of the members in each.
///
/// Classes: where there are members KEY.cls, each holds the label of the images KEY.* (KEY is the name up to the first dot of
/// its last part; members of one key follow each other, as WebDataset demands). Without them an image's class is the folder
/// that its name puts it in. There are classes only where every image has one.
public struct TarShards: ImageSource {
  /// The archives as given.
  public let archives: [String]
  public let classNames: [String]
  private let index: TarIndex
  private let labels: [Int32]

  /// Reads the headers of all members. Throws `.missing` or `.io` where an archive cannot be read, `.unusable` where one is
  /// damaged, or none of them holds images.
  public init(_ archives: [String]) throws(DataError) {
    var index = TarIndex()
    for archive in archives { try index.append(archive) }
    guard index.names.count > 0 else {
      throw DataError(
        .unusable,
        "\(archives.joined(separator: ", ").prefix(200)): no images among \(index.membersSeen) members; names have to end in "
          + FolderScan.extensions.sorted().map { "." + $0 }.joined(separator: ", "))
    }
    self.archives = archives
    (classNames, labels) = index.takeClasses()
    self.index = index
  }

  public var count: Int { index.names.count }

  /// The member's name; with several archives after the archive's own.
  public func name(of sample: Int) -> String {
    let member = index.names.text(sample)
    guard archives.count > 1 else { return member }
    return (archives[index.archive(of: sample)].split(separator: "/").last ?? "") + "/" + member
  }

  public func label(of sample: Int) -> Int? { labels.isEmpty ? nil : Int(labels[sample]) }

  public func bytes(of sample: Int) throws -> [UInt8] { try head(of: sample, limit: FileBytes.maximumSize) }

  public func head(of sample: Int, limit: Int) throws -> [UInt8] {
    let (archive, size) = (index.archive(of: sample), Int(index.sizes[sample]))
    guard size <= FileBytes.maximumSize else {
      throw DataError(.unusable, "\(name(of: sample)): \(size) bytes; at most \(FileBytes.maximumSize) are read")
    }
    let wanted = min(size, limit)
    let bytes = try FileBytes.read(
      archives[archive], at: index.offsets[sample], limit: wanted, isUnchanged: { $0 == index.stamps[archive] })
    guard bytes.count == wanted else { throw DataError(.io, "\(archives[archive]): ended before \(name(of: sample))") }
    return bytes
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

/// Where the images of archives lie: 20 bytes and the name an image, 4 more for its class.
struct TarIndex {
  private(set) var names = PathTable()
  private(set) var offsets: [Int] = []
  /// 4 GiB - 1 stands for everything from there on.
  private(set) var sizes: [UInt32] = []
  private(set) var stamps: [FileStamp] = []
  private(set) var membersSeen = 0
  /// The first image of each archive.
  private var firsts: [Int] = []
  private var folders = ClassIndex()
  private var labels = ClassIndex()
  private var hasLabels = false

  init() {}

  mutating func append(_ archive: String) throws(DataError) {
    let descriptor = open(archive, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw FileBytes.failure(archive, errno) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw FileBytes.failure(archive, errno) }
    guard status.st_mode & S_IFMT == S_IFREG else { throw DataError(.unusable, "\(archive): not a regular file") }
    var reader = TarReader(archive: archive, size: Int(status.st_size)) { (offset, buffer) throws(DataError) in
      let (done, code) = FileBytes.fill(buffer, descriptor, offset)
      guard code == 0 else { throw FileBytes.failure(archive, code) }
      return done
    }
    firsts.append(names.count)
    stamps.append(FileStamp(status))
    try append(&reader)
  }

  /// All members of an archive.
  mutating func append(_ reader: inout TarReader) throws(DataError) {
    // Members of one key follow each other: what is known of the present one.
    var (key, label, images) = (ArraySlice<UInt8>(), [UInt8]?.none, 0)
    // Most members have the ending of the one before.
    var (lastEnding, lastIsImage) = (ArraySlice<UInt8>(), false)
    while let member = try reader.next() {
      membersSeen += 1
      let name = TarIndex.withoutDots(member.name)
      guard !TarIndex.isHidden(name) else { continue }
      let (memberKey, ending) = TarIndex.split(name)
      if !key.elementsEqual(memberKey) {
        closeKey(label, images)
        (key, label, images) = (memberKey, nil, 0)
      }
      if !ending.elementsEqual(lastEnding) { (lastEnding, lastIsImage) = (ending, TarIndex.isImage(ending)) }
      if ending.elementsEqual("cls".utf8) {
        hasLabels = true
        label = TarIndex.trimmed(try reader.bytes(at: member.offset, count: min(member.size, 64)))
      } else if lastIsImage {
        images += 1
        names.append(name)
        offsets.append(member.offset)
        sizes.append(UInt32(clamping: member.size))
        folders.append(TarIndex.folder(of: name))
      }
    }
    closeKey(label, images)
  }

  private mutating func closeKey(_ label: [UInt8]?, _ images: Int) {
    for _ in 0..<images { labels.append(label) }
  }

  /// The archive that an image is in: the last that begins at or before it.
  func archive(of sample: Int) -> Int { lastIndex(in: firsts, atMost: sample) }

  /// Names and labels; they are not kept here.
  mutating func takeClasses() -> (names: [String], labels: [Int32]) {
    defer { (folders, labels) = (ClassIndex(), ClassIndex()) }
    return hasLabels ? labels.finished() : folders.finished()
  }
}

extension TarIndex {
  /// "./a/b" is a/b.
  private static func withoutDots(_ name: [UInt8]) -> ArraySlice<UInt8> {
    var rest = name[...]
    while rest.starts(with: "./".utf8) { rest = rest.dropFirst(2) }
    return rest
  }

  private static func isHidden(_ name: ArraySlice<UInt8>) -> Bool {
    let base = name[(name.lastIndex(of: UInt8(ascii: "/")) ?? name.startIndex - 1) + 1..<name.endIndex]
    return base.isEmpty || base.first == UInt8(ascii: ".")
  }

  /// Key and ending: "a/b.left.JPG" is "a/b" and "left.JPG".
  private static func split(_ name: ArraySlice<UInt8>) -> (key: ArraySlice<UInt8>, ending: ArraySlice<UInt8>) {
    let base = (name.lastIndex(of: UInt8(ascii: "/")) ?? name.startIndex - 1) + 1
    guard let dot = name[base...].firstIndex(of: UInt8(ascii: ".")) else { return (name, []) }
    return (name[..<dot], name[(dot + 1)...])
  }

  private static func isImage(_ ending: ArraySlice<UInt8>) -> Bool {
    FolderScan.extensions.contains(fileEnding(of: "." + String(decoding: ending, as: UTF8.self)))
  }

  /// The last folder of a name; nil where it has none.
  private static func folder(of name: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
    name.lastIndex(of: UInt8(ascii: "/")).map { slash in
      let path = name[..<slash]
      return path[((path.lastIndex(of: UInt8(ascii: "/")) ?? path.startIndex - 1) + 1)...]
    }
  }

  private static func trimmed(_ text: ArraySlice<UInt8>) -> [UInt8] {
    let start = text.drop { $0 <= 0x20 }
    return start.lastIndex { $0 > 0x20 }.map { Array(start[...$0]) } ?? []
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
