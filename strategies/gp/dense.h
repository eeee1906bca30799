// Dense linear algebra at the speed of the processor's widest instructions, on the caller's thread.
//
// Every operation is compiled for several instruction sets, and the best that the processor has is taken when the
// program starts (Eigen alone would be bound to the set that all processors have; BLAS libraries fall back to old
// kernels on processors newer than themselves). Results depend on the instruction set, and on nothing else of the
// machine: not on its caches, nor on how many threads call. Threads: pure functions.
//
// Shapes: as the arguments say; vectors are matrices of one column. Expects consistent ones, and blocks of matrices
// that Eigen allocated: EIGEN_MAX_ALIGN_BYTES is set so that all of these begin on the same boundary.
#pragma once

#include <Eigen/Core>
#include <vector>

#include "strategies/gp/dense_kernels.h"

namespace tuner::strategies::gp {

static_assert(EIGEN_MAX_ALIGN_BYTES == 64, "link tuner::eigen");

using MatrixView = Eigen::Ref<const Eigen::MatrixXd>;

// Tables that this processor can run, best last; for tests.
const std::vector<const DenseKernels*>& UsableDenseKernels();
// The one in use.
const DenseKernels& Dense();

// The lower Cholesky factor in place of the lower half of a; the upper half stays. False: a is not positive definite,
// and its contents are spoilt.
[[nodiscard]] inline bool Factorise(Eigen::MatrixXd& a) { return Dense().factorise(a.data(), a.rows(), a.rows()); }
// The inverse of the lower triangle in its place. Diagonal elements are not 0.
inline void InvertLower(Eigen::MatrixXd& l) { Dense().invert_lower(l.data(), l.rows(), l.rows()); }
// The lower half of m'm in the place of a lower triangular m.
inline void SquareOfLower(Eigen::MatrixXd& m) { Dense().square_of_lower(m.data(), m.rows(), m.rows()); }

inline Eigen::MatrixXd Product(const MatrixView& a, const MatrixView& b) {
  Eigen::MatrixXd c(a.rows(), b.cols());
  Dense().product(a.data(), a.outerStride(), false, b.data(), b.outerStride(), c.data(), c.rows(), c.cols(), a.cols());
  return c;
}
// a' b
inline Eigen::MatrixXd TransposedProduct(const MatrixView& a, const MatrixView& b) {
  Eigen::MatrixXd c(a.cols(), b.cols());
  Dense().product(a.data(), a.outerStride(), true, b.data(), b.outerStride(), c.data(), c.rows(), c.cols(), a.rows());
  return c;
}
// l b and l' b of the lower triangle of l.
inline Eigen::MatrixXd LowerProduct(const MatrixView& l, const MatrixView& b) {
  Eigen::MatrixXd c(b.rows(), b.cols());
  Dense().lower_product(l.data(), l.outerStride(), false, b.data(), b.outerStride(), c.data(), c.rows(), c.cols());
  return c;
}
inline Eigen::MatrixXd LowerTransposedProduct(const MatrixView& l, const MatrixView& b) {
  Eigen::MatrixXd c(b.rows(), b.cols());
  Dense().lower_product(l.data(), l.outerStride(), true, b.data(), b.outerStride(), c.data(), c.rows(), c.cols());
  return c;
}

}  // namespace tuner::strategies::gp
