"""Whether bench/multi_fidelity runs: our random strategy on simulated curves for a small budget; its figures mean nothing here.

    multi_fidelity_test.py TUNER
"""

import json
import pathlib
import sys
import unittest

import quality_test

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "bench" / "multi_fidelity"


class Smoke(quality_test.Harness):
    def compare(self, *more, **options):
        return self.run_python(FOLDER / "compare.py", "--results", self.folder, "--budget", "4", *more, **options)

    def lines(self, name="random"):
        return [json.loads(line) for line in (self.folder / f"{name}.jsonl").read_text().splitlines()]

    def test_runs_are_kept_and_made_the_same_again(self):
        chosen = ("--methods", "random", "--tasks", "short-3,mixed-6", "--seeds", "1", "--workers", "2")
        shown = self.compare(*chosen)
        self.assertIn("random, full trainings (tuner) | 2 | 1 | 1.00", shown)
        first = self.lines()
        self.assertEqual(["done"] * 2, [line["status"] for line in first])
        for line in first:
            self.assertGreaterEqual(line["end_time"], line["budget_time"])
            self.assertFalse(any(cut for epochs, cut, *_ in line["trials"] if epochs == max(t[0] for t in line["trials"])))
            self.assertEqual(line["epochs"], sum(trial[0] for trial in line["trials"]))
        self.compare(*chosen, "--no-summary")
        self.assertEqual(2, len(self.lines()), "what is there is not run again")
        self.compare(*chosen, "--no-summary", "--fresh")
        for line, again in zip(first, self.lines()[2:]):
            self.assertEqual({**line, "next_seconds": 0}, {**again, "next_seconds": 0})

    def test_jobs_without_a_rule(self):
        chosen = ("--tasks", "short-3", "--seeds", "1", "--results", self.folder, "--strategy", '{"random": {}}', "--budget", "5")
        shown = self.run_python(FOLDER / "median.py", *chosen)
        line = json.loads((self.folder / "early-stopping" / "no-stopping.jsonl").read_text())
        self.assertEqual(("done", 5, 5 * 27), (line["status"], len(line["trials"]), line["epochs"]), shown)

    def test_figures(self):
        self.run_python(ROOT / "tests" / "bench" / "multi_fidelity_figures_test.py")

    def test_what_is_missing_is_shown(self):
        self.assertRegex(self.compare("--methods", "syne-asha", "--no-summary"), r"(?m)^SKIP syne-asha: .+")
        self.assertIn("no method nothing", self.compare("--methods", "nothing", check=False))
        self.assertIn("no task nothing", self.compare("--tasks", "nothing", check=False))
        self.assertRegex(self.compare("--describe", "--tasks", "steady-4"), r"steady-4 \| 4 \| 81 \| 0\.9")


if __name__ == "__main__":
    quality_test.main(Smoke)
