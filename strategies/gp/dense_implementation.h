// The dense operations on top of Eigen, to be compiled once for each instruction set. A file that includes this defines
// TUNER_DENSE_TABLE and TUNER_DENSE_NAME, and renames the namespace Eigen, so that no template instance of one
// instruction set is linked into another; nothing else that has templates or inline functions may be included.
#include <Eigen/Cholesky>
#include <Eigen/Core>

#include "strategies/gp/dense_kernels.h"

// NOLINTBEGIN(misc-definitions-in-headers): each file that includes this has definitions of its own
namespace tuner::strategies::gp {
namespace {

using Eigen::Dynamic;
using Eigen::Index;
using Matrix = Eigen::MatrixXd;
using Stride = Eigen::OuterStride<>;
using Constant = Eigen::Map<const Matrix, 0, Stride>;
using Mutable = Eigen::Map<Matrix, 0, Stride>;
using ConstantVector = Eigen::Map<const Eigen::VectorXd>;
using MutableVector = Eigen::Map<Eigen::VectorXd>;

// Below this order matrices are worked on column by column.
constexpr Index kBlock = 48;

// Blocks of products are chosen by these sizes instead of the machine's own, since sums round by the order in which
// blocks come: typical ones. Not at load time: nothing of this file may run where its instructions are unknown.
void Prepare() { Eigen::setCpuCacheSizes(32 << 10, 1 << 20, 2 << 20); }

bool Factorise(double* data, ptrdiff_t n, ptrdiff_t stride) {
  Mutable map(data, n, n, Stride(stride));
  Eigen::Ref<Matrix, 0, Stride> a(map);
  const Eigen::LLT<Eigen::Ref<Matrix, 0, Stride>> factor(a);
  return factor.info() == Eigen::Success && a.diagonal().allFinite();
}

// [A 0; B C]^-1 = [A^-1 0; -C^-1 B A^-1 C^-1].
void InvertLower(double* data, ptrdiff_t n, ptrdiff_t stride) {
  Mutable l(data, n, n, Stride(stride));
  if (n <= kBlock) {
    // Column j of the inverse, from the bottom of what is known: x_i = -(sum_{j <= k < i} l_ik x_k) / l_ii.
    for (Index j = 0; j < n; ++j) {
      const double first = 1 / l(j, j);
      const Index rest = n - j - 1;
      auto column = l.col(j).tail(rest);
      column *= -first;
      l(j, j) = first;
      for (Index i = 0; i < rest; ++i) {
        const double x = column[i] / l(j + 1 + i, j + 1 + i);
        column[i] = x;
        column.tail(rest - i - 1) -= x * l.col(j + 1 + i).tail(rest - i - 1);
      }
    }
    return;
  }
  const Index half = n / 2;
  const Index rest = n - half;
  double* corner = data + half * stride + half;
  InvertLower(data, half, stride);
  auto below = l.bottomLeftCorner(rest, half);
  const Matrix product = below * l.topLeftCorner(half, half).triangularView<Eigen::Lower>();
  InvertLower(corner, rest, stride);
  below = l.bottomRightCorner(rest, rest).triangularView<Eigen::Lower>() * product;
  below = -below;
}

// M'M of M = [A 0; B C] is [A'A + B'B .; C'B C'C]: the lower half.
void SquareOfLower(double* data, ptrdiff_t n, ptrdiff_t stride) {
  Mutable m(data, n, n, Stride(stride));
  if (n <= kBlock) {
    for (Index j = 0; j < n; ++j) {
      for (Index i = j; i < n; ++i) m(i, j) = m.col(i).tail(n - i).dot(m.col(j).tail(n - i));
    }
    return;
  }
  const Index half = n / 2;
  const Index rest = n - half;
  SquareOfLower(data, half, stride);
  auto below = m.bottomLeftCorner(rest, half);
  m.topLeftCorner(half, half).selfadjointView<Eigen::Lower>().rankUpdate(below.transpose());
  const Matrix product = m.bottomRightCorner(rest, rest).triangularView<Eigen::Lower>().transpose() * below;
  below = product;
  SquareOfLower(data + half * stride + half, rest, stride);
}

void Product(const double* a_data, ptrdiff_t a_stride, bool a_transposed, const double* b_data, ptrdiff_t b_stride,
             double* c_data, ptrdiff_t m, ptrdiff_t n, ptrdiff_t k) {
  if (n == 1) {
    const ConstantVector b(b_data, k);
    MutableVector c(c_data, m);
    if (a_transposed) {
      c.noalias() = Constant(a_data, k, m, Stride(a_stride)).transpose() * b;
    } else {
      c.noalias() = Constant(a_data, m, k, Stride(a_stride)) * b;
    }
    return;
  }
  const Constant b(b_data, k, n, Stride(b_stride));
  Mutable c(c_data, m, n, Stride(m));
  if (a_transposed) {
    c.noalias() = Constant(a_data, k, m, Stride(a_stride)).transpose() * b;
  } else {
    c.noalias() = Constant(a_data, m, k, Stride(a_stride)) * b;
  }
}

void LowerProduct(const double* l_data, ptrdiff_t l_stride, bool l_transposed, const double* b_data, ptrdiff_t b_stride,
                  double* c_data, ptrdiff_t n, ptrdiff_t m) {
  if (n == 0) return;
  const Constant l(l_data, n, n, Stride(l_stride));
  if (m == 1) {
    const ConstantVector b(b_data, n);
    MutableVector c(c_data, n);
    if (l_transposed) {
      c.noalias() = l.triangularView<Eigen::Lower>().transpose() * b;
    } else {
      c.noalias() = l.triangularView<Eigen::Lower>() * b;
    }
    return;
  }
  const Constant b(b_data, n, m, Stride(b_stride));
  Mutable c(c_data, n, m, Stride(n));
  if (l_transposed) {
    c.noalias() = l.triangularView<Eigen::Lower>().transpose() * b;
  } else {
    c.noalias() = l.triangularView<Eigen::Lower>() * b;
  }
}

// Values go through a buffer whose whole length is always computed, so that a value's last bits do not depend on its
// place among the others (vector and scalar exponentials differ by some).
constexpr Index kChunk = 64;
using Chunk = Eigen::Array<double, kChunk, 1>;

void Covariance(double signal, double* values, double* slopes, ptrdiff_t count) {
  Chunk chunk = Chunk::Zero();
  for (Index start = 0; start < count; start += kChunk) {
    const Index n = count - start < kChunk ? count - start : kChunk;
    for (Index i = 0; i < n; ++i) chunk[i] = values[start + i];
    const Chunk a = (5 * chunk).sqrt();
    const Chunk e = signal * (-a).exp();
    const Chunk covariance = (1 + a + a * a * (1.0 / 3)) * e;
    for (Index i = 0; i < n; ++i) values[start + i] = covariance[i];
    if (slopes == nullptr) continue;
    const Chunk slope = (5.0 / 3) * (1 + a) * e;
    for (Index i = 0; i < n; ++i) slopes[start + i] = slope[i];
  }
}

}  // namespace

const DenseKernels TUNER_DENSE_TABLE = {
    .name = TUNER_DENSE_NAME,
    .prepare = &Prepare,
    .factorise = &Factorise,
    .invert_lower = &InvertLower,
    .square_of_lower = &SquareOfLower,
    .product = &Product,
    .lower_product = &LowerProduct,
    .covariance = &Covariance,
};

}  // namespace tuner::strategies::gp
// NOLINTEND(misc-definitions-in-headers)
