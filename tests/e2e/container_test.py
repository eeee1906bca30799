"""Trials in containers, by the real program on a Podman of the test's own."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

import harness
from harness import EXAMPLES, PATIENCE, ROOT, TUNER, run

SERVICE = ROOT / "scripts" / "podman-service"
XGBOOST = EXAMPLES / "xgboost_breast_cancer"


def missing():
    """Why there can be no engine here; empty: there can."""
    if os.geteuid() != 0:
        return "the tests' Podman runs as root"
    for program in ("podman", "runc", "busybox"):
        if shutil.which(program) is None:
            return f"no {program}: run scripts/install-dependencies engines"
    return ""


class Containers(harness.EndToEnd):
    @classmethod
    def setUpClass(cls):
        why = missing()
        if why and os.environ.get("CI") == "true":
            raise AssertionError(why)
        if why:
            raise unittest.SkipTest(why)
        cls.engine = pathlib.Path(tempfile.mkdtemp(prefix="tuner-engine-"))
        cls.addClassCleanup(lambda: run(SERVICE, cls.engine, "remove"))
        run(SERVICE, cls.engine, "prepare")
        run(XGBOOST / "make-image", "unused", "--folder", cls.engine / "root")
        run(SERVICE, cls.engine, "import", "localhost/tuner-xgboost:1", cls.engine / "root")
        cls.start_engine()
        cls.addClassCleanup(lambda: cls.kill_engine())

    @classmethod
    def start_engine(cls):
        with open(cls.engine / "service.log", "ab") as log:
            cls.service = subprocess.Popen([SERVICE, cls.engine, "serve"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + PATIENCE
        while subprocess.run([TUNER, "doctor"], env=cls.environment(), capture_output=True, text=True).stdout.find("ok       executor container") < 0:
            if cls.service.poll() is not None or time.monotonic() > end:
                raise AssertionError((cls.engine / "service.log").read_text())
            time.sleep(0.05)

    @classmethod
    def kill_engine(cls):
        cls.service.send_signal(signal.SIGKILL)
        cls.service.wait()

    @classmethod
    def environment(cls):
        return harness.environment(DOCKER_HOST=f"unix://{cls.engine}/engine.sock")

    def run_job(self, job_file, data):
        run(TUNER, "run", job_file, "--data", data, env=self.environment())

    def trials(self, name, data):
        shown = run(TUNER, "trials", name, "--output", "json", "--data", data, env=self.environment()).stdout
        return json.loads(shown)["trials"]

    def no_containers_are_left(self):
        end = time.monotonic() + PATIENCE
        while True:
            left = run(SERVICE, self.engine, "podman", "ps", "--all", "--quiet").stdout
            if not left or time.monotonic() > end:
                return self.assertEqual("", left)
            time.sleep(0.05)

    def test_same_best_trial_as_processes(self):
        """Acceptance 2 of the executors: the example, unchanged, one trial at a time."""
        found = {}
        for job_file in ("job.yaml", "container.yaml"):
            folder = self.folder / "example"
            shutil.copytree(XGBOOST, folder, dirs_exist_ok=True)
            text = (folder / job_file).read_text()
            smaller = text.replace("max_trials: 30", "max_trials: 6").replace("max_parallel_trials: 2", "max_parallel_trials: 1")
            (folder / job_file).write_text(smaller)
            data = self.folder / job_file
            self.run_job(folder / job_file, data)
            name = "xgboost-breast-cancer" + ("-container" if job_file == "container.yaml" else "")
            found[job_file] = [(t["parameters"], t["state"], t["objective"]) for t in self.trials(name, data)]
        self.assertEqual(["COMPLETED"] * 6, [state for _, state, _ in found["job.yaml"]])
        self.assertEqual(found["job.yaml"], found["container.yaml"])
        self.no_containers_are_left()

    def test_an_isolated_trial_reports(self):
        made = run(harness.venv_python(), "-c", "import make_stubs, pathlib, sys; print(make_stubs.make_stubs(pathlib.Path(sys.argv[1])))",
                   self.folder / "stubs", cwd=EXAMPLES / "ask_tell_python")
        self.assertTrue((self.folder / "stubs" / "tuner").is_dir(), made.stdout)
        (self.folder / "report.py").write_text("""
import os, sys, grpc
sys.path.insert(0, "/opt/ml/code/stubs")
from tuner.v1 import tuning_service_pb2 as service, tuning_service_pb2_grpc, trial_pb2
channel = grpc.insecure_channel(os.environ["TUNER_ENDPOINT"])
stub = tuning_service_pb2_grpc.TuningServiceStub(channel)
token = [("authorization", "Bearer " + os.environ["TUNER_TOKEN"])]
name, attempt = os.environ["TUNER_TRIAL"], int(os.environ["TUNER_ATTEMPT"])
stub.ReportMeasurements(service.ReportMeasurementsRequest(
    name=name, attempt=attempt, measurements=[trial_pb2.Measurement(metric="loss", value=0.25)]), metadata=token)
try:
    stub.ListTuningJobs(service.ListTuningJobsRequest())
    print("got in without a token")
except grpc.RpcError as error:
    print("refused:", error.code().name)
print("interfaces", os.listdir("/sys/class/net"))
""")
        (self.folder / "job.yaml").write_text("""
name: isolated
objective: {metric: loss, goal: MINIMIZE}
parameters: [{name: x, double: {min: 0, max: 1}}]
strategy: {random: {}}
limits: {max_trials: 1}
trial:
  container: {image: "localhost/tuner-xgboost:1", command: [python3, report.py], network: none, user: "1234"}
""")
        os.chmod(self.folder, 0o755)
        data = self.folder / "data"
        self.run_job(self.folder / "job.yaml", data)
        trial = self.trials("isolated", data)[0]
        logs = run(TUNER, "logs", "isolated/1", "--data", data, env=self.environment()).stdout
        self.assertEqual(("COMPLETED", 0.25), (trial["state"], trial.get("objective")), logs)
        self.assertIn("refused: UNAUTHENTICATED", logs)
        self.assertIn("interfaces ['lo']", logs)


if __name__ == "__main__":
    harness.main()
