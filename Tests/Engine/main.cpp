#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include "swav.h"

// Under mpirun every rank runs the tests that were asked for, and ends MPI as a launcher wants it.
int main(int argc, char** argv) {
  const int result = doctest::Context(argc, argv).run();
  return swav_mpi_ranks() <= 1 || swav_mpi_close() == SWAV_OK ? result : 1;
}
