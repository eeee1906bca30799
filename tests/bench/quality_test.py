"""Whether bench/quality runs: our random strategy on two tasks for a few trials; its figures mean nothing here.

    quality_test.py TUNER
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
QUALITY = ROOT / "bench" / "quality"
TRIALS = 12
SKIP = 77


def python():
    """The Python of the tests' environment; None without what the harness needs."""
    for candidate in (ROOT / ".venv" / "bin" / "python", pathlib.Path(sys.executable)):
        if candidate.exists() and subprocess.run([candidate, "-c", "import grpc, grpc_tools, numpy"], capture_output=True).returncode == 0:
            return str(candidate)
    return None


class Harness(unittest.TestCase):
    """A harness in Python, run with a folder for its results and environments. program: the tuner that it measures."""
    program = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def run_python(self, *arguments, check=True):
        environment = {**os.environ, "TUNER_BENCH_CACHE": str(self.folder / "cache"), "TUNER_PROGRAM": self.program}
        done = subprocess.run([python(), *arguments], cwd=QUALITY, capture_output=True, text=True, timeout=600, env=environment)
        if check:
            self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        return done.stdout + done.stderr


class Smoke(Harness):

    def run_random(self, *more):
        return self.run_python("run.py", "--methods", "random", "--tasks", "branin-2-noisy,conditional-layers-8", "--seeds", "1", "--budget", str(TRIALS),
                            "--parallel", "1,4", "--results", str(self.folder), "--no-summary", *more)

    def lines(self):
        return [json.loads(line) for line in (self.folder / "random.jsonl").read_text().splitlines()]

    def test_runs_are_kept_and_not_made_again(self):
        self.run_random()
        first = self.lines()
        self.assertEqual([("done", TRIALS)] * 4, [(line["status"], len(line["value"])) for line in first])
        for line in first:
            self.assertEqual(set(range(TRIALS)), set(line["trial"]), "each trial has one result")
            inactive = [point for point in line["point"] if "units_2" in point and point["layers"] == 1]
            self.assertEqual([], inactive)
        noisy = next(line for line in first if line["task"] == "branin-2-noisy")
        self.assertNotEqual(noisy["value"], noisy["observed"])
        self.run_random()
        self.assertEqual(first, self.lines(), "what is there is not run again")

    def test_the_same_seed_gives_the_same_points(self):
        self.run_random("--parallel", "1")
        self.run_random("--parallel", "1", "--fresh")
        points = [line["point"] for line in self.lines()]
        self.assertEqual(points[:2], points[2:])

    def test_summary(self):
        self.run_random("--parallel", "1")
        shown = self.run_python("summary.py", "--results", str(self.folder), "--ours", "random", "--checkpoints", "5,12")
        for part in ("after 12 trials", "branin-2-noisy", "[noisy]", "[conditional]"):
            self.assertIn(part, shown)

    def test_report(self):
        self.run_random("--parallel", "1", "--budget", "100")
        if subprocess.run([python(), "-c", "import matplotlib"], capture_output=True).returncode != 0:
            self.skipTest("no matplotlib")
        self.run_python("report.py", "--results", str(self.folder), "--ours", "random", "--out", str(self.folder / "report"))
        shown = (self.folder / "report" / "report.md").read_text()
        for part in ("After 100 trials", "random (tuner)", "Basis of our suggestions: FRESH"):
            self.assertIn(part, shown)

    def test_figures(self):
        self.run_python(str(ROOT / "tests" / "bench" / "quality_figures_test.py"))

    def test_what_is_missing_is_shown(self):
        shown = self.run_python("run.py", "--methods", "smac", "--results", str(self.folder), "--no-summary")
        self.assertRegex(shown, r"(?m)^SKIP smac: .+")
        self.assertIn("no method nothing", self.run_python("run.py", "--methods", "nothing", check=False))
        self.assertIn("no task nothing", self.run_python("run.py", "--tasks", "nothing", check=False))


def main(*cases):
    """Runs the cases with the tuner that the command line names."""
    Harness.program = os.path.abspath(sys.argv.pop(1))
    if python() is None:
        print("SKIP: no Python with grpcio, grpcio-tools and numpy; scripts/install-dependencies python makes one")
        sys.exit(SKIP)
    loader = unittest.defaultTestLoader
    suite = unittest.TestSuite(loader.loadTestsFromTestCase(case) for case in cases)
    sys.exit(not unittest.TextTestRunner(verbosity=2 if "-v" in sys.argv else 1).run(suite).wasSuccessful())


if __name__ == "__main__":
    main(Smoke)
