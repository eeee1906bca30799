// The kernel's inner loops. Compiled by itself with relaxed floating point, so that the compiler may call the vector
// exponential of the C library, once for each instruction set named below; the fastest that the machine has is chosen
// when the program starts.
#include <algorithm>
#include <cmath>

#include "strategies/gp/kernel.h"

namespace tuner::strategies::gp {
namespace {

// Values go through a buffer whose whole length is always computed, so that a value's last bits do not depend on its
// place among the others (vector and scalar exponentials differ by some).
constexpr Eigen::Index kBlock = 128;

__attribute__((target_clones("default", "avx2", "arch=skylake-avx512"))) void CovarianceBlock(double signal,
                                                                                              double* values) {
  for (Eigen::Index i = 0; i < kBlock; ++i) {
    const double a = std::sqrt(5 * values[i]);
    values[i] = signal * (1 + a + a * a * (1.0 / 3)) * std::exp(-a);
  }
}

__attribute__((target_clones("default", "avx2", "arch=skylake-avx512"))) void CovarianceAndSlopeBlock(double signal,
                                                                                                      double* values,
                                                                                                      double* slopes) {
  for (Eigen::Index i = 0; i < kBlock; ++i) {
    const double a = std::sqrt(5 * values[i]);
    const double e = signal * std::exp(-a);
    values[i] = (1 + a + a * a * (1.0 / 3)) * e;
    slopes[i] = (5.0 / 3) * (1 + a) * e;
  }
}

}  // namespace

void CovarianceFromSquaredDistances(double signal, double* values, Eigen::Index count) {
  alignas(64) double block[kBlock] = {};
  for (Eigen::Index start = 0; start < count; start += kBlock) {
    const Eigen::Index n = std::min(kBlock, count - start);
    std::copy_n(values + start, n, block);
    CovarianceBlock(signal, block);
    std::copy_n(block, n, values + start);
  }
}

void CovarianceAndSlope(double signal, double* values, double* slopes, Eigen::Index count) {
  alignas(64) double block[kBlock] = {};
  alignas(64) double slope_block[kBlock];
  for (Eigen::Index start = 0; start < count; start += kBlock) {
    const Eigen::Index n = std::min(kBlock, count - start);
    std::copy_n(values + start, n, block);
    CovarianceAndSlopeBlock(signal, block, slope_block);
    std::copy_n(block, n, values + start);
    std::copy_n(slope_block, n, slopes + start);
  }
}

}  // namespace tuner::strategies::gp
