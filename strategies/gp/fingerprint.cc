#include "strategies/gp/fingerprint.h"

#include <cblas.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace tuner::strategies::gp {
namespace {

// Raised with every change that moves a suggestion.
constexpr int kNumericsVersion = 1;

absl::string_view InstructionSet() {
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl")) return "avx512";
  if (__builtin_cpu_supports("avx2")) return "avx2";
  return "baseline";
}

}  // namespace

std::string NumericFingerprint() {
  absl::string_view config = openblas_get_config();
  config = config.substr(0, config.find(" NO_"));
  return absl::StrCat("tuner-gp ", kNumericsVersion, "; ", config, " ", openblas_get_corename(), "; ",
                      InstructionSet());
}

void UseCallersThreadForBlas() {
  if (openblas_get_num_threads() != 1) openblas_set_num_threads(1);
}

}  // namespace tuner::strategies::gp
