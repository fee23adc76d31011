import CSwAV
public import SwAVEngine

/// Which part of a file is loaded.
public struct LoadOptions: Sendable, Equatable {
  /// Of the keys of the encoder that is meant, or a part of that prefix between dots ("teacher"), where a file holds several; "." is
  /// no prefix. nil: the only one.
  public var prefix: String?
  /// As if the file held no projection head, and no prototypes.
  public var skipsHead: Bool
  public var skipsPrototypes: Bool

  public init(prefix: String? = nil, skipsHead: Bool = false, skipsPrototypes: Bool = false) {
    (self.prefix, self.skipsHead, self.skipsPrototypes) = (prefix, skipsHead, skipsPrototypes)
  }

  func withEngine<Result>(_ body: (UnsafePointer<swav_load_options>) -> Result) -> Result {
    func call(_ prefix: UnsafePointer<CChar>?) -> Result {
      withUnsafePointer(to: swav_load_options(prefix: prefix, skip_head: skipsHead, skip_prototypes: skipsPrototypes), body)
    }
    guard let prefix else { return call(nil) }
    return prefix.withCString(call)
  }
}

/// What loading weights found.
public struct LoadReport: Codable, Sendable, Equatable {
  /// As "resnet50w2".
  public var architecture: String
  /// "safetensors", "PyTorch's zip archive", ...
  public var format: String
  /// Whose names of tensors the file uses: "torchvision", "lightly", ...
  public var names: String
  /// Of the encoder's keys, with its dot; empty: none.
  public var prefix: String
  /// The network was deduced from names and shapes, as the file's metadata does not say it.
  public var isGuessed: Bool
  /// Tensors of the network that were filled.
  public var matched: Int
  /// Of these: stored as another number type, or a counter in another shape.
  public var converted: Int
  /// Tensors of the network that the file lacks, and that are as before; counters do not count.
  public var missing: Int
  /// Tensors of the file that are not the network's; optimiser state does not count.
  public var unexpected: Int
  /// Names, separated by commas; long lists end in "...".
  public var missingNames: String
  public var unexpectedNames: String
  /// All of this in one line, for people.
  public var summary: String

  init(_ report: swav_load_report) {
    (architecture, format, names) = (text(report.architecture), text(report.format), text(report.names))
    (prefix, isGuessed) = (text(report.prefix), report.guessed)
    (matched, converted) = (Int(report.matched), Int(report.converted))
    (missing, unexpected) = (Int(report.missing), Int(report.unexpected))
    (missingNames, unexpectedNames) = (text(report.missing_names), text(report.unexpected_names))
    summary = text(report.summary)
  }
}

extension Network {
  /// Creates a network as a file describes it and fills it, all of it: by the metadata of a file of this library, else by names and
  /// shapes, which the report then says. Safetensors, alone or in parts (the path of the .index.json), PyTorch checkpoints of both
  /// layouts, checkpoints of this library; under the names of tensors of the published files, torchvision, timm, lightly, VISSL,
  /// MoCo and DeepCluster-v2.
  public static func open(
    _ path: String, _ options: LoadOptions = LoadOptions()
  ) throws(EngineError) -> (network: Network, report: LoadReport) {
    var (report, network) = (swav_load_report(), OpaquePointer?.none)
    try check(options.withEngine { swav_network_open(path, $0, &network, &report) })
    return (Network(handle: try unwrap(network)), LoadReport(report))
  }

  /// Fills this network from such a file. Throws and changes nothing when a shape differs, a tensor of the backbone is missing, the
  /// file's backbone has parts that the network's has not, or a value is not finite.
  @discardableResult
  public func load(_ path: String, _ options: LoadOptions = LoadOptions()) throws(EngineError) -> LoadReport {
    var report = swav_load_report()
    try check(options.withEngine { swav_network_load(handle, path, $0, &report) })
    return LoadReport(report)
  }

  /// Writes all tensors as safetensors under torchvision's names: to a file aside, flushed, renamed.
  public func save(to path: String) throws(EngineError) {
    try check(swav_network_save(handle, path))
  }
}
