#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include "swav.h"

namespace {

// A filter that leaves nothing, as after a case was renamed, is an error: nothing was tested.
struct Counter : doctest::IReporter {
  static inline unsigned chosen = 0;
  explicit Counter(const doctest::ContextOptions&) {}
  void report_query(const doctest::QueryData&) override { chosen = 1; }
  void test_run_start() override {}
  void test_run_end(const doctest::TestRunStats& stats) override { chosen = stats.numTestCasesPassingFilters; }
  void test_case_start(const doctest::TestCaseData&) override {}
  void test_case_reenter(const doctest::TestCaseData&) override {}
  void test_case_end(const doctest::CurrentTestCaseStats&) override {}
  void test_case_exception(const doctest::TestCaseException&) override {}
  void subcase_start(const doctest::SubcaseSignature&) override {}
  void subcase_end() override {}
  void log_assert(const doctest::AssertData&) override {}
  void log_message(const doctest::MessageData&) override {}
  void test_case_skipped(const doctest::TestCaseData&) override {}
};
REGISTER_LISTENER("counter", 1, Counter);

}  // namespace

// Under mpirun every rank runs the tests that were asked for, and ends MPI as a launcher wants it.
int main(int argc, char** argv) {
  const int found = doctest::Context(argc, argv).run(), result = Counter::chosen > 0 ? found : 2;
  return swav_mpi_ranks() <= 1 || swav_mpi_close() == SWAV_OK ? result : 1;
}
