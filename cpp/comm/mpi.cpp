#include "comm/mpi.h"

#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <vector>

#include "base/function_ref.h"
#include "base/number.h"
#include "base/status.h"
#include "comm/late.h"

namespace swav {
namespace {

// Handles: an address, or a number that the callee reads the lower half of.
using Handle = intptr_t;

struct Library {
  const char* name = nullptr;
  Handle world, bytes, floats, doubles, sum, errors_return;
  void* in_place;
  void* statuses_ignore;
  size_t request_bytes;
  int (*MPI_Initialized)(int*);
  int (*MPI_Finalized)(int*);
  int (*MPI_Init_thread)(int*, char***, int wanted, int* provided);
  int (*MPI_Query_thread)(int* provided);
  int (*MPI_Finalize)();
  int (*MPI_Abort)(Handle, int);
  int (*MPI_Comm_rank)(Handle, int*);
  int (*MPI_Comm_size)(Handle, int*);
  int (*MPI_Comm_dup)(Handle, Handle*);
  int (*MPI_Comm_set_errhandler)(Handle, Handle);
  int (*MPI_Error_string)(int, char*, int*);
  int (*MPI_Allreduce)(const void*, void*, int, Handle type, Handle operation, Handle);
  int (*MPI_Allgather)(const void*, int, Handle, void*, int, Handle, Handle);
  int (*MPI_Alltoall)(const void*, int, Handle, void*, int, Handle, Handle);
  int (*MPI_Isend)(const void*, int, Handle type, int to, int tag, Handle, void* request);
  int (*MPI_Irecv)(void*, int, Handle type, int from, int tag, Handle, void* request);
  int (*MPI_Waitall)(int, void* requests, void* statuses);
  int (*MPI_Testall)(int, void* requests, int* all, void* statuses);
  int (*MPI_Bcast)(void*, int, Handle, int root, Handle);
  int (*MPI_Barrier)(Handle);
};

constexpr int serialized = 2;                        // calls of several threads, one at a time
constexpr int64_t piece_bytes = int64_t{128} << 10;  // of a long message
constexpr int tag = 1, first_begun_tag = 2;          // of messages; those of what is begun follow
constexpr int tags = 8;                              // that callers of begin use
constexpr int64_t most_count = int64_t{1} << 30;     // numbers of a call, which counts in an int
constexpr unsigned abort_seconds = 10;               // after which SIGALRM ends this process, and so the job
constexpr int most_error_string = 8192;              // above the MPI_MAX_ERROR_STRING of both families

template <class F>
bool find(void* library, const char* name, F*& function) {
  function = reinterpret_cast<F*>(dlsym(library, name));
  return function != nullptr;
}

Handle address(void* library, const char* name) { return reinterpret_cast<Handle>(dlsym(library, name)); }

bool fill(void* handle, Library& l) {
  if (dlsym(handle, "ompi_mpi_comm_world") != nullptr) {
    l.world = address(handle, "ompi_mpi_comm_world");
    l.bytes = address(handle, "ompi_mpi_byte");
    l.floats = address(handle, "ompi_mpi_float");
    l.doubles = address(handle, "ompi_mpi_double");
    l.sum = address(handle, "ompi_mpi_op_sum");
    l.errors_return = address(handle, "ompi_mpi_errors_return");
    l.in_place = reinterpret_cast<void*>(intptr_t{1});
    l.statuses_ignore = nullptr;
    l.request_bytes = sizeof(void*);
    if (!l.bytes || !l.floats || !l.doubles || !l.sum || !l.errors_return) return false;
  } else {
    l.world = 0x44000000;
    l.bytes = 0x4c00010d;
    l.floats = 0x4c00040a;
    l.doubles = 0x4c00080b;
    l.sum = 0x58000003;
    l.errors_return = 0x54000001;
    l.in_place = reinterpret_cast<void*>(intptr_t{-1});
    l.statuses_ignore = reinterpret_cast<void*>(intptr_t{1});
    l.request_bytes = sizeof(int);
  }
#define SWAV_FIND(name) find(handle, #name, l.name)
  return SWAV_FIND(MPI_Initialized) && SWAV_FIND(MPI_Finalized) && SWAV_FIND(MPI_Init_thread) && SWAV_FIND(MPI_Query_thread) &&
         SWAV_FIND(MPI_Finalize) && SWAV_FIND(MPI_Abort) && SWAV_FIND(MPI_Comm_rank) && SWAV_FIND(MPI_Comm_size) &&
         SWAV_FIND(MPI_Comm_dup) && SWAV_FIND(MPI_Comm_set_errhandler) && SWAV_FIND(MPI_Error_string) &&
         SWAV_FIND(MPI_Allreduce) && SWAV_FIND(MPI_Allgather) && SWAV_FIND(MPI_Alltoall) && SWAV_FIND(MPI_Isend) &&
         SWAV_FIND(MPI_Irecv) && SWAV_FIND(MPI_Waitall) && SWAV_FIND(MPI_Testall) && SWAV_FIND(MPI_Bcast) &&
         SWAV_FIND(MPI_Barrier);
#undef SWAV_FIND
}

// What launchers tell each process that they start.
const char* variable(const char* name) {
  const char* text = std::getenv(name);
  return text && *text ? text : nullptr;
}

int32_t number(const char* name) {
  const char* text = variable(name);
  return text ? number_of<int32_t>(text).value_or(0) : 0;
}

// Open MPI's plug-ins look for its symbols among those of the process. The library stays: it has threads of its own.
Library load() {
  const char* const both[] = {"libmpi.so.40", "libmpi.so.12", "libmpich.so.12", "libmpi.so"};
  const char* const other[] = {"libmpi.so.12", "libmpich.so.12", "libmpi.so.40", "libmpi.so"};
  const bool mpich = number("OMPI_COMM_WORLD_SIZE") == 0 && number("PMI_SIZE") > 0;
  for (const char* name : mpich ? other : both) {
    void* const handle = dlopen(name, RTLD_NOW | RTLD_GLOBAL | RTLD_NODELETE);
    Library library;
    if (handle == nullptr || !fill(handle, library)) continue;
    library.name = name;
    return library;
  }
  fail(SWAV_ERROR_UNSUPPORTED,
       "a launcher started %d processes, and this machine has no MPI library: install Open MPI (Debian and Ubuntu: "
       "openmpi-bin) or "
       "MPICH 3.3 or later on every host",
       launched_ranks());
}

struct Transfer {
  std::vector<char> requests;
  int count = 0;
};

struct World {
  std::mutex mutex;
  bool open = false;
  Library library;
  Handle group = 0;                      // the ranks, with messages apart from those of the host's own
  Transfer whole;                        // that a call begins and ends
  std::array<Transfer, tags> transfers;  // that calls begin and others end
  swav_communicator functions{};
  std::string message;
  LateWatch late;
};

World& world() {
  // Never destroyed: a step may be under way when the process ends, and MPI_Abort may end it on the thread of the watch.
  static World* instance = new World;
  return *instance;
}

// MPI's own words for a failure.
swav_status checked(int code) {
  if (code == 0) return SWAV_OK;
  World& w = world();
  char text[most_error_string] = {};
  int length = 0;
  w.library.MPI_Error_string(code, text, &length);
  w.message = std::string("MPI failed: ") + text;
  std::replace(w.message.begin(), w.message.end(), '\n', ' ');
  return SWAV_ERROR_IO;
}

swav_status sum(void*, void* values, int64_t count, bool doubles) {
  const LateWatch::Call call(world().late);
  const Library& l = world().library;
  for (int64_t begin = 0; begin < count; begin += most_count) {
    void* at = static_cast<char*>(values) + begin * int64_t(doubles ? sizeof(double) : sizeof(float));
    const int some = int(std::min(most_count, count - begin));
    if (const swav_status s =
            checked(l.MPI_Allreduce(l.in_place, at, some, doubles ? l.doubles : l.floats, l.sum, world().group)))
      return s;
  }
  return SWAV_OK;
}

swav_status too_long(int64_t bytes) {
  world().message = "a message of " + std::to_string(bytes) + " bytes; at most " + std::to_string(most_count) + " go to a rank";
  return SWAV_ERROR_LIMIT;
}

// Begins to send `bytes` from sent + stride * rank to each other rank, and to receive as many of each. In pieces that are all
// under way at once: before a long message MPI asks the receiver whether it is ready, and over TCP the answer to a single one
// waits behind what goes the other way.
swav_status start(Transfer& transfer, int tag, const char* sent, int64_t stride, int64_t bytes, char* received) {
  World& w = world();
  const Library& l = w.library;
  const int rank = w.functions.rank, size = w.functions.size;
  const int64_t pieces = (bytes + piece_bytes - 1) / piece_bytes;
  transfer.requests.resize(size_t(2 * pieces * (size - 1)) * l.request_bytes);
  transfer.count = 0;
  int code = 0;
  const auto request = [&] { return transfer.requests.data() + size_t(transfer.count++) * l.request_bytes; };
  for (int64_t begin = 0; begin < bytes && code == 0; begin += piece_bytes) {
    const int some = int(std::min(piece_bytes, bytes - begin));
    for (int step = 1; step < size && code == 0; ++step) {
      const int from = (rank + size - step) % size, to = (rank + step) % size;
      code = l.MPI_Irecv(received + from * bytes + begin, some, l.bytes, from, tag, w.group, request());
      if (code == 0) code = l.MPI_Isend(sent + to * stride + begin, some, l.bytes, to, tag, w.group, request());
    }
  }
  if (code != 0) return checked(code);
  std::memcpy(received + rank * bytes, sent + rank * stride, size_t(bytes));
  return SWAV_OK;
}

swav_status finish(Transfer& transfer) {
  const Library& l = world().library;
  return checked(l.MPI_Waitall(transfer.count, transfer.requests.data(), l.statuses_ignore));
}

swav_status trade(const void* sent, int64_t stride, int64_t bytes, void* received) {
  Transfer& whole = world().whole;
  if (const swav_status s = start(whole, tag, static_cast<const char*>(sent), stride, bytes, static_cast<char*>(received)))
    return s;
  return finish(whole);
}

swav_status gather(void*, const void* mine, int64_t bytes, void* all) {
  const LateWatch::Call call(world().late);
  const Library& l = world().library;
  if (bytes > most_count) return too_long(bytes);
  if (bytes > piece_bytes) {
    return trade(mine, 0, bytes, all);
  }
  return checked(l.MPI_Allgather(mine, int(bytes), l.bytes, all, int(bytes), l.bytes, world().group));
}

swav_status exchange(void*, const void* parts, int64_t bytes, void* received) {
  const LateWatch::Call call(world().late);
  const Library& l = world().library;
  if (bytes > most_count) return too_long(bytes);
  if (bytes > piece_bytes) {
    return trade(parts, bytes, bytes, received);
  }
  return checked(l.MPI_Alltoall(parts, int(bytes), l.bytes, received, int(bytes), l.bytes, world().group));
}

swav_status broadcast(void*, void* values, int64_t bytes, int32_t root) {
  const LateWatch::Call call(world().late);
  const Library& l = world().library;
  for (int64_t begin = 0; begin < bytes; begin += most_count) {
    const int some = int(std::min(most_count, bytes - begin));
    if (const swav_status s = checked(l.MPI_Bcast(static_cast<char*>(values) + begin, some, l.bytes, root, world().group)))
      return s;
  }
  return SWAV_OK;
}

swav_status barrier(void*) {
  const LateWatch::Call call(world().late);
  return checked(world().library.MPI_Barrier(world().group));
}

// Where one of `tags` is asked for.
swav_status with_transfer(int32_t tag, FunctionRef<swav_status(Transfer&)> body) {
  if (tag >= 0 && tag < tags) return body(world().transfers[size_t(tag)]);
  world().message = "tag is " + std::to_string(tag) + "; 0 to " + std::to_string(tags - 1) + " is allowed";
  return SWAV_ERROR_ARGUMENT;
}

swav_status begin(void*, int32_t tag, const void* sent, int64_t stride, int64_t bytes, void* received) {
  if (bytes > most_count) return too_long(bytes);
  return with_transfer(tag, [&](Transfer& transfer) {
    return start(transfer, first_begun_tag + tag, static_cast<const char*>(sent), stride, bytes, static_cast<char*>(received));
  });
}

swav_status advance(void*, int32_t tag, bool wait, bool* done) {
  return with_transfer(tag, [&](Transfer& transfer) {
    if (wait) {
      const LateWatch::Call call(world().late);
      *done = true;
      return finish(transfer);
    }
    const Library& l = world().library;
    int all = 0;
    const swav_status status = checked(l.MPI_Testall(transfer.count, transfer.requests.data(), &all, l.statuses_ignore));
    *done = all != 0;
    return status;
  });
}

const char* message(void*) { return world().message.c_str(); }

void require_ok(int code) {
  if (const swav_status status = checked(code)) fail(status, "%s", world().message.c_str());
}

}  // namespace

int32_t launched_ranks() {
  // A script under sbatch sees the variables of the job, SLURM_NTASKS among them; a step that srun made has some of its own.
  const int32_t step = variable("SLURM_STEP_ID") && variable("SLURM_PROCID") ? number("SLURM_STEP_NUM_TASKS") : 0;
  return std::max({1, number("OMPI_COMM_WORLD_SIZE"), number("PMI_SIZE"), step});
}

swav_communicator open_mpi() {
  World& w = world();
  const std::lock_guard lock(w.mutex);
  if (w.open) return w.functions;
  w.library = load();
  const Library& l = w.library;
  int done = 0, provided = serialized, rank = 0, size = 1;
  require_ok(l.MPI_Initialized(&done));
  require_ok(done ? l.MPI_Query_thread(&provided) : l.MPI_Init_thread(nullptr, nullptr, serialized, &provided));
  if (provided < serialized)
    fail(SWAV_ERROR_UNSUPPORTED, "%s %s for programs of one thread; calls of several, one at a time, are needed", l.name,
         done ? "was initialised" : "was built");
  require_ok(l.MPI_Comm_dup(l.world, &w.group));
  require_ok(l.MPI_Comm_set_errhandler(w.group, l.errors_return));
  require_ok(l.MPI_Comm_rank(w.group, &rank));
  require_ok(l.MPI_Comm_size(w.group, &size));
  if (size != launched_ranks() && launched_ranks() > 1) {
    fail(
        SWAV_ERROR_UNSUPPORTED,
        "the launcher started %d processes and %s sees %d: it is not the launcher's MPI; use the mpirun that belongs to it, or "
        "srun --mpi=pmix or pmi2",
        launched_ranks(), l.name, size);
  }
  w.functions = {nullptr, rank, size, sum, gather, exchange, broadcast, barrier, message, begin, advance};
  w.open = true;
  return w.functions;
}

void close_mpi() {
  World& w = world();
  const std::lock_guard lock(w.mutex);
  if (!w.open) return;
  w.open = false;
  w.late.stop();
  int done = 0;
  require_ok(w.library.MPI_Finalized(&done));
  if (!done) require_ok(w.library.MPI_Finalize());
}

void watch_mpi(double seconds, void (*late)(void* context, double waited), void* context) {
  World& w = world();
  const std::lock_guard lock(w.mutex);
  if (!w.open) return;
  if (late == nullptr) return w.late.stop();
  if (!(seconds > 0)) fail(SWAV_ERROR_ARGUMENT, "seconds is %g; more than 0 are allowed", seconds);
  w.late.start(seconds, late, context);
}

void abort_mpi(int32_t code) {
  World& w = world();
  if (!w.open) return;
  // A library whose other thread is inside a call may not come back from this either.
  alarm(abort_seconds);
  w.library.MPI_Abort(w.library.world, code);
}

}  // namespace swav
