import Foundation

/// The classes of all samples of a source; there are none where some samples lack one.
struct Classes: Sendable {
  var names: [String] = []
  /// Index into `names` for each sample; empty without classes.
  var labels: [Int32] = []
  var remarks: [SourceRemark] = []
}

/// The class names of samples, met one after the other: 4 bytes a sample once one has a class.
///
/// Names are compared as text: spellings that differ only in their Unicode form ("é" as one character or as "e" with an accent,
/// as names become on some file systems) are one class, and that is said. Bytes that are not UTF-8 are kept apart and shown
/// escaped.
struct ClassIndex {
  private var numbers: [[UInt8]: Int32] = [:]
  /// The names' numbers; `none` for a sample without a class. Empty until the first sample that has one.
  private var labels: [Int32] = []
  private(set) var count = 0
  private var last: (name: [UInt8], number: Int32)?

  private static let none: Int32 = -1

  init() {}

  /// Whether no sample has a class.
  var isEmpty: Bool { numbers.isEmpty }

  /// The class of the next sample; nil or empty where it has none.
  mutating func append(_ name: (some Collection<UInt8>)?) {
    count += 1
    guard let name, !name.isEmpty else {
      if !labels.isEmpty { labels.append(ClassIndex.none) }
      return
    }
    begin()
    labels.append(number(of: name))
  }

  /// Whether sample `sample` has none so far.
  func lacks(_ sample: Int) -> Bool { labels.isEmpty || labels[sample] == ClassIndex.none }

  /// Gives an earlier sample a class.
  mutating func set(_ name: [UInt8], for sample: Int) {
    guard !name.isEmpty else { return }
    if labels.isEmpty { labels = Array(repeating: ClassIndex.none, count: count) }
    labels[sample] = number(of: name)
  }

  /// Gives a sample the class of another one, which may have none.
  mutating func copy(from sample: Int, to other: Int) {
    if !labels.isEmpty { labels[other] = labels[sample] }
  }

  /// Forgets samples, given in order; those behind move up.
  mutating func remove(_ samples: [Int]) {
    count -= samples.count
    if !labels.isEmpty { labels.removeElements(at: samples) }
  }

  /// The samples before the present one have no class.
  private mutating func begin() {
    if labels.isEmpty { labels = Array(repeating: ClassIndex.none, count: count - 1) }
  }

  private mutating func number(of name: some Collection<UInt8>) -> Int32 {
    if let last, last.name.elementsEqual(name) { return last.number }
    let key = Array(name)
    let number = numbers[key] ?? Int32(numbers.count)
    numbers[key] = number
    last = (key, number)
    return number
  }

  /// How the names are put in order.
  enum Order {
    case byBytes
    /// By value where all are numbers, else by bytes.
    case byValue
  }

  /// The classes in order. Where some samples lack one there are none, and `obstacle` says why, given the first of them and
  /// how many they are; where all lack one nothing is said: such data are not meant to have classes.
  consuming func finished(_ order: Order, obstacle: (_ first: Int, _ lacking: Int) -> String) -> Classes {
    let lacking = labels.isEmpty ? count : labels.count { $0 == ClassIndex.none }
    guard lacking == 0 else {
      guard lacking < count else { return Classes() }
      let first = labels.firstIndex(of: ClassIndex.none) ?? 0
      return Classes(remarks: [SourceRemark(.noClasses, "no classes, because of " + obstacle(first, lacking))])
    }
    // A name that is left by no sample is no class.
    var isUsed = [Bool](repeating: false, count: numbers.count)
    for label in labels { isUsed[Int(label)] = true }
    let used = numbers.filter { isUsed[Int($0.value)] }.map { (name: canonical($0.key), number: Int($0.value)) }
    // Swift compares texts by canonical equivalence.
    let joined = used.reduce(into: [String: Int]()) { $0[$1.name, default: 0] += 1 }
    let names = ClassIndex.sorted(Array(joined.keys), order)
    let place = Dictionary(uniqueKeysWithValues: names.enumerated().map { ($1, Int32($0)) })
    var target = [Int32](repeating: 0, count: numbers.count)
    for entry in used { target[entry.number] = place[entry.name] ?? 0 }
    for index in labels.indices { labels[index] = target[Int(labels[index])] }
    let remarks = names.filter { joined[$0] ?? 0 > 1 }.map { name in
      SourceRemark(
        .joinedClasses, "class '\(name)' is spelled in \(joined[name] ?? 0) Unicode forms, which are taken as one class")
    }
    return Classes(names: names, labels: labels, remarks: remarks)
  }

  private static func sorted(_ names: [String], _ order: Order) -> [String] {
    let byBytes = names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    let values = byBytes.compactMap(number)
    guard order == .byValue, values.count == names.count else { return byBytes }
    return byBytes.indices.sorted { (values[$0], $0) < (values[$1], $1) }.map { byBytes[$0] }
  }

  /// "-3", "12" or "2.0"; no words that stand for numbers, as "nan".
  private static func number(_ name: String) -> Double? {
    name.utf8.allSatisfy { (0x30...0x39).contains($0) || $0 == 0x2e || $0 == 0x2d } ? Double(name) : nil
  }
}

/// A class name as text, composed (NFC): "e" with an accent is "é".
private func canonical(_ name: [UInt8]) -> String {
  let text = printable(name)
  return text.utf8.allSatisfy { $0 < 0x80 } ? text : text.precomposedStringWithCanonicalMapping
}

extension Array {
  /// Removes the elements at the places, which are in ascending order.
  mutating func removeElements(at places: [Int]) {
    guard var target = places.first else { return }
    var next = 0
    for index in target..<count {
      if next < places.count, places[next] == index {
        next += 1
      } else {
        self[target] = self[index]
        target += 1
      }
    }
    removeLast(count - target)
  }
}
