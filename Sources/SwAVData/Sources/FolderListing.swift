/// What a search of a folder found (``FolderScan``). Can be encoded, for ranks that have not searched themselves.
struct FolderListing: Sendable, Codable {
  /// Files that are not hidden, images included.
  var filesSeen = 0
  /// The images, relative to the folder, in no particular order.
  var paths = PathTable()
  /// Files that are not images; hidden ones, and what systems leave in folders by themselves, do not count.
  var passedOver = EndingCount()
  /// Tar archives, which are a source where there are no pictures.
  var archives = PathTable()
  /// CIFAR's training batches in the folder itself.
  var batches: [String] = []
  /// Files that hold others but are not read, as .zip.
  var packed = NamedFew()
  /// Folders, links and files that could not be read.
  var unreadable = NamedFew()

  /// What people should know of the folder; `archivesAreTaken` says whether archives are the source, and so not passed over.
  func remarks(archivesAreTaken: Bool) -> [SourceRemark] {
    var remarks: [SourceRemark] = []
    if archivesAreTaken {
      let others = passedOver.files - archives.count
      if others > 0 {
        remarks.append(SourceRemark(.passedOver, "\(others) of \(filesSeen) files are no archives and passed over"))
      }
    } else if let remark = passedOver.remark(of: filesSeen) {
      remarks.append(remark)
    }
    if unreadable.count > 0 {
      remarks.append(
        SourceRemark(
          .unreadable,
          "\(unreadable.count) \(unreadable.count == 1 ? "entry" : "entries") below it cannot be read: \(unreadable.summary)"))
    }
    return remarks
  }

  /// The error of a folder without images: what is there instead, and what to do.
  func nothingFound(in root: String) -> DataError {
    var text = "\(printable(root.utf8)): no images among \(filesSeen) files"
    if passedOver.files > 0 { text += " (\(passedOver.summary))" }
    if unreadable.count > 0 { text += "; not readable: \(unreadable.summary)" }
    if packed.count > 0 { return DataError(.unusable, text + "; \(packed.summary)") }
    return DataError(.unusable, text + "; files of \(ImageFiles.formats) are taken, sub-folders are searched")
  }
}
