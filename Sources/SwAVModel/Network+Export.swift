import CSwAV
public import SwAVEngine

/// Files of tensors that other programs read.
public enum TensorFormat: String, Codable, Sendable, CaseIterable {
  case safetensors
  /// PyTorch's zip archive, which `torch.load(weights_only=True)` reads; less than 4 GiB.
  case torch

  var engine: swav_tensor_format { self == .torch ? SWAV_TENSORS_TORCH : SWAV_TENSORS_SAFETENSORS }
}

/// Whose names tensors have in a file.
public enum TensorKeys: String, Codable, Sendable, CaseIterable {
  case torchvision
  /// torchvision's names for timm's ResNet, whose stem has 64 channels whatever the width: a narrower one is filled up with channels
  /// of zero. Throws `.unsupported` for a wider or a small stem, which timm has not.
  case timm
  /// As PyTorch's file below the key "model".
  case detectron2
  /// torchvision's names, as PyTorch's file below the key "state_dict".
  case mmdet

  var engine: swav_keys {
    switch self {
    case .torchvision: SWAV_KEYS_TORCHVISION
    case .timm: SWAV_KEYS_TIMM
    case .detectron2: SWAV_KEYS_DETECTRON2
    case .mmdet: SWAV_KEYS_MMDET
    }
  }
}

extension Network {
  /// Writes the tensors for others: to a file aside, flushed, renamed. Without the head it is the backbone alone.
  public func export(
    to path: String, as format: TensorFormat = .safetensors, keys: TensorKeys = .torchvision, includesHead: Bool = false
  ) throws(EngineError) {
    var options = swav_export_options(format: format.engine, keys: keys.engine, head: includesHead)
    try check(swav_network_export(handle, path, &options))
  }
}
