// MPI as a communicator, loaded at run time where a launcher (mpirun, srun) has started this process as one of several: no
// header of an MPI is needed to build, and no library to run alone.
//
// The standard fixes functions, not the values of handles and constants: those come in two families, which are what libraries
// are binary compatible by. Open MPI's handles are addresses of objects in its library (libmpi.so.40, versions 3 to 5). Those
// of MPICH's family (libmpi.so.12, or Debian's libmpich.so.12: MPICH, Intel MPI, MVAPICH, Cray) are numbers that the members
// have agreed to keep. Both are written down here, so that one build runs under either; a piece compiled against mpi.h would
// run under the one it was compiled for.
#pragma once

#include <cstdint>

#include "swav.h"

namespace swav {

// How many processes the launcher that started this one says there are, by the variables that it sets for each; 1 without one.
int32_t launched_ranks();

// Starts MPI, once in a process, and gives its functions. Throws SWAV_ERROR_UNSUPPORTED where there is no library, or where it
// is not the launcher's: that would make a group of one of each process.
swav_communicator open_mpi();
// Waits for all ranks to get here. Does nothing where MPI was not started.
void close_mpi();
// Calls `late` on a thread of its own where a function of open_mpi has taken `seconds`; NULL ends that, as closing does. Does
// nothing where MPI was not started.
void watch_mpi(double seconds, void (*late)(void* context, double waited), void* context);
// Ends all processes of the group with this exit code; this one too, which returns only where MPI was not started.
void abort_mpi(int32_t code);

}  // namespace swav
