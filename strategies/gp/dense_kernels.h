// The table of dense operations, one for each instruction set; dense.h is what others call.
#pragma once

#include <cstddef>

namespace tuner::strategies::gp {

// Matrices are column-major; each is given by its first element, and by the distance between columns, >= rows. Results
// must not overlap arguments but where a function works in place.
struct DenseKernels {
  const char* name;   // of the instruction set
  void (*prepare)();  // before the first use, once
  bool (*factorise)(double* a, ptrdiff_t n, ptrdiff_t stride);
  void (*invert_lower)(double* l, ptrdiff_t n, ptrdiff_t stride);
  void (*square_of_lower)(double* m, ptrdiff_t n, ptrdiff_t stride);
  // c (m x n) = a (m x k) b (k x n), or a' (k x m) b.
  void (*product)(const double* a, ptrdiff_t a_stride, bool a_transposed, const double* b, ptrdiff_t b_stride,
                  double* c, ptrdiff_t m, ptrdiff_t n, ptrdiff_t k);
  // c (n x m) = l (n x n) b (n x m), or l' b.
  void (*lower_product)(const double* l, ptrdiff_t l_stride, bool l_transposed, const double* b, ptrdiff_t b_stride,
                        double* c, ptrdiff_t n, ptrdiff_t m);
  // squared distances -> covariances, with slopes if they are not null.
  void (*covariance)(double signal, double* values, double* slopes, ptrdiff_t count);
};

extern const DenseKernels kDenseBaseline;
#ifdef TUNER_DENSE_X86
extern const DenseKernels kDenseAvx2;
extern const DenseKernels kDenseAvx512;
#endif

}  // namespace tuner::strategies::gp
