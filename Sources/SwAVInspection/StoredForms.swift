import SwAVAugmentation

/// Of how many pictures more is stored than is used, or stored so that programs disagree about it.
public struct StoredForms: Codable, Sendable, Equatable {
  /// Pictures that may be transparent. The colours below are used unless a background is set.
  public var alpha = 0
  /// Pictures of four inks, converted without a colour profile.
  public var cmyk = 0
  /// JPEGs among them without Adobe's marker: taken as they are; some programs write them inverted all the same.
  public var cmykWithoutMarker = 0
  /// Animations and files of several pages, of which the first one is used.
  public var severalFrames = 0

  init(_ forms: some Sequence<StoredForm>) {
    for form in forms {
      if form.contains(.alpha) { alpha += 1 }
      if form.contains(.cmyk) { cmyk += 1 }
      if form.contains(.unmarked) { cmykWithoutMarker += 1 }
      if form.contains(.severalFrames) { severalFrames += 1 }
    }
  }
}

/// How one picture is stored.
struct StoredForm: OptionSet, Sendable {
  var rawValue: UInt8

  static let alpha = StoredForm(rawValue: 1)
  static let cmyk = StoredForm(rawValue: 2)
  static let unmarked = StoredForm(rawValue: 4)
  static let severalFrames = StoredForm(rawValue: 8)

  init(rawValue: UInt8) { self.rawValue = rawValue }

  init(_ info: Image.Info) {
    self = []
    if info.hasAlpha { insert(.alpha) }
    if info.inks != .none { insert(.cmyk) }
    if info.inks == .plain, info.format == "jpeg" { insert(.unmarked) }
    if info.hasMore { insert(.severalFrames) }
  }
}
