import SwAVEngine
import SwAVModel

/// The lines with which somebody else loads exported weights and compares what they compute; they print a relative error.
struct CheckScript {
  let text: String
  /// "python", or "yaml" for settings of a program that has no short lines.
  let language: String
  /// What the lines print where all is well.
  let expectation: String

  init(_ info: Network.Info, _ input: InputDescription, _ export: NetworkExport, weights: String, fixture: String) {
    // Between the quotes of a text of Python.
    func quoted(_ name: String) -> String { name.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") }
    let (weights, fixture) = (quoted(weights), quoted(fixture))
    let isRounded = export.format == .onnx && export.onnx.usesIntegers
    var (language, expectation) = ("python", "These lines, run in its folder, print the relative difference: below 1e-4.")
    if isRounded {
      expectation = "These lines, run in its folder, print the relative difference: some hundredths, by rounding."
    }
    switch export.format {
    case .onnx: text = CheckScript.onnx(weights, fixture)
    case .timm: text = CheckScript.timm(fixture)
    case .safetensors, .torch:
      if export.keys == .detectron2 {
        (language, expectation) = ("yaml", "Settings of detectron2 that the weights fit:")
        text = CheckScript.detectron2(info, input, weights)
      } else {
        text = CheckScript.torchvision(info, export, weights, fixture)
      }
    }
    (self.language, self.expectation) = (language, expectation)
  }

  private static func onnx(_ weights: String, _ fixture: String) -> String {
    """
    import numpy, onnxruntime
    from safetensors.numpy import load_file
    x = load_file("\(fixture)")
    y = onnxruntime.InferenceSession("\(weights)").run(["features"], {"images": x["input"]})[0]
    print(numpy.linalg.norm(y - x["features"]) / numpy.linalg.norm(x["features"]))
    """
  }

  private static func timm(_ fixture: String) -> String {
    """
    import timm, torch
    from safetensors.torch import load_file
    net, x = timm.create_model("local-dir:.", pretrained=True).eval(), load_file("\(fixture)")
    with torch.no_grad():
        y = net(x["input"])
    print(float((y - x["features"]).norm() / x["features"].norm()))
    """
  }

  private static func torchvision(
    _ info: Network.Info, _ export: NetworkExport, _ weights: String, _ fixture: String
  ) -> String {
    let configuration = info.configuration
    let nested = export.keys == .mmdet && export.format == .torch ? "[\"state_dict\"]" : ""
    let load = export.format == .torch ? "torch.load(\"\(weights)\", weights_only=True)\(nested)" : "load_file(\"\(weights)\")"
    var lines = [
      "import torch, torchvision", "from safetensors.torch import load_file",
      "weights, x = \(load), load_file(\"\(fixture)\")",
      "net = torchvision.models.resnet\(configuration.architecture.depth)()", "net.fc = torch.nn.Identity()",
    ]
    if export.includesHead {
      lines.append("weights = {k: v for k, v in weights.items() if not k.startswith(\"pro\")}  # the head")
    }
    if configuration.stem == .small {
      lines += ["net.conv1 = torch.nn.Conv2d(1, 1, 3, stride=1, padding=1, bias=False)", "net.maxpool = torch.nn.Identity()"]
    }
    if export.keys == .timm, configuration.architecture.depth < 50,
      configuration.baseWidth * configuration.architecture.width < 64
    {
      // The stem is filled up to timm's 64 channels, of which a projection picks those that there are.
      lines.append(
        "net.layer1[0].downsample = torch.nn.Sequential(torch.nn.Conv2d(64, 1, 1, bias=False), torch.nn.BatchNorm2d(1))")
    }
    let isPublished =
      configuration.baseWidth * configuration.architecture.width == 64 && configuration.stem == .imagenet
      && configuration.channels == 3
    if isPublished {
      lines.append("net.load_state_dict(weights)")
    } else {
      lines += [
        "for name, tensor in weights.items():  # a width that torchvision has no name for",
        "    layer, leaf = name.rsplit(\".\", 1)",
        "    layer = net.get_submodule(layer)",
        "    if leaf in layer._buffers: layer._buffers[leaf] = tensor",
        "    else: layer._parameters[leaf] = torch.nn.Parameter(tensor)",
      ]
    }
    lines += [
      "with torch.no_grad():", "    y = net.eval()(x[\"input\"])",
      "print(float((y - x[\"features\"]).norm() / x[\"features\"].norm()))",
    ]
    return lines.joined(separator: "\n")
  }

  private static func detectron2(_ info: Network.Info, _ input: InputDescription, _ weights: String) -> String {
    let configuration = info.configuration
    let base = configuration.baseWidth * configuration.architecture.width
    let out = configuration.architecture.isBottleneck ? 4 * base : base
    func levels(_ values: [Float]) -> String { values.map { decimals(Double($0) * 255, 3) }.joined(separator: ", ") }
    return """
      MODEL:
        WEIGHTS: \(weights)?matching_heuristics=True
        PIXEL_MEAN: [\(levels(input.mean))]
        PIXEL_STD: [\(levels(input.std))]
        RESNETS: {DEPTH: \(configuration.architecture.depth), STRIDE_IN_1X1: False, NUM_GROUPS: 1, WIDTH_PER_GROUP: \(base), \
      STEM_OUT_CHANNELS: \(base), RES2_OUT_CHANNELS: \(out)}
      INPUT: {FORMAT: \(configuration.channels == 1 ? "L" : "RGB")}
      """
  }
}
