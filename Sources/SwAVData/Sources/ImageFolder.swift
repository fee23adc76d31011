import Glibc

/// The images below a folder, flat or nested; first-level sub-folders are the classes, where every image is in one.
///
/// Taken are files named as JPEG, PNG, WebP, TIFF, GIF, HEIC, AVIF, BMP and PNM are, in any case, and files of other names that begin
/// like such a picture. Hidden files and folders, and what desktops leave behind, as Thumbs.db, are skipped. Symbolic links are
/// followed, once around a loop. The order is that of the paths' bytes: it depends on neither locale nor file system.
public struct ImageFolder: ImageSource {
  /// The folder as given.
  public let root: String
  public var classNames: [String] { classes.names }
  public let remarks: [SourceRemark]
  let paths: PathTable
  private let stamps: FileStamps
  private let classes: Classes

  /// Scans the folder. Throws `.missing` where it is not there, `.unusable` where it holds no images.
  public init(_ root: String) throws(DataError) {
    var scan = FolderScan(root: root)
    try scan.run()
    try self.init(root, scan.found)
  }

  init(_ root: String, _ listing: consuming FolderListing) throws(DataError) {
    guard listing.paths.count > 0 else { throw listing.nothingFound(in: root) }
    listing.paths.sort()
    self.root = root
    paths = listing.paths
    stamps = FileStamps(count: listing.paths.count)
    classes = ImageFolder.classes(of: listing.paths)
    remarks = listing.remarks(archivesAreTaken: false) + classes.remarks
  }

  /// What this source passes over below its folder, by path. Searches the folder once more.
  public func ignoredFiles() throws -> [IgnoredFile] {
    var scan = FolderScan(root: root, collectsIgnored: true)
    try scan.run()
    return (scan.ignored ?? []).sorted { $0.path < $1.path }
  }

  public var count: Int { paths.count }

  public func bytes(of sample: Int) throws -> [UInt8] { try head(of: sample, limit: .max) }

  /// Path relative to the folder.
  public func name(of sample: Int) -> String { paths.text(sample) }

  public func filePath(of sample: Int) -> [CChar]? { absolutePath(paths.fullPath(sample, below: root)) }

  public func label(of sample: Int) -> Int? { classes.labels.isEmpty ? nil : Int(classes.labels[sample]) }

  public func head(of sample: Int, limit: Int) throws -> [UInt8] {
    try FileBytes.read(paths.fullPath(sample, below: root), limit: limit) { stamps.agrees(sample, $0) }
  }

  /// Count, and a hash of names and sizes. Costs one look at every file; what the calling thread watches (``Cancellation``) calls
  /// it off.
  public func identity() throws -> DataIdentity {
    try onSideThread(root) { isCancelled in
      var hash = FNV1a()
      for sample in 0..<count {
        if sample % 256 == 0, isCancelled() { throw DataError.calledOff(root) }
        paths.withPath(sample) { hash.combine($0) }
        var status = stat()
        let size = stat(paths.fullPath(sample, below: root), &status) == 0 ? Int(status.st_size) : -1
        hash.combine([0])
        withUnsafeBytes(of: Int64(size).littleEndian) { hash.combine($0) }
      }
      return DataIdentity(count: count, hash: hash.hexadecimal)
    }
  }

  /// Classes are the first-level folders; images beside the folders mean that there are none.
  private static func classes(of paths: PathTable) -> Classes {
    var index = ClassIndex()
    for sample in 0..<paths.count {
      paths.withPath(sample) { path in
        index.append(path.firstIndex(of: UInt8(ascii: "/")).map { path[..<$0] })
      }
    }
    return index.finished(.byBytes) { first, lacking in
      lacking == 1
        ? "\(paths.text(first)), which is in no sub-folder"
        : "\(paths.text(first)) and \(lacking - 1) other image\(lacking == 2 ? "" : "s") that are in no sub-folder"
    }
  }
}
