"""Slots that the jobs of a server share: never more trials at a time, not across a kill either, and none is left out."""

import harness

JOB = """
name: {name}
objective: {{metric: loss, goal: MINIMIZE}}
parameters:
- {{name: x, double: {{min: 0, max: 1}}}}
strategy: {{random: {{}}, random_seed: 1}}
limits: {{max_trials: {trials}, max_parallel_trials: 3}}
trial:
  process: {{command: [sh, -c, "{command}"]}}
  metrics:
  - {{name: loss, regex: "loss=([0-9.]+)"}}
"""


class SlotsTest(harness.EndToEnd):
    def create(self, server, name, command, trials):
        file = self.folder / f"{name}.yaml"
        file.write_text(JOB.format(name=name, command=command, trials=trials))
        server.cli("create", file)

    def test_jobs_share_them_through_a_kill(self):
        server = self.serve("--executor-slots", "process=2")
        log = self.folder / "log"
        for name in ("first", "second"):
            self.create(server, name, f"echo + {name} >> {log}; sleep 0.1; echo loss=1; echo - >> {log}", 8)
        harness.wait_until(lambda: log.exists() and log.read_text().count("+") >= 5, "five trials begin")
        server.kill()
        server.start()
        for name in ("first", "second"):
            self.assertEqual(server.await_job(name)["state"], "COMPLETED")
        running, most, turns = 0, 0, []
        for line in log.read_text().splitlines():
            running += 1 if line.startswith("+") else -1
            most = max(most, running)
            turns += [line[2:]] if line.startswith("+") else []
        self.assertEqual(most, 2)
        self.assertEqual(sorted(turns), ["first"] * 8 + ["second"] * 8)
        # The second came when the first had both; from then on each had one.
        self.assertGreaterEqual(turns[:8].count("second"), 2, turns)

    def test_a_trial_says_what_it_waits_for(self):
        config = self.folder / "config.yaml"
        config.write_text("executor_slots: {process: 1}\nexecutor_launches_per_second: [process=100]\n")
        server = self.serve("--config", config)
        self.create(server, "first", "sleep 1000", 3)
        harness.wait_until(lambda: "RUNNING" in server.cli("trials", "first").stdout, "a trial runs")
        self.create(server, "second", "sleep 1000", 3)

        def queued():
            trials = server.json("trials", "second")["trials"]
            return [trial for trial in trials if trial["state"] == "QUEUED" and "server" in trial["reason"]]

        harness.wait_until(queued, "the second job's trial is queued")
        self.assertEqual(queued()[0]["reason"], "waits for the server's only slot of process")
        server.cli("stop", "first")
        harness.wait_until(lambda: "RUNNING" in server.cli("trials", "second").stdout, "it runs")
        server.cli("stop", "second")

    def test_settings_are_checked(self):
        for setting, text in [
            ("nothing=1", "executor nothing: there is none of this name. There are: process,"),
            ("external=1", "executor external: its trials run with the workers"),
            ("process", 'executor_slots: "process" should be an executor and a number, such as process=8'),
        ]:
            result = harness.run(harness.TUNER, "serve", "--data", self.folder / "data", "--listen", f"unix:{self.folder}/s",
                                 "--executor-slots", setting, check=False)
            self.assertEqual(result.returncode, 2, result.stderr)
            self.assertIn(text, result.stderr)


if __name__ == "__main__":
    harness.main()
