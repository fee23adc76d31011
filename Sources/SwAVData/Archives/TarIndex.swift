import Glibc

/// Where the images of archives lie: 20 bytes and the name an image, 4 more for its class.
struct TarIndex {
  private(set) var names = PathTable()
  private(set) var offsets: [Int] = []
  /// 4 GiB - 1 stands for everything from there on.
  private(set) var sizes: [UInt32] = []
  private(set) var stamps: [FileStamp] = []
  private(set) var membersSeen = 0
  /// What is no image, where somebody wants to know; nil: it is not collected.
  private(set) var ignored: [IgnoredFile]?
  /// Bytes of a label at most.
  private static let labelLimit = 4096
  private let isCancelled: @Sendable () -> Bool
  /// The first image of each archive.
  private var firsts: [Int] = []
  private var folders = ClassIndex()
  private var labels = ClassIndex()
  private var hasLabels = false
  private var passedOver = EndingCount()
  private var replaced = NamedFew()
  private var lostHardLinks = NamedFew()
  private var lostSymbolicLinks = NamedFew()
  private var trailing = NamedFew()
  private var withoutEnd = NamedFew()

  init(collectsIgnored: Bool = false, isCancelled: @escaping @Sendable () -> Bool = { false }) {
    self.isCancelled = isCancelled
    ignored = collectsIgnored ? [] : nil
  }

  /// `name` is what people call the archive.
  mutating func append(_ archive: [CChar], name: String) throws(DataError) {
    let descriptor = open(archive, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw FileBytes.failure(archive, errno) }
    defer { Glibc.close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw FileBytes.failure(archive, errno) }
    let path = FileBytes.text(archive)
    guard status.st_mode & S_IFMT == S_IFREG else { throw DataError(.unusable, "\(path): not a regular file") }
    var reader = TarReader(archive: path, size: Int(status.st_size)) { (offset, buffer) throws(DataError) in
      let (done, code) = FileBytes.fill(buffer, descriptor, offset)
      guard code == 0 else { throw FileBytes.failure(archive, code) }
      return done
    }
    firsts.append(names.count)
    stamps.append(FileStamp(status))
    try append(&reader)
    if reader.hasNoEndMark { withoutEnd.add(name) }
    if reader.trailing > 0 { trailing.add("\(name): \(reader.trailing) bytes") }
  }

  /// Members that follow each other and have one key.
  private struct Group {
    var key: ArraySlice<UInt8> = []
    var label: [UInt8]?
    var images = 0
    /// Members that are neither.
    var others: [[UInt8]] = []
  }

  /// One of archives that were joined: names are its own.
  private struct Section {
    var number = 0
    /// Its first image.
    var first: Int
    /// Names that ascend come once each.
    var isAscending = true
    /// Labels whose images are elsewhere, and the number of images before them.
    var labels: [[UInt8]: (label: [UInt8], place: Int)] = [:]
  }

