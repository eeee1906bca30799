#include "strategies/gp/fingerprint.h"

#include <gnu/libc-version.h>

#include <Eigen/Core>
#include <nlopt.hpp>

#include "absl/strings/str_cat.h"
#include "strategies/gp/dense.h"

namespace tuner::strategies::gp {
namespace {

// Raised with every change that moves a suggestion.
constexpr int kNumericsVersion = 3;

}  // namespace

std::string NumericFingerprint() {
  return absl::StrCat("tuner-gp ", kNumericsVersion, "; eigen ", EIGEN_WORLD_VERSION, ".", EIGEN_MAJOR_VERSION, ".",
                      EIGEN_MINOR_VERSION, "; nlopt ", nlopt::version_major(), ".", nlopt::version_minor(), ".",
                      nlopt::version_bugfix(), "; libc ", gnu_get_libc_version(), "; ", Dense().name);
}

}  // namespace tuner::strategies::gp
