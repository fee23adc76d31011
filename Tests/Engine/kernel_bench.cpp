// A measurement, not a test: every row of the kernel table alone, on one core, with its arrays in the caches near it.
//   kernel_bench [NAME...] [--n 1024]      tiles: the bodies of bfloat16's register tiles
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "base/arena.h"
#include "kernel_rows.h"
#include "kernel_samples.h"
#include "kernel_samples_bfloat.h"
#include "kernels/tiles.h"

using namespace swav;
using namespace swav::test;

namespace {

double seconds_of(const std::function<void()>& call, int count) {
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < count; ++i) call();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// Seconds of a call: the least of some turns of about 2 ms, arrays as they were before each of at most 16 calls.
template <Row row>
double seconds(const Kernels& kernel, int64_t n, int64_t& bytes) {
  SampleMemory memory(false);
  const std::function<void()> call = sample<row>(kernel, memory, n);
  bytes = memory.bytes();
  double least = 1e9;
  for (int turn = 0; turn < 5; ++turn) {
    double total = 0;
    int64_t calls = 0;
    while (total < 2e-3) {
      memory.restore();
      total += seconds_of(call, 16);
      calls += 16;
    }
    least = std::min(least, total / double(calls));
  }
  return least;
}

template <Row row>
void print_row(int64_t n) {
  std::printf("%-26s", row_names[int(row)]);
  std::vector<const Kernels*> tables;
  for (Isa isa : every_isa) tables.push_back(runs(isa) ? &kernels(isa) : nullptr);
  tables.push_back(rounding_stand_in());
  for (const Kernels* table : tables) {
    if (table == nullptr || (row == Row::fused_quads && !runs_quads(*table))) {
      std::printf("  %20s", "-");
      continue;
    }
    int64_t bytes = 0;
    const double time = seconds<row>(*table, n, bytes);
    std::printf("  %9.0f ns %6.1f", time * 1e9, double(bytes) / time * 1e-9);
  }
  std::printf("\n");
}

// The bodies of tiles of bfloat16, of which one takes floats: GFLOP/s of full register tiles that pass over a panel of B again
// and again.
void print_tiles() {
  std::printf("\nregister tiles of bfloat16, GFLOP/s   %10s %10s %10s\n", "64 words", "256", "1024");
  const TileBodies all = tile_bodies();
  for (int i = 0; i < all.count; ++i) {
    const TileKernels& body = *all.bodies[i];
    std::printf("%-36s", body.name);
    for (int64_t words : {64, 256, 1024}) {
      constexpr int64_t tiles = 4;
      const int rows = body.tile.rows, columns = body.tile.columns;
      const int64_t stride = row_stride(words);  // in floats, which are words
      Arena arena;  // aligned as the engine's own arrays: a row of a tile that crosses lines costs AMX three times as much
      float *a = nullptr, *c = nullptr;
      bfloat16* b = nullptr;
      arena.lay_out([&] {
        a = arena.take<float>(tiles * rows * stride);
        b = arena.take<bfloat16>(words * columns * 2);
        c = arena.take<float>(rows * columns);
      });
      std::fill(b, b + words * columns * 2, to_bfloat16(1.0f));
      TileSession session(body);
      double least = 1e9;
      for (int turn = 0; turn < 5; ++turn) {
        constexpr int rounds = 40;
        const double time = seconds_of(
            [&] {
              for (int64_t tile = 0; tile < tiles; ++tile) {
                const char* first = reinterpret_cast<const char*>(a + tile * rows * stride);
                const ProductSegment segment{first, 4 * stride, words};
                session.product(&segment, 1, b, rows, c, columns, false);
              }
            },
            rounds);
        least = std::min(least, time / rounds);
      }
      std::printf(" %10.1f", double(2 * body.numbers * words * rows * columns * tiles) / least * 1e-9);
    }
    std::printf("\n");
  }
}

}  // namespace

int main(int count, char** arguments) {
  int64_t n = 256;
  std::vector<std::string> names;
  for (int i = 1; i < count; ++i) {
    if (std::strcmp(arguments[i], "--n") == 0 && i + 1 < count) n = std::atoll(arguments[++i]);
    else names.push_back(arguments[i]);
  }
  if (n < 1) return std::fprintf(stderr, "kernel_bench: --n is %lld; at least 1 is needed\n", static_cast<long long>(n)), 2;
  std::printf("n = %lld; time of a call, and GB/s of all its arrays\n%-26s", static_cast<long long>(n), "");
  for (Isa isa : every_isa) std::printf("  %20s", name(isa));
  std::printf("  %20s", "avx512_bf16");
  std::printf("\n");
  const auto wanted = [&](const std::string& row) {
    return names.empty() || std::find(names.begin(), names.end(), row) != names.end();
  };
#define SWAV_KERNEL(result, name, ...) \
  if (wanted(#name)) print_row<Row::name>(n);
#include "kernels/kernel_table.inl.h"
#include "kernels/bfloat_table.inl.h"
#undef SWAV_KERNEL
  if (wanted("tiles")) print_tiles();
}
