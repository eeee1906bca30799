// What the last bits of a computation depend on.
#pragma once

#include <string>

namespace tuner::strategies::gp {

// Versions of the numerics and of what they are made with, and the instruction set in use, as
// "tuner-gp 3; eigen 3.4.0; nlopt 2.7.1; libc 2.36; avx2". Equal fingerprints: equal suggestions, bit by bit.
std::string NumericFingerprint();

}  // namespace tuner::strategies::gp
