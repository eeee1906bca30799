// Counter-based random numbers: a stream is a pure function of (seed, ordinal, stream number), so nothing needs to be
// saved.
//
// Threads: each object is for one thread. Source: Philox4x32-10, Salmon et al., "Parallel random numbers: as easy as 1,
// 2, 3", SC 2011. The sequence is part of what stored jobs rely on: it never changes.
#pragma once

#include <array>
#include <cstdint>

namespace tuner::core {

// One block of Philox4x32-10.
std::array<uint32_t, 4> Philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

// A stream repeats after 2^33 calls of NextUint64.
class Rng {
 public:
  Rng(uint64_t seed, uint64_t ordinal, uint32_t stream = 0);

  uint64_t NextUint64();
  // In [0, 1), 53 random bits.
  double NextDouble();
  // Uniform in [0, bound); bound >= 1. Unbiased.
  uint64_t NextBelow(uint64_t bound);

 private:
  std::array<uint32_t, 2> key_;
  std::array<uint32_t, 4> counter_;
  std::array<uint32_t, 4> block_;
  int used_ = 4;
};

}  // namespace tuner::core
