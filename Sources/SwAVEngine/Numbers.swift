import Foundation
import Glibc

/// The middle one; of an even number the upper of the two. 0 of none.
package func median(_ values: [Double]) -> Double {
  values.isEmpty ? 0 : values.sorted()[values.count / 2]
}

/// Cores that this process may use.
package func availableCores() -> Int { max(1, (try? Runtime.info().cores) ?? 1) }

/// Largest resident memory of this process so far, in GiB.
package func peakResidentGiB() -> Double {
  var usage = rusage()
  getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
  return Double(usage.ru_maxrss) / 1_048_576
}

/// A number with so many digits behind the point.
package func decimals(_ value: Double, _ digits: Int) -> String { String(format: "%.\(digits)f", value) }

/// A number with three digits that count: "0.00123", "1.2e-07".
package func scientific(_ value: Double) -> String { String(format: "%.3g", value) }
