/// The class names of samples, met one after the other.
struct ClassIndex {
  private var numbers: [[UInt8]: Int32] = [:]
  private var labels: [Int32] = []
  private var last: (name: [UInt8], number: Int32)?
  private var lacksSome = false

  init() {}

  /// The class of the next sample; nil where it has none.
  mutating func append(_ name: (some Collection<UInt8>)?) {
    guard let name, !name.isEmpty, !lacksSome else {
      // Classes only where every image has one: nothing more needs to be kept.
      (lacksSome, numbers, labels) = (true, [:], [])
      return
    }
    if let last, last.name.elementsEqual(name) { return labels.append(last.number) }
    let key = Array(name)
    let number = numbers[key] ?? Int32(numbers.count)
    numbers[key] = number
    last = (key, number)
    labels.append(number)
  }

  /// Names in order, of numbers by their value and otherwise by their bytes, and the class of each sample. Both empty unless
  /// every sample has a class.
  consuming func finished() -> (names: [String], labels: [Int32]) {
    guard !lacksSome else { return ([], []) }
    let found = numbers.map { (name: $0.key, number: $0.value) }
    let values = found.compactMap { Int(String(decoding: $0.name, as: UTF8.self)) }
    let order: [Int]
    if values.count == found.count {
      order = found.indices.sorted { (values[$0], found[$0].number) < (values[$1], found[$1].number) }
    } else {
      order = found.indices.sorted { found[$0].name.lexicographicallyPrecedes(found[$1].name) }
    }
    var place = [Int32](repeating: 0, count: found.count)
    for (index, entry) in order.enumerated() { place[Int(found[entry].number)] = Int32(index) }
    for index in labels.indices { labels[index] = place[Int(labels[index])] }
    return (order.map { printable(found[$0].name) }, labels)
  }
}
