import Foundation
import SwAVData
import SwAVDiscovery
import SwAVEvaluation
import SwAVModel
import SwAVTestSupport
import Testing

@testable import SwAVPages

/// The answers of the server, without a socket.
@Suite struct ExplorerTests {
  let folder: TemporaryFolder
  let explorer: Explorer
  static let odd = "\" onerror=\"alert(1) <b>.jpg"

  init() throws {
    folder = try TemporaryFolder()
    try folder.writePictures("images", perClass: 4)
    try folder.write("images/class0/" + ExplorerTests.odd, picture(kind: 3, number: 5))
    try folder.write("secret.txt", Array("secret".utf8))
    let source = try ImageFolder(folder.path + "/images")
    let network = try Network(
      NetworkConfiguration(architecture: .resnet18, stem: .small, baseWidth: 8, hidden: 16, dim: 8, prototypes: [6]), seed: 1)
    let index = try ImageIndex.updated(
      nil, for: source, network: network, identity: "", size: 32, reading: ReadingOptions()
    ).index
    explorer = try Explorer(
      source, index, network: network, size: 32, reading: ReadingOptions(), title: "<images>",
      report: folder.path + "/report.html")
    try folder.write("report.html", Array("<p>the report</p>".utf8))
  }

  @Test func theReportKeepsToItsOwnPolicyAndThePageToThatOfItsAnswers() {
    let (page, report) = (get("/"), get("/report"))
    #expect(page.headers["Content-Security-Policy"]?.contains("script-src 'nonce-explore'") == true)
    // Its pictures are data, and its script has another nonce: a browser keeps to all policies there are.
    #expect(report.body == Array("<p>the report</p>".utf8))
    #expect(report.headers["Content-Security-Policy"] == "frame-ancestors 'none'")
  }

  private func get(_ path: String, host: String = "127.0.0.1:8421", method: String = "GET") -> Explorer.Answer {
    explorer.answer(Explorer.Request(method: method, path: path, host: host))
  }

  private struct Match: Decodable {
    var number: Int
    var name: String
    var cosine: Float
  }

  @Test func thePageShowsPicturesAndEscapesTheirNames() {
    let page = get("/")
    let text = String(decoding: page.body, as: UTF8.self)
    #expect(page.status == 200 && page.type.hasPrefix("text/html"))
    #expect(
      text.contains("&lt;images&gt;") && text.contains("/picture/0") && !text.contains(ExplorerTests.odd)
        && !text.contains("{{"))
  }

  @Test func aPictureFindsItselfByNumberAndByItsBytes() throws {
    let byNumber = try JSONDecoder().decode([Match].self, from: Data(get("/similar/3").body))
    #expect(byNumber.count == 9 && byNumber[0].number == 3)
    let bytes = try [UInt8](Data(contentsOf: URL(fileURLWithPath: folder.path + "/images/" + byNumber[0].name)))
    let answer = explorer.answer(Explorer.Request(method: "POST", path: "/similar", host: "localhost", body: bytes))
    #expect(try JSONDecoder().decode([Match].self, from: Data(answer.body)).first?.number == 3)
    #expect(get("/picture/3").body.starts(with: [0xff, 0xd8]) && get("/large/3").type == "image/jpeg")
  }

  @Test(arguments: [
    "/picture/../../secret.txt", "/picture/..%2f..%2fsecret.txt", "/picture/%2e%2e/secret.txt", "/../secret.txt", "/secret.txt",
    "//etc/passwd", "/picture//etc/passwd", "/picture/-1", "/picture/9", "/picture/99999999999999999999", "/picture/٣",
    "/picture/0/..", "/picture/0\u{0}", "/similar/", "/similar/x", "/report/../../secret.txt", "/picture/3;x",
  ])
  func nothingButPicturesCanBeNamed(_ path: String) {
    let answer = get(path)
    #expect(answer.status == 404 && !String(decoding: answer.body, as: UTF8.self).contains("secret"), "\(path)")
  }

  @Test(arguments: [
    "", "evil.example", "evil.example:8421", "127.0.0.1.evil.example", "localhost.evil.example", "192.168.0.2:8421",
  ])
  func pagesOfOtherNamesAreRefused(_ host: String) { #expect(get("/", host: host).status == 403) }

  @Test(arguments: ["PUT", "DELETE", "PATCH", "POST"]) func nothingCanBeChanged(_ method: String) {
    #expect(get("/picture/0", method: method).status == 405)
  }

  @Test func whatIsNoPictureIsToldAndWhatIsTooLargeRefused() {
    func post(_ body: [UInt8]) -> Int {
      explorer.answer(Explorer.Request(method: "POST", path: "/similar", host: "localhost", body: body)).status
    }
    #expect(post(Array("no picture".utf8)) == 415)
    #expect(post([]) == 415)
    #expect(post([UInt8](repeating: 0, count: Explorer.mostBytes + 1)) == 413)
  }
}
