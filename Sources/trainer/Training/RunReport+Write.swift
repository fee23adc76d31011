import Foundation
import SwAV
import SwAVPages

extension RunReport {
  /// Writes the page of a run that has just ended, and says where it is. One that cannot be written is a warning: the run itself is
  /// whole. A signal leaves the page out.
  static func write(
    ofRunAt folder: String, _ images: any ImageSource, _ validation: (any ImageSource)?, _ configuration: PretrainConfiguration,
    _ console: inout Console, json: Bool
  ) throws {
    let (path, cancellation) = (folder + "/report.html", StopSignal.install())
    do {
      var report = RunReport(try RunHistory(at: folder), images: images, validation: validation)
      report.reading = ReadingOptions(workers: configuration.readers)
      report.reading.decoding = configuration.decoding
      report.reading.readTimeout = configuration.readTimeout
      var view = console
      defer { console = view }
      let bytes = try cancellation.watching {
        try report.write(to: path) { view.showProgress($0, done: $1, total: $2) }
      }
      view.finishBar()
      if json {
        print(try jsonRow("report", fields: ["report": path, "bytes": bytes]))
      } else {
        view.line("report: \(path), a page to open in a browser or to mail (\(fixed(Double(bytes) / 1e6, 1)) MB)")
      }
    } catch {
      let reason = cancellation.isCancelled ? "stopped" : errorLine(error)
      try console.tell("warning", "no report: \(reason); 'trainer report \(folder)' writes it later")
    }
  }
}
