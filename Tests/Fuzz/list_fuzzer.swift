// libFuzzer target over lists of paths and CSV tables. A list has to give what splitting its lines gives; a table, what it
// gives once more when its records are written with every field quoted.
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
    var table = try ImageTable(CSVReader(bytes), name: "x.csv")
    try table.readRows()
    let (names, labels) = table.classes.finished()
    require(labels.isEmpty || labels.count == table.paths.count && labels.allSatisfy { names.indices.contains(Int($0)) })
  } catch {
    require(error.kind == .unusable && !error.description.contains("\n"))
  }
}

private func checkList(_ bytes: [UInt8]) {
  // A list with zero bytes is refused before it gets here.
  let text = bytes.filter { $0 != 0 }
  let expected = text.split(separator: 0x0a).map { $0.last == 0x0d ? $0.dropLast() : $0 }.filter { !$0.isEmpty }.map(Array.init)
  let table = PathTable(lines: text)
  require((0..<table.count).map { table.withPath($0) { Array($0) } } == expected)
}

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>, _ size: Int) -> Int32 {
  let bytes = Array(UnsafeBufferPointer(start: data, count: size))
  checkTable(bytes)
  checkList(bytes)
  return 0
}
