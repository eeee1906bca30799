#include "strategies/gp/dense.h"

namespace tuner::strategies::gp {

namespace {

std::vector<const DenseKernels*> Prepared() {
  std::vector<const DenseKernels*> usable = {&kDenseBaseline};
#ifdef TUNER_DENSE_X86
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    usable.push_back(&kDenseAvx2);
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512bw")) {
      usable.push_back(&kDenseAvx512);
    }
  }
#endif
  for (const DenseKernels* kernels : usable) kernels->prepare();
  return usable;
}

}  // namespace

const std::vector<const DenseKernels*>& UsableDenseKernels() {
  static const std::vector<const DenseKernels*> usable = Prepared();
  return usable;
}

const DenseKernels& Dense() {
  static const DenseKernels& best = *UsableDenseKernels().back();
  return best;
}

}  // namespace tuner::strategies::gp
