import SwAVDiscovery
import SwAVEngine
import SwAVModel
import SwAVTraining

/// The page of a report as what its template is filled with.
struct ReportView {
  private let report: RunReport
  private let look: ReportPictures?
  private let findings: Findings
  var showsCrops = true

  init(_ report: RunReport, look: ReportPictures?) {
    (self.report, self.look) = (report, look)
    findings = Findings(report.history, look: look)
  }

  private var history: RunHistory { report.history }

  func html() throws -> String {
    var view: [String: Any] = [
      "name": history.name, "path": history.path, "subtitle": subtitle, "sentences": findings.sentences,
      "tiles": findings.tiles, "findings": doctor, "isWell": findings.diagnoses.isEmpty, "warnings": history.warnings,
      "advice": history.advice, "charts": RunCharts(history).views, "time": time, "settings": settings,
      "environment": environment, "use": use, "version": Runtime.versionText,
    ]
    if let missing = report.missing { view["missing"] = missing }
    guard let look else { return try Page().html("report", title: history.name, view: view) }
    view["looked"] = lookedAt(look)
    view["clusters"] = ClustersView(look).view
    let map = MapView(look)
    view["map"] = try map.view
    view["neighbours"] = NeighboursView(look).rows
    view["beginning"] = look.beginning
    if let accuracy = look.accuracy { view["confusion"] = ConfusionView(accuracy).view }
    if showsCrops, let crops = look.crops {
      view["crops"] =
        [
          "image": dataAddress("image/jpeg", crops.jpeg), "width": crops.width, "height": crops.height,
          "names": crops.names.joined(separator: ", "),
        ] as [String: Any]
    }
    return try Page().html(
      "report", title: history.name, view: view, script: MapView.script + ReportPictures.script, style: look.sheet.style)
  }

  private var subtitle: String {
    let configuration = history.configuration
    let when = history.environment.map { " · " + String($0.startedAt.prefix(10)) } ?? ""
    let images = history.environment.map { count($0.images.count, "picture") + " · " } ?? ""
    return
      "\(configuration.arch.title) · \(images)\(count(history.epochs, "epoch")) · \(count(history.steps.last?.step ?? 0, "step"))"
      + when
  }

  private func lookedAt(_ look: ReportPictures) -> String {
    let all = look.source.count
    let some = look.after.count
    let left = look.after.bad.count
    let which =
      some + left < all ? "\(grouped(some)) of the \(grouped(all)) pictures, evenly spaced," : "all \(grouped(some)) pictures"
    return "This page looks at \(which) with the weights of \(history.name)"
      + (left > 0 ? "; \(count(left, "file")) could not be read." : ".")
  }

  private var doctor: [[String: Any]] {
    findings.diagnoses.map { diagnosis in
      [
        "name": diagnosis.name, "evidence": diagnosis.evidence,
        "remedies": diagnosis.remedies.map {
          ["flag": "--" + $0.text, "reason": $0.reason, "hasReason": !$0.reason.isEmpty] as [String: Any]
        },
      ]
    }
  }

  /// Where the time went: a bar and its parts.
  private var time: [String: Any] {
    let (waited, evaluated) = (
      min(history.waited, history.seconds), history.evaluations.reduce(0) { $0 + $1.evaluationSeconds }
    )
    let total = max(history.seconds + evaluated, 1e-9)
    let parts = [
      ("training steps", history.seconds - waited, "s0"), ("waiting for pictures", waited, "s1"),
      ("measuring kNN", evaluated, "s2"),
    ].filter { $0.1 / total > 0.0005 }
    return [
      "parts": parts.map { part in
        [
          "name": part.0, "seconds": span(part.1), "share": decimals(100 * part.1 / total, 1), "class": part.2,
        ]
      },
      "rate": figure(findings.rate),
    ]
  }

  private var settings: [[String: String]] {
    let standard = Dictionary(PretrainConfiguration().named.map { ($0.name, $0.value) }, uniquingKeysWith: { a, _ in a })
    return history.configuration.named.map { setting in
      [
        "name": setting.name, "value": setting.value, "help": Setting.named(setting.name)?.help ?? "",
        "class": standard[setting.name] == setting.value ? "" : "changed",
      ]
    }
  }

  private var environment: [[String: String]] {
    guard let found = history.environment else { return [] }
    func row(_ name: String, _ value: String) -> [String: String] { ["name": name, "value": value] }
    return [
      row("started", found.startedAt), row("command", found.command.joined(separator: " ")),
      row("pictures", (found.imagePaths ?? []).joined(separator: ", ")),
      row("set of pictures", "\(grouped(found.images.count)), identity \(found.images.hash)"),
      row("processor", "\(found.engine.cpu), \(found.engine.isa), \(count(found.engine.threads, "thread"))"),
      row("memory", "\(decimals(found.memoryGib, 1)) GiB"), row("system", found.system), row("host", found.host),
      row("engine", "\(found.version), built by \(found.engine.build)"),
    ].filter { $0["value"] != "" }
  }

  private var use: [String: Any] {
    let configuration = history.configuration
    let input = configuration.input
    let isTorchvision = configuration.baseWidth == 64 && configuration.stem == .imagenet && configuration.channels == 3
    return [
      "path": history.path, "size": input.size, "mean": input.mean.map { figure(Double($0)) }.joined(separator: ", "),
      "std": input.std.map { figure(Double($0)) }.joined(separator: ", "), "isTorchvision": isTorchvision,
      "arch": configuration.arch.rawValue,
    ]
  }
}

extension Architecture {
  /// "ResNet-18".
  var title: String { "ResNet-" + rawValue.dropFirst("resnet".count) }
}
