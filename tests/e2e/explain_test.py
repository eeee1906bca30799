"""What `tuner explain` says of a point is what scikit-learn's Gaussian process says of the same data (issue 4, acceptance 6)."""

import math

import harness

SCIKIT = """
import json, sys
import numpy
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

told = json.load(sys.stdin)
parameters, data, point = told["hyperparameters"], told["data"], told["point"]
lengths = [parameters["length_scale." + column.split("=")[0]] for column in data["columns"]]
noise, level = parameters["noise_variance"], parameters["mean"]
kernel = ConstantKernel(parameters["signal_variance"]) * Matern(lengths, nu=2.5) + WhiteKernel(noise)
fitted = GaussianProcessRegressor(kernel, alpha=0, optimizer=None).fit(
    [row["coordinates"] for row in data["rows"]], [row["label"] - level for row in data["rows"]])
mean, covariance = fitted.predict([point["coordinates"]], return_cov=True)
print(json.dumps([mean[0] + level, numpy.sqrt(covariance[0, 0] - noise)]))
"""

JOB = """
name: model
objective: {metric: loss, goal: MINIMIZE}
parameters:
- {name: rate, double: {min: 0.0001, max: 1}}
- {name: depth, integer: {min: 1, max: 9}}
- name: kind
  categorical: {values: [plain, round, deep]}
  children:
  - {values: [deep], parameters: [{name: layers, integer: {min: 2, max: 6}}]}
strategy: {bayesian: {}, random_seed: 11}
limits: {max_trials: 24, max_parallel_trials: 2}
trial: {external: {}}
"""


def loss(parameters):
    value = (math.log10(parameters["rate"]) + 2) ** 2 + 0.05 * (parameters["depth"] - 6) ** 2
    return value + {"plain": 0.5, "round": 0, "deep": 0.3 - 0.05 * parameters.get("layers", 0)}[parameters["kind"]]


class Explain(harness.EndToEnd):
    def run_job(self, server):
        path = self.folder / "job.yaml"
        path.write_text(JOB)
        server.cli("create", path)
        while True:
            answer = server.json("suggest", "model", "--worker", "w", "--count", "2")
            if not answer.get("trials"):
                break
            for trial in answer["trials"]:
                server.cli("complete", f"model/{trial['number']}", f"loss={loss(trial['parameters'])!r}", "--worker", "w")
        return server.await_job("model")

    def test_equals_scikit_learn(self):
        try:
            harness.run(harness.venv_python(), "-c", "import sklearn")
        except AssertionError as missing:
            self.skipTest(str(missing).splitlines()[0])
        server = self.serve()
        job = self.run_job(server)
        self.assertEqual("COMPLETED", job["state"])
        for point in (["kind=plain", "rate=0.01", "depth=5"], ["kind=round", "rate=0.5", "depth=1"], ["kind=deep", "rate=0.003", "depth=7", "layers=4"]):
            told = server.json("explain", "model", "--at", *point, "--data")
            mean, deviation = harness.json.loads(
                harness.subprocess.run([harness.venv_python(), "-c", SCIKIT], input=harness.json.dumps(told), capture_output=True, text=True, check=True, timeout=harness.PATIENCE).stdout)
            self.assertAlmostEqual(mean, told["point"]["label_mean"], delta=1e-8)
            self.assertAlmostEqual(deviation, told["point"]["label_standard_deviation"], delta=1e-8)

    def test_says_why_and_what_matters(self):
        server = self.serve()
        job = self.run_job(server)
        told = server.json("explain", "model", "--trial", str(job["best_trial"]["number"]))
        self.assertIn(f"Trial {job['best_trial']['number']} was chosen", told["point"]["explanation"])
        self.assertEqual(24, told["observations"])
        self.assertAlmostEqual(1, sum(told["fanova_importance"].values()), delta=1e-6)
        self.assertEqual("rate", max(told["fanova_importance"], key=told["fanova_importance"].get))
        text = server.cli("explain", "model", "--trial", "20").stdout
        for word in ("Expected", "Acquisition", "Nearest", "IMPORTANCE", "10 more trials"):
            self.assertIn(word, text)
        refused = server.cli("explain", "model", "--at", "rate=2", check=False)
        self.assertEqual(2, refused.returncode)
        self.assertIn("rate", refused.stderr)
        if harness.shutil.which("gnuplot"):
            for kind in ("importance", "contour", "loo"):
                server.cli("plot", "model", "--kind", kind, "--out", self.folder / f"{kind}.svg")
                self.assertIn("</svg>", (self.folder / f"{kind}.svg").read_text())


if __name__ == "__main__":
    harness.main()
