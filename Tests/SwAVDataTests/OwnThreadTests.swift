import Foundation
import SwAVEngine
import Synchronization
import Testing

@Suite struct OwnThreadTests {
  @Test func aThreadHasTheNameAndTheStackThatItIsGiven() throws {
    let ended = DispatchSemaphore(value: 0)
    let name = Mutex("")
    try startThread("swav-test", stackSize: 1 << 20) {
      let text = (try? String(contentsOfFile: "/proc/thread-self/comm", encoding: .utf8)) ?? ""
      name.withLock { $0 = text }
      ended.signal()
    }
    ended.wait()
    #expect(name.withLock { $0 } == "swav-test\n")
  }

  @Test func aThreadThatCannotStartIsAnError() {
    // No address space has room for the stack.
    let error = #expect(throws: EngineError.self) { try startThread("swav-test", stackSize: 1 << 46) {} }
    #expect(error?.code == .memory && error?.message.hasPrefix("no thread can be started: ") == true)
  }
}
