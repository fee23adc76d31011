#include "kernels/tiles.h"

#include "kernels/bfloat_kernels.h"

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace swav {

extern const TileKernels amx_tiles, avx512_bf16_tiles;

namespace {

void nothing(int, int) {}
void nothing() {}

// Part by part.
template <auto kernel>
void call(const ProductSegment* segments, const char* const* second, int count, const bfloat16* b, int rows, int second_rows,
          float* c, int64_t c_stride, bool accumulate) {
  (bfloat_kernels().*kernel)(segments, count, b, rows, c, c_stride, accumulate);
  if (second_rows == 0) return;
  ProductSegment lower[TileSession::most_segments];
  for (int s = 0; s < count; ++s) lower[s] = {second[s], segments[s].stride, segments[s].words};
  (bfloat_kernels().*kernel)(lower, count, b, second_rows, c + bfloat_amx_tile.rows / 2 * c_stride, c_stride, accumulate);
}

constexpr TileKernels vector_order = {
    "vector_order", bfloat_vector_tile, 1, nothing, nothing, call<&BfloatKernels::tile_vector_order>};
constexpr TileKernels amx_order = {"amx_order", bfloat_amx_tile, 2, nothing, nothing, call<&BfloatKernels::tile_amx_order>};

bool has_vectors(Features features) { return features.include(needs(Isa::avx512) | Features{Feature::avx512_bf16}); }
bool has_tiles(Features features) { return features.include({Feature::amx_tile, Feature::amx_bf16}) && grant_tiles(); }

}  // namespace

TileBodies tile_bodies() {
  TileBodies all{};
#if defined(__x86_64__)
  if (has_tiles(cpu_features())) all.bodies[all.count++] = &amx_tiles;
  if (has_vectors(cpu_features())) all.bodies[all.count++] = &avx512_bf16_tiles;
#endif
  all.bodies[all.count++] = &amx_order;
  all.bodies[all.count++] = &vector_order;
  return all;
}

const TileKernels& plain_twin(const TileKernels& kernels) {
  return kernels.tile.words == bfloat_amx_tile.words ? amx_order : vector_order;
}

const TileKernels& tiles() {
  static const TileKernels& body = []() -> const TileKernels& {
#if defined(__x86_64__)
    if (has_tiles(used_features())) return amx_tiles;
    if (has_vectors(used_features())) return avx512_bf16_tiles;
#endif
    return vector_order;
  }();
  return body;
}

bool fast_bfloat16() {
#if defined(__x86_64__)
  return &tiles() == &amx_tiles || (&tiles() == &avx512_bf16_tiles && cpu_vendor() == "AuthenticAMD");
#else
  return false;
#endif
}

TileSession::TileSession(const TileKernels& kernels) : kernels_(kernels) {
#if defined(__x86_64__)
  constexpr uint32_t flush_to_zero = 0x8000, denormals_are_zeros = 0x0040;
  saved_ = _mm_getcsr();
  _mm_setcsr(saved_ | flush_to_zero | denormals_are_zeros);
#endif
}

TileSession::~TileSession() {
  if (rows_ > 0) kernels_.release();
#if defined(__x86_64__)
  _mm_setcsr(saved_);
#endif
}

}  // namespace swav
