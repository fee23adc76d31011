import ArgumentParser
import FlyingFox
import Foundation
import SwAV
import SwAVDiscovery
import SwAVPages
import Synchronization

struct ExploreCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "explore",
    abstract: "Look through images in a browser; search by a click.",
    discussion: """
      Serves a page on 127.0.0.1, to this machine only, until Ctrl-C. It shows
      nothing but the images, and writes nothing but the index, that of search.
      """)

  @Argument(help: ArgumentHelp("A run, or a file of weights.", valueName: "run|file"))
  var folder: String
  @Argument(help: ArgumentHelp("The images: one source or several, as pretrain takes.", valueName: "images"))
  var images: [String]
  @Option(help: ArgumentHelp("The port; 0: any that is free.", valueName: "n"))
  var port = 8421
  @OptionGroup var indexing: IndexOptions
  @OptionGroup var out: OutputOptions

  func run() throws {
    try Failure.reporting(json: out.json) {
      guard (0...65535).contains(port) else { throw ValidationError("--port is \(port); 0 to 65535 are allowed") }
      try Runtime.setThreads(indexing.threads.threads)
      let cancellation = StopSignal.install()
      let explorer = try endingOnSignal(stopped: indexing.stopped(at: images, weights: folder), json: out.json) {
        let source = try out.open(images)
        let network = try WeightsFile(at: folder).open().network
        let found = try indexing.upToDate(
          source, at: images, network, weights: folder, identity: WeightsOptions.identity(of: folder), size: nil,
          json: out.json)
        let report = folder + "/report.html"
        return try Explorer(
          source, found, network: network, size: nil, reading: try indexing.reading(), title: images.joined(separator: ", "),
          report: FileManager.default.fileExists(atPath: report) ? report : nil)
      }
      try serve(explorer, until: cancellation)
    }
  }

  private func serve(_ explorer: Explorer, until cancellation: Cancellation) throws {
    let server = HTTPServer(address: try .inet(ip4: "127.0.0.1", port: UInt16(port)), timeout: 60, logger: .disabled)
    let failure = Mutex<(any Error)?>(nil)
    let (isJSON, wanted) = (out.json, port)
    let done = DispatchSemaphore(value: 0)
    let task = Task.detached {
      await server.appendRoute("*") { request in await ExploreCommand.answer(request, explorer) }
      async let running: Void = server.run()
      do {
        try await server.waitUntilListening(timeout: 10)
        var actual = UInt16(wanted)
        if case .ip4(_, let port) = await server.listeningAddress { actual = port }
        let address = "http://127.0.0.1:\(actual)/"
        print(isJSON ? (try? jsonRow("listening", ["address": address])) ?? "" : "open \(address) in a browser; Ctrl-C ends it")
        try await running
      } catch {
        // What keeps it from listening is thrown by what runs.
        do { try await running } catch { failure.withLock { $0 = error } }
      }
      done.signal()
    }
    while done.wait(timeout: .now() + .milliseconds(200)) == .timedOut {
      guard cancellation.isCancelled else { continue }
      task.cancel()
      throw ExitCode(StopSignal.exitCode)
    }
    let reason = failure.withLock { $0.map { "\($0)" } } ?? "ended"
    throw Failure(code: .io, message: "127.0.0.1:\(port): \(reason)", json: out.json)
  }

  private static func answer(_ request: HTTPRequest, _ explorer: Explorer) async -> HTTPResponse {
    var body: [UInt8] = []
    if request.method == .POST {
      guard let count = request.bodySequence.count, count <= Explorer.mostBytes, let data = try? await request.bodyData else {
        return HTTPResponse(statusCode: .payloadTooLarge)
      }
      body = [UInt8](data)
    }
    let asked = Explorer.Request(
      method: request.method.rawValue, path: request.path, host: request.headers[.host] ?? "", body: body)
    // Computes and reads files, which would hold up a thread that Swift's tasks share.
    let found = await withCheckedContinuation { continuation in
      DispatchQueue.global().async { continuation.resume(returning: explorer.answer(asked)) }
    }
    var headers: HTTPHeaders = [.contentType: found.type]
    for (name, value) in found.headers { headers[HTTPHeader(name)] = value }
    return HTTPResponse(
      statusCode: HTTPStatusCode(found.status, phrase: ""), headers: headers, body: Data(found.body))
  }
}
