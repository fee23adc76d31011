/// At most `limit` of 0..<count, evenly spaced.
package func spread(_ limit: Int, over count: Int) -> [Int] {
  count <= limit ? Array(0..<count) : (0..<limit).map { $0 * count / limit }
}
