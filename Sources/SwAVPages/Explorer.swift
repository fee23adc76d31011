import Foundation
import SwAVAugmentation
public import SwAVData
public import SwAVDiscovery
import SwAVEngine
public import SwAVEvaluation
public import SwAVModel

/// Answers of a small web server about pictures: a page, the pictures, and those that are like one. It reads and never writes, and
/// pictures have numbers, not paths: nothing else on the disk can be named.
public struct Explorer: Sendable {
  public struct Request: Sendable {
    public var method: String
    /// Without the query.
    public var path: String
    /// The header; a page of another name that leads here is refused.
    public var host: String
    public var body: [UInt8]

    public init(method: String, path: String, host: String, body: [UInt8] = []) {
      (self.method, self.path, self.host, self.body) = (method, path, host, body)
    }
  }

  public struct Answer: Sendable, Equatable {
    public var status: Int
    public var type: String
    public var body: [UInt8]
    /// Whether the body is a page that carries a policy of its own, as a report does. A browser keeps to both.
    var hasPolicy = false

    /// What the browser may do with it.
    public var headers: [String: String] {
      let policy =
        hasPolicy
        ? ""
        : "default-src 'none'; img-src 'self' blob:; style-src 'unsafe-inline'; script-src 'nonce-explore'; connect-src 'self'; "
          + "base-uri 'none'; form-action 'none'; "
      return [
        "Content-Security-Policy": policy + "frame-ancestors 'none'", "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "Cross-Origin-Resource-Policy": "same-origin",
      ]
    }
  }

  private let source: any ImageSource
  private let network: Network
  private let index: ImageIndex
  /// The sample of each row of the index.
  private let samples: [Int]
  private let size: Int?
  private let reading: ReadingOptions
  private let title: String
  private let report: String?
  private let starts: [Int]

  /// Bytes that a picture that is asked about has at most.
  public static let mostBytes = 64 << 20
  private static let (found, shown) = (60, 96)

  /// `report` is the path of a page that is served as well.
  public init(
    _ source: any ImageSource, _ index: ImageIndex, network: Network, size: Int?, reading: ReadingOptions, title: String,
    report: String?
  ) throws {
    let places = Dictionary((0..<source.count).map { (source.name(of: $0), $0) }, uniquingKeysWith: { a, _ in a })
    samples = index.names.map { places[$0] ?? 0 }
    (self.source, self.index, self.network, self.size) = (source, index, network, size)
    (self.reading, self.title, self.report) = (reading, title, report)
    // One picture of each of as many groups as fit on the first screen.
    let groups = try Clustering.byKMeans(index.features, clusters: min(Explorer.shown, index.names.count))
    starts = groups.living.sorted { ($0.size, $1.number) > ($1.size, $0.number) }.compactMap(\.medoid)
  }

  /// The answer to a request. Never throws: what cannot be answered has a status that says so.
  public func answer(_ request: Request) -> Answer {
    guard Explorer.isLocal(request.host) else { return text(403, "this server answers to 127.0.0.1 and localhost only") }
    let parts = request.path.split(separator: "/", omittingEmptySubsequences: true).map(String.init)
    do {
      switch (request.method, parts.first, parts.count) {
      case ("GET", nil, 0): return try page()
      case ("GET", "report", 1): return try reportPage()
      case ("GET", "picture", 2): return try picture(parts[1], side: 176)
      case ("GET", "large", 2): return try picture(parts[1], side: 640)
      case ("GET", "similar", 2):
        guard let row = row(parts[1]) else { return text(404, "no such picture") }
        return try similar(to: try index.features.selecting([row]))
      case ("POST", "similar", 1): return try similar(toPicture: request.body)
      case ("GET", _, _), ("HEAD", _, _), ("POST", "similar", _): return text(404, "not here")
      default: return text(405, "nothing can be changed here")
      }
    } catch let error as EngineError where error.code == .format || error.code == .unsupported || error.code == .limit {
      return text(415, error.message)
    } catch {
      return text(500, errorLine(error))
    }
  }

  /// Of other names a page of somebody else could be made to lead here.
  private static func isLocal(_ host: String) -> Bool {
    let name = host.split(separator: ":", omittingEmptySubsequences: false).first.map(String.init) ?? ""
    return name == "127.0.0.1" || name.lowercased() == "localhost"
  }

  private func text(_ status: Int, _ text: String) -> Answer {
    Answer(status: status, type: "text/plain; charset=utf-8", body: Array(text.utf8))
  }

  private func row(_ word: String) -> Int? {
    guard word.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let row = Int(word), samples.indices.contains(row) else {
      return nil
    }
    return row
  }

  private func picture(_ word: String, side: Int) throws -> Answer {
    guard let row = row(word) else { return text(404, "no such picture") }
    let image = try Image(decoding: try source.bytes(of: samples[row]), channels: 3, options: reading.decoding)
    let info = try image.info()
    let shown = min(side, max(176, min(info.width, info.height)))
    let pixels = try image.render(CropPlan.square(size: shown, imageWidth: info.width, imageHeight: info.height))
    let jpeg = try Image.encodeJPEG(pixels, width: shown, height: shown, channels: 3, quality: 85)
    return Answer(status: 200, type: "image/jpeg", body: jpeg)
  }

  private struct Match: Encodable {
    var number: Int
    var name: String
    var cosine: Float
  }

  private func similar(to query: Features) throws -> Answer {
    let found = try index.nearest(to: query, count: Explorer.found).of(0).map {
      Match(number: $0.row, name: index.names[$0.row], cosine: $0.cosine)
    }
    return Answer(status: 200, type: "application/json", body: Array(try JSONEncoder().encode(found)))
  }

  private func similar(toPicture bytes: [UInt8]) throws -> Answer {
    guard !bytes.isEmpty else { return text(415, "no picture: nothing came") }
    guard bytes.count <= Explorer.mostBytes else { return text(413, "a picture of \(Explorer.mostBytes) bytes at most") }
    let features = try network.embed(bytes, size: size)
    return try similar(to: try Features(dim: features.count, values: features))
  }

  private func page() throws -> Answer {
    let view: [String: Any] = [
      "title": title, "count": grouped(index.names.count), "hasReport": report != nil,
      "starts": starts.map { ["number": "\($0)", "name": index.names[$0]] },
    ]
    let html = try Page().served("explore", view: view)
    return Answer(status: 200, type: "text/html; charset=utf-8", body: Array(html.utf8))
  }

  private func reportPage() throws -> Answer {
    guard let report, let page = FileManager.default.contents(atPath: report) else { return text(404, "no report") }
    return Answer(status: 200, type: "text/html; charset=utf-8", body: [UInt8](page), hasPolicy: true)
  }
}
