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

// Part by part: body(segments, the part's rows, the part's sums).
template <class Sum, class Body>
void by_parts(const ProductSegment* segments, const char* const* second, int count, int rows, int second_rows, Sum* c,
              int64_t c_stride, Body body) {
  body(segments, rows, c);
  if (second_rows == 0) return;
  ProductSegment lower[TileSession::most_segments];
  for (int s = 0; s < count; ++s) lower[s] = {second[s], segments[s].stride, segments[s].words};
  body(lower, second_rows, c + bfloat_amx_tile.rows / 2 * c_stride);
}

template <auto kernel>
void call(const ProductSegment* segments, const char* const* second, int count, const void* b, int rows, int second_rows,
          float* c, int64_t c_stride, bool accumulate, Ahead) {
  by_parts(segments, second, count, rows, second_rows, c, c_stride,
           [=](const ProductSegment* part, int part_rows, float* sums) {
             (bfloat_kernels().*kernel)(part, count, static_cast<const bfloat16*>(b), part_rows, sums, c_stride, accumulate);
           });
}

void call_integers(const ProductSegment* segments, const char* const* second, int count, const int8_t* b, int rows,
                   int second_rows, int32_t* c, int64_t c_stride) {
  by_parts(segments, second, count, rows, second_rows, c, c_stride,
           [=](const ProductSegment* part, int part_rows, int32_t* sums) {
             kernels().tile_quads(part, count, b, part_rows, sums, c_stride);
           });
}

// Multiply-adds of floats: a product of two bfloat16 is exact in a float, so that these are the sums of vector_order.
void call_floats(const ProductSegment* segments, const char* const*, int, const void* b, int rows, int, float* c,
                 int64_t c_stride, bool accumulate, Ahead ahead) {
  const Kernels& kernel = kernels();
  kernel.product_rows(segments->words, reinterpret_cast<const float*>(segments->a), segments->stride / 4,
                      static_cast<const float*>(b), c, c_stride, rows, kernel.tile_columns, accumulate, ahead);
}

constexpr TileKernels vector_order = {
    "vector_order", bfloat_vector_tile, 1, 2, nothing, nothing, call<&BfloatKernels::tile_vector_order>, nullptr};
constexpr TileKernels amx_order = {"amx_order",  bfloat_amx_tile, 2, 2, nothing, nothing, call<&BfloatKernels::tile_amx_order>,
                                   call_integers};

const TileKernels& widened() {
  static const TileKernels body = {
      "widened", {kernels().tile_rows, kernels().tile_columns}, 1, 1, nothing, nothing, call_floats, nullptr};
  return body;
}

bool has_vectors(Features features) { return features.include(needs(Isa::avx512) | Features{Feature::avx512_bf16}); }
bool has_tiles(Features features) { return features.include({Feature::amx_tile, Feature::amx_bf16}) && grant_tiles(); }

}  // namespace

TileBodies tile_bodies() {
  TileBodies all{};
#if defined(__x86_64__)
  if (has_tiles(cpu_features())) all.bodies[all.count++] = &amx_tiles;
  if (has_vectors(cpu_features())) all.bodies[all.count++] = &avx512_bf16_tiles;
#endif
  all.bodies[all.count++] = &widened();
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
    if (has_vectors(used_features()) && cpu_vendor() == "AuthenticAMD") return avx512_bf16_tiles;
#endif
    return widened();
  }();
  return body;
}

const TileKernels* integer_tiles() {
#if defined(__x86_64__)
  static const bool has_integers = used_features().include({Feature::amx_tile, Feature::amx_int8}) && grant_tiles();
  return has_integers ? &amx_tiles : nullptr;
#else
  return nullptr;
#endif
}

bool fast_bfloat16() { return tiles().numbers > 1; }

TileSession::TileSession(const TileKernels& kernels, bool integers) : kernels_(kernels) {
#if defined(__x86_64__)
  constexpr uint32_t flush_to_zero = 0x8000, denormals_are_zeros = 0x0040;
  saved_ = _mm_getcsr();
  if (!integers) _mm_setcsr(saved_ | flush_to_zero | denormals_are_zeros);
#endif
}

TileSession::~TileSession() {
  if (rows_ > 0) kernels_.release();
#if defined(__x86_64__)
  _mm_setcsr(saved_);
#endif
}

}  // namespace swav
