// Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
// A stream is named by (seed, purpose, a, b, c); number i of a stream is a pure function of the name and i, so that nothing
// depends on order, threads or where a run was interrupted.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>

namespace swav {

inline std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53u} * counter[0];
    const uint64_t p1 = uint64_t{0xCD9E8D57u} * counter[2];
    counter = {uint32_t(p1 >> 32) ^ counter[1] ^ key[0], uint32_t(p1), uint32_t(p0 >> 32) ^ counter[3] ^ key[1], uint32_t(p0)};
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
  }
  return counter;
}

// What a stream is for; part of its name, so that two uses never share numbers.
enum class Purpose : uint32_t { weights = 1, crops = 2, order = 3, substitute = 4, clusters = 5, classifier = 6, test = 100 };

class Random {
 public:
  Random(uint64_t seed, Purpose purpose, uint64_t a = 0, uint64_t b = 0, uint64_t c = 0) {
    // The name is longer than a Philox key and counter: three rounds of Philox absorb it into 64 + 64 bits.
    std::array<uint32_t, 4> state = {uint32_t(purpose), 0, 0, 0};
    const uint64_t words[4] = {seed, a, b, c};
    for (uint64_t word : words) state = philox(state, {uint32_t(word), uint32_t(word >> 32)});
    key_ = {state[0], state[1]};
    stream_ = {state[2], state[3]};
  }

  // Number i of the stream, 32 uniform bits, without advancing.
  uint32_t bits(uint64_t i) const { return block(i)[i & 3]; }
  uint32_t next_bits() {
    if ((position_ & 3) == 0) block_ = block(position_);
    return block_[position_++ & 3];
  }

  // [0, 1) with 24 bits, exact in float.
  double uniform() { return double(next_bits() >> 8) * 0x1p-24; }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }

  // 0..count-1, count < 2^32, by multiplication (bias below 2^-32 * count).
  uint32_t below(uint32_t count) { return uint32_t((uint64_t(next_bits()) * count) >> 32); }

  // Standard normal by Box-Muller, two numbers a call, the second one dropped: simple and stateless.
  double normal() {
    const double u = (double(next_bits()) + 1.0) * 0x1p-32;
    const double v = double(next_bits()) * 0x1p-32;
    return std::sqrt(-2.0 * std::log(u)) * std::cos(6.283185307179586 * v);
  }

 private:
  // The four numbers that i is one of.
  std::array<uint32_t, 4> block(uint64_t i) const {
    return philox({uint32_t(i >> 2), uint32_t(i >> 34), stream_[0], stream_[1]}, key_);
  }

  std::array<uint32_t, 2> key_, stream_;
  std::array<uint32_t, 4> block_{};  // of the number before this position
  uint64_t position_ = 0;
};

}  // namespace swav
