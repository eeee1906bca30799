// The standard normal distribution where double precision has long run out: logarithms of tail quantities with their
// derivatives.
//
// Valid for |z| up to 1e150; beyond, and for infinities, the limits. Threads: pure functions.
//
// Source: Laplace's continued fraction of the Mills ratio (Abramowitz and Stegun 26.2.14), for
// Phi(-x) = phi(x) / (x + c(x)), c(x) = 1/(x + 2/(x + 3/(x + ...))), so that nothing cancels and the derivatives come
// with it; h is that of Ament et al. 2023 (arXiv 2310.20708), eq. 9.
#pragma once

namespace tuner::strategies::gp {

struct ValueAndSlope {
  double value = 0;
  double slope = 0;  // derivative with respect to the argument
};

// ln h(z), h(z) = phi(z) + z Phi(z): logarithm of the expected improvement of a unit normal over -z. Absolute error
// under 1e-12 max(1, |value|).
ValueAndSlope LogH(double z);

// ln Phi(z). The same error.
ValueAndSlope LogCdf(double z);

// The z with Phi(z) = p, for p in [0, 1]: infinite at the ends.
double InverseCdf(double p);

}  // namespace tuner::strategies::gp
