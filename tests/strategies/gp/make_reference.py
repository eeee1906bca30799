"""Writes what scikit-learn's GaussianProcessRegressor says of random data, for scikit_test.cc.

    make_reference.py SEED CASES > reference.txt     (scikit_reference.txt: 7 12)

A line each: a name, rows, columns, and the numbers column by column. A case begins with `lengths`.
"""

import sys

import numpy
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel


def put(name, values):
    """Points are rows in Python and columns in C++, which keeps the order of the numbers."""
    values = numpy.atleast_2d(values)
    print(name, values.shape[1], values.shape[0], *(format(v, ".17g") for v in values.ravel()))


def case(rng):
    dimensions = int(rng.integers(1, 9))
    n = int(rng.integers(1, 60))
    lengths = numpy.exp(rng.uniform(numpy.log(0.1), numpy.log(3), dimensions))
    signal = float(numpy.exp(rng.uniform(-2, 2)))
    noise = float(numpy.exp(rng.uniform(numpy.log(1e-3), numpy.log(0.3))))
    points = rng.uniform(0, 1, (n, dimensions))
    labels = numpy.sin(3 * points.sum(axis=1)) + rng.normal(0, numpy.sqrt(noise), n)
    queries = rng.uniform(-0.2, 1.2, (7, dimensions))
    queries[0] = points[0]

    kernel = ConstantKernel(signal) * Matern(lengths, nu=2.5) + WhiteKernel(noise)
    fitted = GaussianProcessRegressor(kernel, alpha=0, optimizer=None).fit(points, labels)
    likelihood, gradient = fitted.log_marginal_likelihood(fitted.kernel_.theta, eval_gradient=True)
    mean, covariance = fitted.predict(queries, return_cov=True)
    left_out = []
    for i in range(n):
        rest = [j for j in range(n) if j != i]
        if rest:
            other = GaussianProcessRegressor(kernel, alpha=0, optimizer=None).fit(points[rest], labels[rest])
            left_mean, left_covariance = other.predict(points[[i]], return_cov=True)
            left_out.append((left_mean[0], left_covariance[0, 0]))
        else:
            left_out.append((0, signal + noise))

    put("lengths", lengths)
    put("signal_noise", [signal, noise])
    put("points", points)
    put("labels", labels)
    put("queries", queries)
    put("likelihood", likelihood)
    put("gradient", [*gradient[1:-1], gradient[0], gradient[-1]])  # lengths, signal, noise
    put("mean", mean)
    put("variance", numpy.diag(covariance) - noise)
    put("left_out_mean", [m for m, _ in left_out])
    put("left_out_variance", [v for _, v in left_out])


def main():
    rng = numpy.random.default_rng(int(sys.argv[1]))
    for _ in range(int(sys.argv[2])):
        case(rng)


if __name__ == "__main__":
    main()
