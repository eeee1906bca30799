// The machine's part in a computation: what its last bits depend on, and on how many threads it runs.
#pragma once

#include <string>

namespace tuner::strategies::gp {

// Version of the numerics, kernel of the BLAS library, and instruction set of our own loops, as
// "tuner-gp 1; openblas 0.3.21 Haswell; avx2". Equal fingerprints: equal suggestions, bit by bit.
std::string NumericFingerprint();

// Makes OpenBLAS work on the caller's thread, for the whole process: many jobs share the cores, its threads cost more
// than these small matrices gain, and sums are the same on any machine of the fingerprint. Any thread; cheap.
void UseCallersThreadForBlas();

}  // namespace tuner::strategies::gp
