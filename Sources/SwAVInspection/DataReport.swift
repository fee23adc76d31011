import SwAVAugmentation
public import SwAVData
import SwAVEngine

/// A file that is not sound, or is there more than once.
public struct FileFinding: Codable, Sendable, Equatable {
  public enum Status: String, Codable, Sendable {
    /// Taken for an image, but cannot be read or decoded: training puts another image in its place.
    case broken
    /// Not taken for an image.
    case ignored
    /// The same bytes as an earlier file.
    case duplicate
    /// Looks like an earlier file.
    case nearDuplicate = "near-duplicate"
  }

  /// As the source names it: for a folder, relative to it.
  public var path: String
  public var status: Status
  public var reason: String
}

/// What is in a source.
public struct DataReport: Sendable {
  /// Samples of the source.
  public var images: Int
  /// In the order broken, ignored, duplicate, near-duplicate; then by path.
  public var findings: [FileFinding]
  /// Sizes of all images that decode; nil where there is none.
  public var sizes: SizeSummary?
  /// Images of each format, the most frequent first.
  public var formats: [(name: String, images: Int)]
  /// Images stored as gray, and with samples of 16 bits.
  public var gray: Int
  public var deep: Int
  /// What is stored and not used, or taken in different ways.
  public var stored: StoredForms
  /// Bytes of all images that decode.
  public var bytes: Int
  /// Images of each class, broken ones included, in the order of the source's classes; empty for unlabelled data.
  public var classes: [(name: String, images: Int)]
  /// Duplicates whose earlier copy is in another class.
  public var contradictions: Int
  /// Where they were asked for and an image decodes.
  public var statistics: ChannelStatistics?
  /// What opening the source found: why there are no classes, what could not be read.
  public var remarks: [SourceRemark]
  /// What a plan for training needs to know.
  public var facts: DataFacts

  public func count(_ status: FileFinding.Status) -> Int { findings.count { $0.status == status } }

  /// Images that decode.
  public var readable: Int { images - count(.broken) }
}

extension DataReport {
  init(of source: any ImageSource, findings: Findings, ignored: [IgnoredFile], channels: Int) throws(EngineError) {
    let pictures = findings.pictures
    images = source.count
    sizes = SizeSummary(pictures.map { (Int($0.width), Int($0.height)) })
    formats = pictures.reduce(into: [:]) { $0[$1.format, default: 0] += 1 }.map { ($0.key, $0.value) }
      .sorted { ($1.images, $0.name) < ($0.images, $1.name) }
    gray = pictures.count { $0.isGray }
    deep = pictures.count { $0.isDeep }
    stored = StoredForms(pictures.lazy.map(\.form))
    bytes = pictures.reduce(0) { $0 + $1.bytes }
    statistics = findings.moments.statistics(channels: channels)
    var classes = source.classNames.map { (name: $0, images: 0) }
    if !classes.isEmpty {
      for sample in 0..<source.count {
        if let label = source.label(of: sample), classes.indices.contains(label) { classes[label].images += 1 }
      }
    }
    self.classes = classes
    self.findings =
      findings.broken.map { FileFinding(path: $0.name, status: .broken, reason: $0.reason) }
      + ignored.map { FileFinding(path: $0.path, status: .ignored, reason: $0.reason) }
    contradictions = 0
    remarks = source.remarks
    facts = DataFacts(
      of: source, headers: images, sizes: pictures.map { (Int($0.width), Int($0.height)) }, gray: gray, deep: deep,
      duplicates: 0, pixels: pictures.count, undecodable: 0, nearDuplicates: 0, color: findings.color.facts,
      statistics: statistics)
    try addDuplicates(pictures, source)
    (facts.duplicates, facts.nearDuplicates) = (count(.duplicate), count(.nearDuplicate))
  }

  private mutating func addDuplicates(_ pictures: [PictureRecord], _ source: any ImageSource) throws(EngineError) {
    let exact = Duplicates.exact(pictures)
    // Of copies only the first is looked at further.
    let copies = Set(exact.flatMap { $0.dropFirst() })
    let similar = try Duplicates.similar(pictures.indices.filter { !copies.contains($0) }) { pictures[$0].look }
    for (groups, status, relation) in [
      (exact, FileFinding.Status.duplicate, "the same bytes as"), (similar, .nearDuplicate, "looks like"),
    ] {
      for group in groups {
        let first = pictures[group[0]].sample
        for index in group.dropFirst() {
          let sample = pictures[index].sample
          let (name, earlier) = (source.name(of: sample), source.name(of: first))
          let reason = name == earlier ? "listed more than once" : "\(relation) \(earlier)"
          findings.append(FileFinding(path: name, status: status, reason: reason))
          if status == .duplicate, source.label(of: sample) != source.label(of: first) { contradictions += 1 }
        }
      }
    }
  }
}

/// Sizes of many images in pixels.
public struct SizeSummary: Sendable, Equatable {
  public struct Size: Codable, Sendable, Equatable {
    public var width: Int
    public var height: Int
  }

  /// By number of pixels.
  public var smallest: Size
  public var median: Size
  public var largest: Size
  /// Median of the shorter sides.
  public var typicalSide: Int
  /// Images by shorter side: from the first row that has images to the last.
  public var histogram: [Row]

  public struct Row: Codable, Sendable, Equatable {
    /// Shorter sides from here ...
    public var from: Int
    /// ... to here; nil: no end.
    public var to: Int?
    public var images: Int
  }

  /// Where the rows of the histogram begin: sizes of small-image sets, of common crops, of screens, of cameras.
  static let edges = [1, 32, 64, 96, 160, 224, 320, 512, 1024, 2048]

  init?(_ sizes: [(width: Int, height: Int)]) {
    guard !sizes.isEmpty else { return nil }
    let ordered = sizes.map { Size(width: $0.width, height: $0.height) }
      .sorted { ($0.width * $0.height, $0.width) < ($1.width * $1.height, $1.width) }
    (smallest, median, largest) = (ordered[0], ordered[ordered.count / 2], ordered[ordered.count - 1])
    let sides = sizes.map { min($0.width, $0.height) }.sorted()
    typicalSide = sides[sides.count / 2]
    let edges = SizeSummary.edges
    var rows = edges.indices.map { index in
      Row(from: edges[index], to: index + 1 < edges.count ? edges[index + 1] - 1 : nil, images: 0)
    }
    for side in sides { rows[(edges.lastIndex { $0 <= side }) ?? 0].images += 1 }
    let used = rows.indices.filter { rows[$0].images > 0 }
    histogram = Array(rows[used[0]...used[used.count - 1]])
  }
}
