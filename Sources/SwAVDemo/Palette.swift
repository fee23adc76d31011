import Foundation
import SwAVEngine

/// Red, green and blue as displayed (sRGB, 0...1); the fourth lane is unused.
typealias Color = SIMD4<Float>

/// The colours of a picture: a pair of ground and figure at each corner, blended in between.
///
/// Hues differ from corner to corner, so that two crops of one picture rarely share their colours: what they share is the
/// pattern, and that is what crops of one picture have to be recognised by. Ground and figure differ in lightness
/// everywhere, so that the pattern is seen in gray as well.
struct Palette: Sendable {
  /// Top left, top right, bottom left, bottom right; `second` is the figure's other shade.
  private let ground, figure, second: (Color, Color, Color, Color)

  init(using generator: inout SplitMix64) {
    let contrast = generator.uniform(0.25...0.5)
    let lightness = generator.uniform(0.28...(0.9 - contrast))
    // Which of the two is light is a coin toss: otherwise the share of ink would show in the mean colour.
    let swapped = generator.chance(0.5)
    let chroma = generator.uniform(0.08...0.2)
    let lightnesses = swapped ? (lightness + contrast, lightness) : (lightness, lightness + contrast)
    func corner(_ lightness: Float) -> Color {
      Palette.color(
        lightness: lightness + generator.uniform(-0.07...0.07), chroma: chroma * generator.uniform(0.6...1),
        hue: generator.uniform(0...1))
    }
    func corners(_ lightness: Float) -> (Color, Color, Color, Color) {
      (corner(lightness), corner(lightness), corner(lightness), corner(lightness))
    }
    ground = corners(lightnesses.0)
    figure = corners(lightnesses.1)
    second = corners(lightnesses.1)
  }

  /// Ground and the figure's two shades at a place, -1...1 in both directions.
  @inline(__always)
  func colors(at position: Point) -> (ground: Color, figure: Color, second: Color) {
    let t = (position + 1) * 0.5
    let s = t * t * (3 - 2 * t)
    func blend(_ corners: (Color, Color, Color, Color)) -> Color {
      let top = corners.0 + s.x * (corners.1 - corners.0)
      let bottom = corners.2 + s.x * (corners.3 - corners.2)
      return top + s.y * (bottom - top)
    }
    return (blend(ground), blend(figure), blend(second))
  }

  /// A colour of Oklab's cylinder (Ottosson, 2020), whose lightness is what the eye sees; hue in turns. Clipped to sRGB.
  static func color(lightness: Float, chroma: Float, hue: Float) -> Color {
    let (a, b) = (chroma * cos(2 * .pi * hue), chroma * sin(2 * .pi * hue))
    let l = cube(lightness + 0.3963377774 * a + 0.2158037573 * b)
    let m = cube(lightness - 0.1055613458 * a - 0.0638541728 * b)
    let s = cube(lightness - 0.0894841775 * a - 1.2914855480 * b)
    let red = 4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s
    let green = -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s
    let blue = -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s
    return Color(display(red), display(green), display(blue), 0)
  }

  private static func cube(_ x: Float) -> Float { x * x * x }

  /// The transfer curve of sRGB.
  private static func display(_ linear: Float) -> Float {
    let x = min(max(linear, 0), 1)
    return x <= 0.0031308 ? 12.92 * x : 1.055 * pow(x, 1 / 2.4) - 0.055
  }
}
