import SwAVEngine

/// The kinds of picture, alphabetically as a folder lists them. They differ in texture, shape and layout only.
public enum DemoClass: String, CaseIterable, Sendable {
  case bricks, cells, checkers, clouds, crosses, dots, mazes, rays, rings, spirals, stripes, triangles, waves

  /// Place in the alphabetical order, the label that a folder of the set gives.
  var number: UInt64 { UInt64(DemoClass.allCases.firstIndex(of: self) ?? 0) }

  /// Renders one picture of the class: samples [side][side][3], red, green, blue, 8 bits each.
  func render(side: Int, using generator: inout SplitMix64) -> [UInt8] {
    switch self {
    case .bricks: return draw(Bricks.self, side, &generator)
    case .cells: return draw(Cells.self, side, &generator)
    case .checkers: return draw(Checkers.self, side, &generator)
    case .clouds: return draw(Clouds.self, side, &generator)
    case .crosses: return draw(Crosses.self, side, &generator)
    case .dots: return draw(Dots.self, side, &generator)
    case .mazes: return draw(Mazes.self, side, &generator)
    case .rays: return draw(Rays.self, centred: true, side, &generator)
    case .rings: return draw(Rings.self, centred: true, side, &generator)
    case .spirals: return draw(Spirals.self, centred: true, side, &generator)
    case .stripes: return draw(Stripes.self, side, &generator)
    case .triangles: return draw(Triangles.self, side, &generator)
    case .waves: return draw(Waves.self, side, &generator)
    }
  }

  private func draw<P: Pattern>(_: P.Type, centred: Bool = false, _ side: Int, _ generator: inout SplitMix64) -> [UInt8] {
    let pattern = P(using: &generator)
    let scene = Scene(repetitions: P.repetitions, centred: centred, using: &generator)
    let step = 2 / Float(side)
    var samples = [UInt8](repeating: 0, count: side * side * 3)
    for y in 0..<side {
      for x in 0..<side {
        let corner = Point(Float(x), Float(y)) * step - 1
        let surroundings = scene.surroundings(at: corner + 0.5 * step)
        // Four samples a pixel, so that edges are smooth.
        var sum = Color.zero
        for part in 0..<4 {
          let offset = Point(part & 1 == 0 ? 0.25 : 0.75, part & 2 == 0 ? 0.25 : 0.75)
          sum += scene.color(at: corner + offset * step, in: surroundings, of: pattern)
        }
        let grain = scene.grain * (generator.uniform(-1...1) + generator.uniform(-1...1))
        let value = (sum * (0.25 * surroundings.shading) + grain) * 255
        let place = 3 * (y * side + x)
        for channel in 0..<3 { samples[place + channel] = UInt8(min(max(value[channel], 0), 255).rounded()) }
      }
    }
    return samples
  }
}
