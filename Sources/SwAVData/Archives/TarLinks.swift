/// The links of an archive: what they lead to is known once all of it was read.
struct TarLinks {
  /// A name inside one of joined archives.
  private struct Place: Hashable {
    var section: Int
    var name: [UInt8]
  }

  private struct Wanted {
    var sample: Int
    var place: Place
    var isImage: Bool
  }

  /// What became of the link of a sample.
  struct Outcome {
    enum Found: Equatable {
      case data(offset: Int, size: Int)
      /// The link has no image's ending, and what it leads to is none.
      case noImage
      case nothing(isHard: Bool)
    }
    var sample: Int
    var found: Found
  }

  /// Reads the archive once more; it is at its beginning.
  private var reader: TarReader
  private var targets: [Place: (target: [UInt8]?, isHard: Bool)] = [:]
  private var wanted: [Wanted] = []

  /// Links that lead to links: more are a loop.
  private static let longestChain = 16

  /// `reader` is at the beginning of its archive.
  init(_ reader: TarReader) { self.reader = reader }

  mutating func note(_ name: ArraySlice<UInt8>, _ link: TarReader.Link, section: Int) {
    let place = Place(section: section, name: TarLinks.clean(name[...]) ?? Array(name))
    switch link {
    case .hard(let target): targets[place] = (TarLinks.clean(target[...]), true)
    case .symbolic(let target):
      let folder = name.lastIndex(of: UInt8(ascii: "/")).map { name[...$0] } ?? []
      targets[place] = (TarLinks.clean(target.first == UInt8(ascii: "/") ? target[...] : folder + target), false)
    }
  }

  /// The link `name` stands for sample `sample`; `isImage` where its ending says so.
  mutating func want(_ name: ArraySlice<UInt8>, section: Int, sample: Int, isImage: Bool) {
    let place = Place(section: section, name: TarLinks.clean(name) ?? Array(name))
    wanted.append(Wanted(sample: sample, place: place, isImage: isImage))
  }

  /// What the links that are wanted lead to, in the order in which they were.
  mutating func resolved() throws(DataError) -> [Outcome] {
    guard !wanted.isEmpty else { return [] }
    let ends = wanted.map { end(of: $0.place) }
    let names = Set(ends.compactMap { $0 })
    var data: [Place: (offset: Int, size: Int)] = [:]
    while let member = try reader.next() {
      guard member.link == nil else { continue }
      let place = Place(section: member.section, name: TarLinks.clean(member.name[...]) ?? [])
      if names.contains(place) { data[place] = (member.offset, member.size) }
    }
    var outcomes: [Outcome] = []
    for (wanted, end) in zip(wanted, ends) {
      outcomes.append(Outcome(sample: wanted.sample, found: try look(at: end.flatMap { data[$0] }, for: wanted)))
    }
    return outcomes
  }

  private mutating func look(at data: (offset: Int, size: Int)?, for wanted: Wanted) throws(DataError) -> Outcome.Found {
    guard let data else { return wanted.isImage ? .nothing(isHard: targets[wanted.place]?.isHard == true) : .noImage }
    if !wanted.isImage {
      guard looksLikeImage(try reader.bytes(at: data.offset, count: min(data.size, ImageFiles.headSize))) else {
        return .noImage
      }
    }
    return .data(offset: data.offset, size: data.size)
  }

  /// The name at the end of a chain of links; nil where it leads out of the archive or in a circle.
  private func end(of link: Place) -> Place? {
    var place = link
    for _ in 0..<TarLinks.longestChain {
      guard let step = targets[place] else { return place }
      guard let target = step.target else { return nil }
      place.name = target
    }
    return nil
  }

  /// A path without ".", ".." and doubled slashes, from the archive's root on; nil where it leads out of it.
  private static func clean(_ path: ArraySlice<UInt8>) -> [UInt8]? {
    var parts: [ArraySlice<UInt8>] = []
    for part in path.split(separator: UInt8(ascii: "/")) where !part.elementsEqual(".".utf8) {
      guard part.elementsEqual("..".utf8) else {
        parts.append(part)
        continue
      }
      guard parts.popLast() != nil else { return nil }
    }
    return Array(parts.joined(separator: [UInt8(ascii: "/")]))
  }
}