  /// All members of an archive.
  mutating func append(_ reader: inout TarReader) throws(DataError) {
    var links = TarLinks(reader)
    var (section, group, dropped) = (Section(first: names.count), Group(), [Int]())
    // Most members have the ending of the one before.
    var (lastEnding, lastIsImage) = (ArraySlice<UInt8>(), false)
    func beginsAsImage(_ member: TarReader.Member) throws(DataError) -> Bool {
      guard !ImageFiles.isRaw(String(decoding: member.name, as: UTF8.self)) else { return false }
      return looksLikeImage(try reader.bytes(at: member.offset, count: min(member.size, ImageFiles.headSize)))
    }
    while let member = try reader.next() {
      membersSeen += 1
      if membersSeen % 256 == 0, isCancelled() { throw .calledOff("archive") }
      if member.section != section.number {
        close(&group, &section)
        dropped += finish(section)
        section = Section(number: member.section, first: names.count)
      }
      let name = TarIndex.withoutDots(member.name)
      if let link = member.link { links.note(name, link, section: member.section) }
      guard !TarIndex.isHidden(name) else { continue }
      let (key, ending) = TarIndex.split(name)
      if !group.key.elementsEqual(key) {
        close(&group, &section)
        group = Group(key: key)
      }
      if !ending.elementsEqual(lastEnding) { (lastEnding, lastIsImage) = (ending, TarIndex.isImage(ending)) }
      if member.link != nil {
        links.want(name, section: member.section, sample: names.count, isImage: lastIsImage)
        add(name, member, &group, &section)
      } else if ending.elementsEqual("cls".utf8) {
        hasLabels = true
        guard member.size <= TarIndex.labelLimit else {
          throw DataError(
            .unusable, "\(printable(name)): a label of \(member.size) bytes; at most \(TarIndex.labelLimit) are read")
        }
        group.label = TarIndex.trimmed(try reader.bytes(at: member.offset, count: member.size))
      } else if lastIsImage {
        add(name, member, &group, &section)
      } else if try beginsAsImage(member) {
        add(name, member, &group, &section)
      } else {
        group.others.append(Array(name))
      }
    }
    close(&group, &section)
    dropped += finish(section)
    dropped += try resolve(&links)
    remove(Array(Set(dropped)).sorted())
  }

  private mutating func add(
    _ name: ArraySlice<UInt8>, _ member: TarReader.Member, _ group: inout Group, _ section: inout Section
  ) {
    group.images += 1
    names.append(name)
    offsets.append(member.offset)
    sizes.append(UInt32(clamping: member.size))
    folders.append(TarIndex.folder(of: name))
    if names.count - 1 > section.first, section.isAscending { section.isAscending = names.isAscending(at: names.count - 1) }
  }

  /// The label of a group is that of its images, and what else it has belongs to them.
  private mutating func close(_ group: inout Group, _ section: inout Section) {
    for _ in 0..<group.images { labels.append(group.label) }
    if group.images == 0 {
      if let label = group.label { section.labels[Array(group.key)] = (label, names.count) }
      for name in group.others { passOver(name, "no image by name or content") }
    }
    group = Group()
  }

  /// Labels that came apart from their images, and members that come more than once. Gives the places of what no longer counts.
  private mutating func finish(_ section: Section) -> [Int] {
    if !section.labels.isEmpty {
      for place in section.first..<names.count {
        let key = names.withPath(place) { Array(TarIndex.split(Array($0)[...]).key) }
        // The later of two labels counts, as of two members.
        guard let found = section.labels[key], labels.lacks(place) || found.place > place else { continue }
        labels.set(found.label, for: place)
      }
    }
    guard !section.isAscending else { return [] }
    let repeated = names.repeated(in: section.first..<names.count)
    for (place, last) in repeated {
      let name = names.text(place)
      replaced.add(name)
      ignored?.append(IgnoredFile(path: name, reason: "replaced by a later member of the same name"))
      if labels.lacks(last) { labels.copy(from: place, to: last) }
    }
    return repeated.map(\.place)
  }

  /// Puts what links lead to in their places. Gives the places of those that lead nowhere.
  private mutating func resolve(_ links: inout TarLinks) throws(DataError) -> [Int] {
    var dropped: [Int] = []
    for outcome in try links.resolved() {
      switch outcome.found {
      case .data(let offset, let size):
        (offsets[outcome.sample], sizes[outcome.sample]) = (offset, UInt32(clamping: size))
      case .noImage:
        passOver(names.withPath(outcome.sample) { Array($0) }, "a link to a member that is no image")
        dropped.append(outcome.sample)
      case .nothing(let isHard):
        let name = names.text(outcome.sample)
        if isHard { lostHardLinks.add(name) } else { lostSymbolicLinks.add(name) }
        ignored?.append(IgnoredFile(path: name, reason: "a link that leads to no member of the archive"))
        dropped.append(outcome.sample)
      }
    }
    return dropped
  }

  private mutating func remove(_ places: [Int]) {
    guard !places.isEmpty else { return }
    names.remove(places)
    offsets.removeElements(at: places)
    sizes.removeElements(at: places)
    folders.remove(places)
    labels.remove(places)
  }

