"""Hyperband on real processes: promoted trials go on from their checkpoints, after the server was killed too."""

import json
import os
import signal
import subprocess
import time

import harness
from harness import PATIENCE, TUNER, run

TRAIN = """
import json, os, time
point, checkpoint = json.loads(os.environ["SM_HPS"]), os.environ["SM_CHECKPOINT_DIR"] + "/epoch"
done = int(open(checkpoint).read()) if os.path.exists(checkpoint) else 0
print("goes on after", done, flush=True)
assert int(os.environ["TUNER_RESOURCE"]) == point["epochs"]
for epoch in range(done + 1, point["epochs"] + 1):
    time.sleep(0.02)
    print(f"epoch {epoch} loss={(point['x'] - 0.3) ** 2 + 1 / epoch:.6f}", flush=True)
    with open(checkpoint + ".part", "w") as file:
        file.write(str(epoch))
    os.replace(checkpoint + ".part", checkpoint)
"""
JOB = """
name: hyperband
objective: {metric: loss, goal: MINIMIZE}
parameters: [{name: x, double: {min: 0, max: 1}}]
strategy: {hyperband: {max_resource: 9, resource_parameter: epochs, sampler: RANDOM}, random_seed: 7}
limits: {max_trials: 18, max_parallel_trials: 2}
trial:
  process: {command: [python3, train.py]}
  metrics: [{name: loss, regex: "epoch (?P<step>[0-9]+) loss=(?P<value>[0-9.]+)"}]
"""


class Hyperband(harness.EndToEnd):
    def test_goes_on_from_checkpoints_after_a_kill(self):
        (self.folder / "train.py").write_text(TRAIN)
        (self.folder / "job.yaml").write_text(JOB)
        data = ["--data", str(self.folder / "data")]
        command = [TUNER, "run", str(self.folder / "job.yaml"), *data]
        with open(self.folder / "log", "wb") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=harness.environment())
            end = time.monotonic() + PATIENCE
            while not self.paused(data) and process.poll() is None and time.monotonic() < end:
                time.sleep(0.02)
            process.send_signal(signal.SIGKILL)
            process.wait()
        run(*command)
        trials = self.trials(data)
        promoted = [trial for trial in trials if len(trial["attempts"]) > 1]
        self.assertTrue(promoted)
        for trial in promoted:
            rungs = [int(rung["resource"]) for rung in trial["rungs"]]
            for before, attempt in zip(rungs, [a for a in trial["attempts"] if a["start_reason"] == "PROMOTION"]):
                output = open(os.path.join(attempt["artifact_path"], "stdout.log")).read()
                self.assertIn(f"goes on after {before}\n", output, trial)
        self.assertEqual({0}, {int(trial.get("steps_repeated", 0)) for trial in trials})
        self.assertEqual({9}, {int(trial["resource"]) for trial in trials if trial["state"] == "COMPLETED"})
        self.assertLess(sum(int(trial["steps_run"]) for trial in trials), 18 * 9 // 2)

    def trials(self, data):
        return json.loads(run(TUNER, "trials", "hyperband", "--output", "json", *data).stdout)["trials"]

    def paused(self, data):
        result = run(TUNER, "trials", "hyperband", "--output", "json", *data, check=False)
        return result.returncode == 0 and any(trial["state"] == "PAUSED" for trial in json.loads(result.stdout).get("trials", []))


if __name__ == "__main__":
    harness.main()
