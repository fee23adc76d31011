#include "api/api.h"
#include "comm/mpi.h"

using namespace swav;

extern "C" {

int32_t swav_mpi_ranks(void) { return launched_ranks(); }

// Not on the engine thread: the first call of a program may come from any of its threads.
swav_status swav_mpi_open(swav_communicator* communicator) {
  return api::guarded([&] {
    api::check_pointers("swav_mpi_open", {{"communicator", communicator}});
    *communicator = open_mpi();
  });
}

swav_status swav_mpi_close(void) { return api::guarded(close_mpi); }

swav_status swav_mpi_watch(double seconds, void (*late)(void* context, double waited), void* context) {
  return api::guarded([&] { watch_mpi(seconds, late, context); });
}

void swav_mpi_abort(int32_t exit_code) { abort_mpi(exit_code); }

}  // extern "C"