  private mutating func passOver(_ name: [UInt8], _ reason: String) {
    passedOver.add(name)
    ignored?.append(IgnoredFile(path: printable(name), reason: reason))
  }

  /// The archive that an image is in: the last that begins at or before it.
  func archive(of sample: Int) -> Int { lastIndex(in: firsts, atMost: sample) }

  /// What people should know of the archives.
  var remarks: [SourceRemark] {
    func plural(_ few: NamedFew, _ one: String, _ many: String) -> String { "\(few.count) \(few.count == 1 ? one : many)" }
    var found = passedOver.remark(of: membersSeen, things: "members").map { [$0] } ?? []
    if replaced.count > 0 {
      let what = plural(replaced, "member is", "members are")
      found.append(SourceRemark(.archive, "\(what) replaced by later ones of the same name: \(replaced.summary)"))
    }
    for (few, kind) in [(lostHardLinks, "hard"), (lostSymbolicLinks, "symbolic")] where few.count > 0 {
      let what = plural(few, "\(kind) link leads", "\(kind) links lead")
      found.append(
        SourceRemark(
          .archive, "\(what) to nothing in the archive and \(few.count == 1 ? "is" : "are") left out: \(few.summary)"))
    }
    if withoutEnd.count > 0 {
      found.append(
        SourceRemark(
          .archive,
          "no mark at the end of \(withoutEnd.summary): \(withoutEnd.count == 1 ? "it" : "they") may have been cut off"))
    }
    if trailing.count > 0 {
      found.append(SourceRemark(.archive, "what follows the end of an archive and is none is left out: \(trailing.summary)"))
    }
    return found
  }

  /// They are not kept here.
  mutating func takeClasses() -> Classes {
    let (byFolder, byLabel) = (folders, labels)
    (folders, labels) = (ClassIndex(), ClassIndex())
    let names = names
    func others(_ lacking: Int) -> String { lacking == 1 ? "" : " and \(lacking - 1) more" }
    if hasLabels {
      return byLabel.finished(.byValue) { first, lacking in
        "\(names.text(first))\(others(lacking)) without a label in a .cls member"
      }
    }
    return byFolder.finished(.byValue) { first, lacking in
      "\(names.text(first))\(others(lacking)) in no folder of the archive"
    }
  }
}

extension TarIndex {
  /// "./a/b" is a/b.
  private static func withoutDots(_ name: [UInt8]) -> ArraySlice<UInt8> {
    var rest = name[...]
    while rest.starts(with: "./".utf8) { rest = rest.dropFirst(2) }
    return rest
  }

  /// As a folder skips them: where a dot begins the name of the member, or of a folder that it is in. ".." is a place.
  private static func isHidden(_ name: ArraySlice<UInt8>) -> Bool {
    let (slash, dot) = (UInt8(ascii: "/"), UInt8(ascii: "."))
    var rest = name
    while let end = rest.firstIndex(of: slash) {
      let folder = rest[..<end]
      if folder.first == dot, !folder.dropFirst().isEmpty, !folder.elementsEqual([dot, dot]) { return true }
      rest = rest[(end + 1)...]
    }
    return rest.isEmpty || rest.first == dot
  }

  /// Key and ending: "a/b.left.JPG" is "a/b" and "left.JPG".
  private static func split(_ name: ArraySlice<UInt8>) -> (key: ArraySlice<UInt8>, ending: ArraySlice<UInt8>) {
    let base = (name.lastIndex(of: UInt8(ascii: "/")) ?? name.startIndex - 1) + 1
    guard let dot = name[base...].firstIndex(of: UInt8(ascii: ".")) else { return (name, []) }
    return (name[..<dot], name[(dot + 1)...])
  }

  private static func isImage(_ ending: ArraySlice<UInt8>) -> Bool {
    ImageFiles.hasEnding("." + String(decoding: ending, as: UTF8.self))
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
