package import CSwAV

/// Which pictures are decoded, and what transparent ones lie on.
public struct DecodingOptions: Codable, Sendable, Equatable {
  /// Pictures of more pixels are refused: a small file may claim to unpack to any size. The standard is what Pillow accepts,
  /// 178,956,970; at most 4,290,250,000 are allowed.
  public var maximumPixels: Int
  /// What shows through where a picture is transparent; nil: transparency is dropped, and the colours that an editor left
  /// below it are taken, as Pillow's `convert("RGB")` does.
  public var background: Background?

  public init(maximumPixels: Int = standard.maximumPixels, background: Background? = nil) {
    (self.maximumPixels, self.background) = (maximumPixels, background)
  }

  private init(engine: swav_decode_options) { (maximumPixels, background) = (Int(engine.max_pixels), nil) }

  public static let standard = DecodingOptions(engine: swav_decode_options_default())

  /// What ``maximumPixels`` may be.
  public static let allowedPixels = 1...Int(SWAV_MAX_PIXELS)

  /// The engine's form. `channels` is 1, 3, or 0 for those that are stored; `bits` is 8 or 0 likewise.
  package func engine(channels: Int, bits: Int) -> swav_decode_options {
    var options = swav_decode_options_default()
    (options.channels, options.bits) = (Int32(clamping: channels), Int32(clamping: bits))
    options.max_pixels = Int64(maximumPixels)
    if let background { options.background = (background.red, background.green, background.blue) }
    return options
  }
}

/// A colour: "white", "gray", "black", or as on web pages "#ff8000".
public struct Background: Codable, Sendable, Equatable, CustomStringConvertible {
  /// In 0...1.
  public var red: Float
  public var green: Float
  public var blue: Float

  public init(red: Float, green: Float, blue: Float) { (self.red, self.green, self.blue) = (red, green, blue) }

  private static let names = ["black": "#000000", "gray": "#808080", "white": "#ffffff"]

  /// What the text of a colour looks like, for messages.
  public static let allowed = "white, gray, black, or a colour as #ff8000"

  /// nil for a text that is no colour.
  public init?(_ text: String) {
    let lower = text.lowercased()
    let digits = Background.names[lower == "grey" ? "gray" : lower] ?? lower
    let number = digits.dropFirst()
    // Int would take a sign.
    guard digits.hasPrefix("#"), number.utf8.count == 6, number.allSatisfy(\.isHexDigit), let value = Int(number, radix: 16)
    else { return nil }
    func level(_ shift: Int) -> Float { Float(value >> shift & 255) / 255 }
    self.init(red: level(16), green: level(8), blue: level(0))
  }

  /// A name where there is one; else "#ff8000", the nearest of 256 levels.
  public var description: String {
    let value = [red, green, blue].reduce(0) { $0 << 8 | Int((min(max($1, 0), 1) * 255).rounded()) }
    let digits = String(value, radix: 16)
    let text = "#" + String(repeating: "0", count: 6 - digits.count) + digits
    return Background.names.first { $0.value == text }?.key ?? text
  }
}
