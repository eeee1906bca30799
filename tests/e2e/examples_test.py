"""Runs the examples as their READMEs say, with fewer trials."""

import json
import re

import harness
from harness import BIN, EXAMPLES, TUNER, run


class Examples(harness.EndToEnd):
    def smaller(self, example, trials):
        """The example's job file with fewer trials, in a copy beside its script: same folder contents, other place."""
        folder = self.folder / example
        folder.mkdir()
        for path in (EXAMPLES / example).glob("*.*"):
            (folder / path.name).write_bytes(path.read_bytes())
        text = (folder / "job.yaml").read_text()
        text, changes = re.subn(r"max_trials: \d+", f"max_trials: {trials}", text)
        self.assertEqual(1, changes)
        (folder / "job.yaml").write_text(text.replace("../../build/bin", str(BIN)))
        return folder / "job.yaml"

    def run_example(self, example, name, trials):
        """Runs it to its end in a data folder of its own; its best trial and all trials."""
        data = ["--data", self.folder / "data"]
        result = run(TUNER, "run", self.smaller(example, trials), *data)
        self.assertIn("best", (result.stdout + result.stderr).lower())
        found = json.loads(run(TUNER, "trials", name, "--measurements", "--output", "json", *data).stdout)["trials"]
        self.assertEqual(["COMPLETED"] * trials, [trial["state"] for trial in found], found)
        best = json.loads(run(TUNER, "best", name, "--output", "json", *data).stdout)
        return best, found

    def test_xgboost(self):
        best, trials = self.run_example("xgboost_breast_cancer", "xgboost-breast-cancer", 3)
        objectives = [trial["objective"] for trial in trials]
        self.assertEqual(min(objectives), best["objective"])
        self.assertTrue(all(0.01 < value < 0.7 for value in objectives), objectives)
        self.assertEqual(3, len(set(objectives)))
        for trial in trials:
            self.assertEqual({"eta", "min_child_weight", "alpha", "max_depth", "subsample"}, set(trial["parameters"]) - {"num_round"})
            steps = [int(m.get("step", 0)) for m in trial["measurements"] if m["metric"] == "validation:logloss"]
            self.assertEqual(list(range(100)), steps)

    def test_xgboost_fetches_the_best_model(self):
        self.run_example("xgboost_breast_cancer", "xgboost-breast-cancer", 2)
        run(TUNER, "best", "xgboost-breast-cancer", "--fetch", self.folder / "best", "--data", self.folder / "data")
        models = list((self.folder / "best").rglob("model.json"))
        self.assertEqual(1, len(models), list((self.folder / "best").rglob("*")))
        self.assertIn("learner", json.loads(models[0].read_text()))

    def test_xgboost_runs_by_itself(self):
        script = EXAMPLES / "xgboost_breast_cancer" / "train.py"
        output = run(harness.venv_python(), script, "--num_round", 2, "--eta", 0.1, cwd=self.folder).stdout
        self.assertRegex(output, r"^\[0\]\ttrain-logloss:[0-9.]+\tvalidation-logloss:[0-9.]+\n\[1\]\t")
        self.assertTrue((self.folder / "model" / "model.json").exists())

    def test_cpp_objective(self):
        best, trials = self.run_example("cpp_objective", "branin", 6)
        self.assertEqual(min(trial["objective"] for trial in trials), best["objective"])

    def test_ask_and_tell_from_python(self):
        server = self.serve()
        worker = EXAMPLES / "ask_tell_python" / "worker.py"
        output = run(harness.venv_python(), worker, "--endpoint", server.endpoint, "--trials", 5).stdout
        self.assertRegex(output, r"best: tuningJobs/ask-tell-python/trials/\d+ loss 0\.\d+")
        trials = server.json("trials", "ask-tell-python", "--measurements")["trials"]
        self.assertEqual(["COMPLETED"] * 5, [trial["state"] for trial in trials])
        self.assertEqual([10] * 5, [len(trial["measurements"]) for trial in trials])
        self.assertEqual("COMPLETED", server.json("show", "ask-tell-python")["state"])


if __name__ == "__main__":
    harness.main()
