package import CSwAV

/// What the engine refused and why: one line that names the argument, its value and what would be right.
///
/// The only file that reads `swav_error_message`.
public struct EngineError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The kind of failure. Open: a later engine may report kinds that this version does not name.
  public struct Code: RawRepresentable, Sendable, Hashable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// A value outside what the function allows.
    public static let argument = Code(rawValue: SWAV_ERROR_ARGUMENT.rawValue)
    /// The operating system refused to open, read, write, flush or rename a file.
    public static let io = Code(rawValue: SWAV_ERROR_IO.rawValue)
    /// Bytes that are not what they claim: a damaged image, truncated weights, a wrong shape.
    public static let format = Code(rawValue: SWAV_ERROR_FORMAT.rawValue)
    /// Well-formed, but not something this build can do.
    public static let unsupported = Code(rawValue: SWAV_ERROR_UNSUPPORTED.rawValue)
    /// More pixels, dimensions or bytes than the stated limit.
    public static let limit = Code(rawValue: SWAV_ERROR_LIMIT.rawValue)
    /// An allocation failed.
    public static let memory = Code(rawValue: SWAV_ERROR_MEMORY.rawValue)
    /// A value is not finite; the message names the first stage where it appeared.
    public static let numeric = Code(rawValue: SWAV_ERROR_NUMERIC.rawValue)
    /// A defect of the engine.
    public static let `internal` = Code(rawValue: SWAV_ERROR_INTERNAL.rawValue)
    /// Called off by a ``Cancellation``.
    public static let cancelled = Code(rawValue: SWAV_ERROR_CANCELLED.rawValue)
  }

  public let code: Code
  /// One line, without the newline.
  public let message: String

  public init(code: Code, message: String) {
    self.code = code
    self.message = message
  }

  public var description: String { message }
}

/// Turns the status of a call into a thrown error. Called on the line of the call itself: the message belongs to this
/// thread's last failing call.
package func check(_ status: swav_status) throws(EngineError) {
  guard status != SWAV_OK else { return }
  throw EngineError(code: .init(rawValue: status.rawValue), message: String(cString: swav_error_message()))
}

/// The text of a fixed-size, zero-terminated C array such as `char isa[16]`.
package func text<T>(_ characters: T) -> String {
  withUnsafeBytes(of: characters) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
}

/// Copies up to `count` numbers into a C array that Swift sees as a tuple; what is left keeps its value.
package func fill<Tuple, Element: BitwiseCopyable>(_ tuple: inout Tuple, with values: [Element]) {
  withUnsafeMutableBytes(of: &tuple) { bytes in
    let slots = bytes.bindMemory(to: Element.self)
    for (index, value) in values.prefix(slots.count).enumerated() { slots[index] = value }
  }
}

/// The first `count` numbers of a C array that Swift sees as a tuple.
package func values<Tuple, Element: BitwiseCopyable>(_ tuple: Tuple, count: Int, as type: Element.Type) -> [Element] {
  withUnsafeBytes(of: tuple) { Array($0.bindMemory(to: Element.self).prefix(count)) }
}
