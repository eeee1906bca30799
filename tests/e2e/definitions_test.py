"""Several training definitions in one job: one runs as processes of the server, the other one with a worker that asks and tells,
each searched by the Bayesian strategy; the server is restarted in between (issue 6)."""

import math

import harness

JOB = """
name: models
strategy: {bayesian: {}, random_seed: 11}
limits: {max_trials: 28, max_parallel_trials: 4}
definitions:
- name: here
  objective: {metric: loss, goal: MINIMIZE}
  parameters:
  - {name: x, double: {min: -2, max: 2}}
  - {name: y, double: {min: -2, max: 2}}
  trial:
    executors:
    - process: {command: [sh, -c, "while [ ! -e go ]; do sleep 0.02; done; test $TUNER_DEFINITION = here && awk 'BEGIN {{print \\"loss=\\" ({x} - 1) * ({x} - 1) + {y} * {y}}}'"]}
      slots: 2
    metrics:
    - {name: loss, regex: "loss=([0-9.e+-]+)"}
- name: there
  objective: {metric: score, goal: MAXIMIZE}
  parameters:
  - {name: rate, double: {min: 0.0001, max: 1}}
  trial: {external: {}}
"""


def score(parameters):
    return -((math.log10(parameters["rate"]) + 2) ** 2)


class Definitions(harness.EndToEnd):
    def work(self, server, trials):
        """Tells values for so many trials, or until none comes any more; how many those were."""
        done = 0
        while done < trials:
            answer = server.json("suggest", "models", "--worker", "w", "--count", "2")
            if answer.get("job_done"):
                break
            for trial in answer.get("trials", []):
                self.assertEqual(trial["definition"], "there")
                server.cli("complete", f"models/{trial['number']}", f"score={score(trial['parameters'])!r}", "--worker", "w")
                done += 1
        return done

    def test_run_on_executors_of_their_own(self):
        path = self.folder / "job.yaml"
        path.write_text(JOB)
        server = self.serve()
        server.cli("create", path)
        self.assertGreaterEqual(self.work(server, 6), 6)  # while those of `here` wait
        counts = [result["trial_counts"] for result in server.json("show", "models")["definitions"]]
        self.assertEqual(counts[0].get("running", 0) + counts[0].get("pending", 0), 2, counts)  # its slots, and no more
        self.assertEqual(server.stop(), 0)
        server.start()
        (self.folder / "go").touch()
        self.work(server, 100)
        job = server.await_job("models")

        self.assertEqual((job["state"], job["reason"]), ("COMPLETED", "all 28 trials have ended"))
        self.assertEqual(job["trial_counts"]["completed"], 28)
        self.assertNotIn("best_trial", job)  # their objectives cannot be compared
        here, there = job["definitions"]
        # Neither waits for the other one, so how many each has had depends on their pace.
        self.assertEqual(here["trial_counts"]["completed"] + there["trial_counts"]["completed"], 28)
        self.assertGreaterEqual(min(here["trial_counts"]["completed"], there["trial_counts"]["completed"]), 6)
        self.assertLess(here["best_trial"]["objective"], 0.3)
        self.assertGreater(there["best_trial"]["objective"], -0.3)

        trials = server.json("trials", "models", "--limit", "0")["trials"]
        executors = {(trial["definition"], attempt["executor"]) for trial in trials for attempt in trial["attempts"]}
        self.assertEqual(executors, {("here", "process"), ("there", "external")})
        self.assertEqual(server.json("best", "models", "--definition", "there")["number"], there["best_trial"]["number"])

        replayed = server.json("replay", "models")
        self.assertEqual(replayed["identical_count"], 28, replayed)
        for name, metric in (("here", "loss"), ("there", "score")):
            explained = server.json("explain", "models", "--definition", name)
            self.assertEqual(explained["metric"], metric)


if __name__ == "__main__":
    harness.main()
