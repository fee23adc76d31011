// libFuzzer target over lists of paths and tables. A list without quotes, addresses and labels has to give what splitting its lines
// gives; a table, what it gives once more when its records are written with every field quoted.
//   make fuzz

/// A promise is broken: libFuzzer saves the input.
private func require(_ condition: Bool) {
  if !condition { fatalError("a promise is broken") }
}

private func records(_ bytes: [UInt8]) -> [[[UInt8]]]? {
  var (reader, fields, all) = (CSVReader(bytes), [[UInt8]](), [[[UInt8]]]())
  do {
    while try reader.next(&fields) { all.append(fields) }
  } catch {
    require(!error.reason.isEmpty && reader.line >= 1)
    return nil
  }
  return all
}

private func quoted(_ field: [UInt8]) -> [UInt8] {
  let quote = UInt8(ascii: "\"")
  return [quote] + field.flatMap { $0 == quote ? [quote, quote] : [$0] } + [quote]
}

private func checkTable(_ bytes: [UInt8]) {
  if let found = records(bytes) {
    require(found.allSatisfy { !$0.isEmpty })
    let written = found.flatMap { Array($0.map(quoted).joined(separator: [UInt8(ascii: ",")])) + [0x0d, 0x0a] }
    require(records(written) == found)
  }
  do {
    var table = try ImageTable(bytes, name: "x.csv")
    try table.readRows()
    let count = table.paths.count
    check(table.takeClasses(), count)
  } catch {
    require(error.kind == .unusable && !error.description.contains("\n"))
  }
}

private func check(_ index: ClassIndex, _ count: Int) {
  let classes = index.finished(.byValue) { first, lacking in
    require((0..<count).contains(first) && (1..<count).contains(lacking))
    return "\(first)"
  }
  require(classes.labels.isEmpty || classes.labels.count == count)
  require(
    classes.labels.allSatisfy { classes.names.indices.contains(Int($0)) } && Set(classes.names).count == classes.names.count)
}

private func checkList(_ bytes: [UInt8]) {
  // A list with zero bytes is refused before it gets here.
  let text = bytes.filter { $0 != 0 }
  let lines = text.split(separator: 0x0a).map { line in
    let rest = line.drop { $0 <= 0x20 }
    return Array(rest.lastIndex { $0 > 0x20 }.map { rest[...$0] } ?? [])
  }.filter { !$0.isEmpty }
  do {
    var list = try ListLines(text, name: "x.txt")
    let found = (0..<list.paths.count).map { list.paths.withPath($0) { Array($0) } }
    require(found.allSatisfy { !$0.isEmpty && !$0.contains(0x0a) } && found.count <= lines.count)
    let classes = list.takeClasses()
    let isPlain = !text.contains { $0 == 0x22 || $0 == 0x27 || $0 == 0x3a } && classes.isEmpty
    require(!isPlain || found == lines)
    if !classes.isEmpty, found.count == lines.count { check(classes, found.count) }
  } catch {
    require(error.kind == .unusable && !error.description.contains("\n"))
  }
}

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>, _ size: Int) -> Int32 {
  let bytes = Array(UnsafeBufferPointer(start: data, count: size))
  checkTable(bytes)
  checkList(bytes)
  return 0
}
