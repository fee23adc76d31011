import Foundation
public import SwAVData
import SwAVDiscovery
import SwAVEngine
public import SwAVEvaluation
import SwAVModel
public import SwAVTraining

/// One page about a run: what was learned, how it went, and what the pictures are to the network. A file by itself, that asks for
/// nothing else and can be sent by mail.
public struct RunReport: Sendable {
  public let history: RunHistory
  /// What the run learned from; nil where it is not at hand: the page then has the figures alone.
  public var images: (any ImageSource)?
  /// Labelled pictures that are asked about; nil: those of `images`, where they have classes.
  public var validation: (any ImageSource)?
  /// How pictures are read.
  public var reading = ReadingOptions()
  /// Pictures that are looked at, evenly spaced.
  public var limit = RunReport.usualLimit
  public static let usualLimit = 1000
  /// Why there are no pictures, for the page.
  public var missing: String?

  /// Bytes that a page has at most: mail servers take ten million and more.
  public static let mostBytes = 6_000_000

  public init(_ history: RunHistory, images: (any ImageSource)?, validation: (any ImageSource)? = nil) {
    (self.history, self.images, self.validation) = (history, images, validation)
  }

  /// Of the run in a folder, with the pictures that it was made from, where they still are, unless `images` and `validation` name others.
  public init(ofRunAt path: String, images: [String]? = nil, validation: String? = nil) throws {
    let history = try RunHistory(at: path)
    self.init(history, images: nil)
    let recorded = history.environment?.imagePaths
    do {
      if let paths = images ?? recorded {
        self.images = try openImages(paths).weighted(by: history.configuration.sourceWeights)
      } else {
        missing = "The run does not say where its pictures are."
      }
      let places = validation.map { [$0] } ?? (images == nil ? history.environment?.validationPaths : nil)
      self.validation = try places.map { try openImages($0) }
    } catch let error as DataError where images == nil && validation == nil {
      missing = "\(error)."
    }
  }

  /// What is under way, and how much of it is done.
  public typealias Progress = (_ work: String, _ done: Int, _ total: Int) throws -> Void

  /// Makes the page and writes it, whole or not at all; gives its size in bytes. What the calling thread watches
  /// (``Cancellation``) calls it off.
  @discardableResult
  public func write(to path: String, progress: Progress = { _, _, _ in }) throws -> Int {
    let page = Data(try html(progress: progress).utf8)
    try page.write(to: URL(fileURLWithPath: path), options: .atomic)
    return page.count
  }

  /// The page.
  public func html(progress: Progress = { _, _, _ in }) throws -> String {
    let look = try images.map { try ReportPictures(self, $0, progress) }
    var view = ReportView(self, look: look)
    var page = try view.html()
    // Everything else has a size of its own; the crops are as large as the recipe makes them.
    if page.utf8.count > RunReport.mostBytes {
      view.showsCrops = false
      page = try view.html()
    }
    return page
  }
}
