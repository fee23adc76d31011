/// How long a run is.
public enum RunLength: Sendable, Equatable {
  /// Passes over the images.
  case epochs(Int)
  case steps(StepPlan)
  /// So many seconds, from the start of the command to the weights and what is measured on them. The steps are those that are
  /// expected to fit, nil before that was asked; they are planned anew while the run goes on.
  case budget(Double, StepPlan?)
}

/// The steps of a run, and where on its way their number was decided anew.
///
/// The schedule is that of the first number: a change stretches or shortens what is left of it, so that the rate goes on where it
/// was and still comes to its end. So the rates, and the weights, follow from this value alone.
public struct StepPlan: Codable, Sendable, Equatable {
  /// More than any run has, and few enough to be counted in images.
  static let most = 1_000_000_000_000

  /// From step `from` on the run has `total` steps.
  public struct Piece: Codable, Sendable, Equatable {
    public var from: Int
    public var total: Int
  }

  /// The first is from step 0; each later one is from a later step, and ends behind it.
  public private(set) var pieces: [Piece]

  /// Throws where the pieces are none of a run: what a file says is not taken for true.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    pieces = try container.decode([Piece].self, forKey: .pieces)
    guard !pieces.isEmpty, StepPlan(description) == self else {
      throw DecodingError.dataCorruptedError(forKey: .pieces, in: container, debugDescription: "pieces of no run")
    }
  }

  /// `total` steps, 1 or more.
  public init(total: Int) { pieces = [Piece(from: 0, total: max(1, total))] }

  /// Of the whole run, as it is known now.
  public var total: Int { pieces[pieces.count - 1].total }

  /// Of the schedule.
  public var scheduled: Int { pieces[0].total }

  /// From step `step` on, which was not made yet, the run has `total` steps; at least that one.
  public mutating func change(at step: Int, to total: Int) {
    while pieces.count > 1, pieces[pieces.count - 1].from >= step { pieces.removeLast() }
    let total = max(step + 1, total)
    if step <= 0 {
      pieces[0].total = total
    } else {
      pieces.append(Piece(from: step, total: total))
    }
  }

  /// The place of a step, 0..<total, in the schedule of ``scheduled`` steps.
  public func position(of step: Int) -> Double {
    let end = Double(scheduled)
    var (position, from, total) = (0.0, 0, scheduled)
    func advanced(to step: Int) -> Double { position + (end - position) * Double(step - from) / Double(total - from) }
    for piece in pieces.dropFirst() where piece.from <= step {
      position = advanced(to: piece.from)
      (from, total) = (piece.from, piece.total)
    }
    // Sums that are rounded must not reach the end.
    return min(advanced(to: step), end.nextDown)
  }
}

extension StepPlan: LosslessStringConvertible {
  /// "14000", or "0:14000,1200:13650": from step 1200 on it has 13650 steps.
  public init?(_ description: String) {
    if let total = Int(description) {
      guard (1...StepPlan.most).contains(total) else { return nil }
      pieces = [Piece(from: 0, total: total)]
      return
    }
    var list: [Piece] = []
    for part in description.split(separator: ",", omittingEmptySubsequences: false) {
      let numbers = part.split(separator: ":", omittingEmptySubsequences: false).map { Int($0) }
      guard numbers.count == 2, let from = numbers[0], let total = numbers[1], total > from, total <= StepPlan.most
      else { return nil }
      guard list.isEmpty ? from == 0 : from > list[list.count - 1].from && from < list[list.count - 1].total else {
        return nil
      }
      list.append(Piece(from: from, total: total))
    }
    guard !list.isEmpty else { return nil }
    pieces = list
  }

  public var description: String {
    pieces.count == 1 ? "\(total)" : pieces.map { "\($0.from):\($0.total)" }.joined(separator: ",")
  }
}

/// From a step on, the rate of the schedule times a factor.
public struct RateChange: Codable, Sendable, Equatable, LosslessStringConvertible {
  public var from: Int
  /// Above 0.
  public var factor: Double

  public init(from: Int, factor: Double) { (self.from, self.factor) = (from, factor) }

  /// "1200:0.5".
  public init?(_ description: String) {
    let parts = description.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2, let from = Int(parts[0]), let factor = Double(parts[1]), from >= 0, factor > 0, factor.isFinite
    else { return nil }
    self.init(from: from, factor: factor)
  }

  public var description: String { "\(from):\(factor)" }
}

extension [RateChange] {
  /// Of all changes up to a step.
  func factor(at step: Int) -> Double { reduce(1) { $1.from <= step ? $0 * $1.factor : $0 } }
}

/// A time as people write it: "90s", "30m", "2h", "1h30m".
enum Duration {
  static let allowed = "a time as 90s, 30m, 2h or 1h30m, at least 1s"
  private static let units: [Character: Double] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]

  /// Seconds; nil where the text is no such time.
  static func seconds(_ text: String) -> Double? {
    var (sum, number, last) = (0.0, "", Double.infinity)
    for character in text {
      guard let unit = units[character] else {
        number.append(character)
        continue
      }
      guard unit < last, number.allSatisfy({ $0.isASCII && ($0.isNumber || $0 == ".") }), let value = Double(number) else {
        return nil
      }
      (sum, number, last) = (sum + unit * value, "", unit)
    }
    return number.isEmpty && last.isFinite && (1...1e8).contains(sum) ? sum : nil
  }

  static func text(_ seconds: Double) -> String {
    guard seconds == seconds.rounded() else { return "\(seconds)s" }
    let whole = Int(seconds)
    let parts = [(whole / 3600, "h"), (whole / 60 % 60, "m"), (whole % 60, "s")].filter { $0.0 > 0 }
    return parts.map { "\($0.0)\($0.1)" }.joined()
  }
}

/// A number without a fraction that is none: "4", "0.5".
func plain(_ value: Double) -> String { Int(exactly: value).map(String.init) ?? "\(value)" }
