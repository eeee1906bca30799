"""Runs each workload of tuner-bench for a moment; its figures mean nothing here.

    bench_test.py TUNER_BENCH
"""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

WORKLOADS = ["cycles", "launch", "containers", "scale", "idle", "deadlines", "micro"]
SHORT = ["--no-peers", "--runs", "1", "--seconds", "0.2", "--idle-seconds", "0.2", "--connections", "8", "--trials", "8",
         "--jobs", "4", "--job-trials", "30", "--deadlines-seconds", "1", "--history", "20", "--strategy", "random"]


class Smoke(unittest.TestCase):
    program = None

    def bench(self, *arguments, environment=None):
        return subprocess.run([self.program, *arguments], capture_output=True, text=True, timeout=120,
                              env={**os.environ, **(environment or {})})

    def run_workload(self, name):
        with tempfile.TemporaryDirectory() as folder:
            done = self.bench(name, *SHORT, environment={"TMPDIR": folder})
            self.assertEqual(0, done.returncode, done.stdout + done.stderr)
            self.assertEqual([], os.listdir(folder), "scratch folders are removed")
        for part in ("machine: ", "commit ", "trivial RPC ", "fsync p50 ", "posix_spawn ", "Cholesky "):
            self.assertIn(part, done.stdout)
        return done.stdout

    def test_help_names_every_workload(self):
        shown = self.bench("--help")
        self.assertEqual(0, shown.returncode)
        for name in WORKLOADS:
            self.assertRegex(shown.stdout, rf"(?m)^ +{name} ")

    def test_an_unknown_workload_is_refused(self):
        refused = self.bench("nothing")
        self.assertEqual(2, refused.returncode)
        self.assertIn("nothing", refused.stdout + refused.stderr)

    def test_cycles(self):
        shown = self.run_workload("cycles")
        self.assertRegex(shown, r"(?m)^tuner, sqlite FULL +[0-9.,]+ .* 0 ")  # no errors
        self.assertRegex(shown, r"(?m)^tuner, memory +[0-9.,]+ .* 0 ")

    def test_containers(self):
        lacking = [program for program in ("podman", "runc", "busybox") if shutil.which(program) is None]
        if lacking and os.environ.get("CI") != "true":
            self.skipTest(f"no {', '.join(lacking)}: run scripts/install-dependencies engines")
        self.assertRegex(self.run_workload("containers"), r"(?m)^median ratio [0-9.]+, target under 1.15: (met|missed)$")

    def test_launch(self):
        shown = self.run_workload("launch")
        self.assertRegex(shown, r"(?m)^tuner, 1 at a time +[0-9.,]+ +[0-9.]+ ms")
        self.assertRegex(shown, r"(?m)^tuner, 2 in parallel +[0-9.,]+ +[0-9.]+ ms")

    def test_scale(self):
        shown = self.run_workload("scale")
        self.assertIn("4 jobs of 30 trials", shown)
        for row in ("start to serving", "resident memory", "ListTrials", "GetTuningJob"):
            self.assertRegex(shown, rf"(?m)^{row}.* (met|missed)$")

    def test_idle(self):
        self.assertRegex(self.run_workload("idle"), r"(?m)^tuner +[0-9.]+ %")

    def test_deadlines(self):
        shown = self.run_workload("deadlines")
        self.assertRegex(shown, r"(?m)^answers without a trial +0 ")
        self.assertRegex(shown, r"(?m)^errors +0 *$")
        for row in ("FRESH", "FALLBACK", "GetTuningJob p99"):
            self.assertRegex(shown, rf"(?m)^{row} .* (met|missed)$")

    def test_micro(self):
        shown = self.run_workload("micro")
        for row in ("commits, SQLite", "commits, memory", "suggestions, random", "suggestions, grid", "steps"):
            self.assertRegex(shown, rf"(?m)^{row}.* +[0-9.,]+$")


if __name__ == "__main__":
    Smoke.program = sys.argv.pop(1)
    unittest.main()
