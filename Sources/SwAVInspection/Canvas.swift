/// A picture that is painted: samples [height][width][3], 8 bits.
package struct Canvas: Sendable {
  package typealias Color = (red: UInt8, green: UInt8, blue: UInt8)

  /// In pixels from the left upper corner.
  package struct Rectangle: Sendable, Equatable {
    package var left: Int
    package var top: Int
    package var width: Int
    package var height: Int

    package init(left: Int, top: Int, width: Int, height: Int) {
      (self.left, self.top, self.width, self.height) = (left, top, width, height)
    }

    /// Larger by so many pixels on each side; smaller for negative ones.
    package func grown(by pixels: Int) -> Rectangle {
      Rectangle(left: left - pixels, top: top - pixels, width: width + 2 * pixels, height: height + 2 * pixels)
    }
  }

  package let width: Int
  package let height: Int
  package private(set) var samples: [UInt8]

  /// All of one gray level.
  package init(width: Int, height: Int, level: UInt8) {
    (self.width, self.height) = (width, height)
    samples = [UInt8](repeating: level, count: width * height * 3)
  }

  /// Paints what of the rectangle lies on the canvas.
  package mutating func fill(_ area: Rectangle, _ color: Color) {
    let columns = max(0, area.left)..<max(0, area.left, min(width, area.left + area.width))
    for y in max(0, area.top)..<max(0, area.top, min(height, area.top + area.height)) {
      for x in columns {
        let at = 3 * (y * width + x)
        (samples[at], samples[at + 1], samples[at + 2]) = color
      }
    }
  }

  /// Paints the rim of a rectangle, `thickness` pixels inwards.
  package mutating func frame(_ area: Rectangle, thickness: Int, _ color: Color) {
    let (across, down) = (min(thickness, area.width), min(thickness, area.height))
    fill(Rectangle(left: area.left, top: area.top, width: area.width, height: down), color)
    fill(Rectangle(left: area.left, top: area.top + area.height - down, width: area.width, height: down), color)
    fill(Rectangle(left: area.left, top: area.top, width: across, height: area.height), color)
    fill(Rectangle(left: area.left + area.width - across, top: area.top, width: across, height: area.height), color)
  }

  /// Puts a square picture, samples [side][side][1 or 3], with its corner at (left, top); each of its pixels becomes a square
  /// of `scale` pixels. It has to lie on the canvas.
  package mutating func place(_ picture: [UInt8], side: Int, left: Int, top: Int, scale: Int = 1) {
    let channels = picture.count / (side * side)
    for y in 0..<side * scale {
      for x in 0..<side * scale {
        let (source, target) = ((y / scale * side + x / scale) * channels, 3 * ((top + y) * width + left + x))
        for channel in 0..<3 { samples[target + channel] = picture[source + channel % channels] }
      }
    }
  }
}
