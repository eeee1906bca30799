"""Tuning jobs whose trials are training jobs, through the programs: on the scripted SageMaker and, with signatures checked, on moto."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
import unittest
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import harness
from harness import EXAMPLES, ROOT, TUNER, run

SCRIPTED = ROOT / "tests" / "executors" / "scripted_sagemaker.py"
MOTO = ROOT / ".venv-tests" / "bin" / "moto_server"
SECRET = "planted/Secret+AccessKey0123456789abcdef"

JOB = """
name: {name}
objective: {{metric: loss, goal: MINIMIZE}}
parameters:
- {{name: x, double: {{min: 0.5, max: 2}}}}
strategy: {{random: {{}}, random_seed: 7}}
limits: {{max_trials: {trials}, max_parallel_trials: {parallel}}}
{more}
trial:
  sagemaker:
    role_arn: arn:aws:iam::123456789012:role/trainer
    training_image: 123456789012.dkr.ecr.us-east-1.amazonaws.com/image:1
    region: us-east-1
    output_s3_uri: s3://bucket/out
    instance_types: [ml.m5.large]
    endpoint: {endpoint}
    s3_endpoint: {endpoint}
    logs_endpoint: {endpoint}
    poll_interval: 1s
    {options}
  environment: {{SCRIPT: "{script}"}}
  metrics:
  - {{name: loss, regex: "loss=(?P<value>[0-9.e-]+)"}}
"""


def get(url, body=None):
    with urllib.request.urlopen(urllib.request.Request(url, data=body), timeout=harness.PATIENCE) as answer:
        return json.loads(answer.read() or b"{}")


class Scripted:
    """scripted_sagemaker.py, until close()."""

    def __init__(self):
        self._process = subprocess.Popen([sys.executable, SCRIPTED], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.endpoint = f"http://127.0.0.1:{int(self._process.stdout.readline())}"

    def control(self, **settings):
        get(f"{self.endpoint}/control", json.dumps(settings).encode())

    def stats(self):
        return get(f"{self.endpoint}/stats")

    def close(self):
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()


class OnSageMaker(harness.EndToEnd):
    def setUp(self):
        super().setUp()
        for name, value in {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_EC2_METADATA_DISABLED": "true"}.items():
            os.environ[name] = value
            self.addCleanup(os.environ.pop, name, None)

    def write_job(self, **fields):
        fields = {"trials": 4, "parallel": 2, "more": "", "options": "", "script": "log loss={x}; succeed", **fields}
        path = self.folder / f"{fields['name']}.yaml"
        path.write_text(JOB.format(**fields))
        return path

    def no_secret_in(self, *texts):
        for text in texts:
            self.assertNotIn(SECRET, text)
        for path in self.folder.rglob("*"):
            if path.is_file():
                self.assertNotIn(SECRET.encode(), path.read_bytes(), path)


class OnTheScriptedOne(OnSageMaker):
    def setUp(self):
        super().setUp()
        self.service = Scripted()
        self.addCleanup(self.service.close)

    def test_a_job_to_its_end(self):
        server = self.serve()
        spot = "spot: true\n    max_wait: 200000s"
        job = self.write_job(name="whole", endpoint=self.service.endpoint, options=spot, script="log hello; log loss={x}; wait 0.1; interrupt; log loss={x}; succeed")
        server.cli("create", job)
        shown = server.await_job("whole")
        self.assertEqual("COMPLETED", shown["state"], shown)
        trials = server.json("trials", "whole")["trials"]
        self.assertEqual(["COMPLETED"] * 4, [trial["state"] for trial in trials])
        for trial in trials:
            self.assertEqual(trial["parameters"]["x"], trial["objective"])
            attempt = trial["attempts"][-1]
            self.assertEqual(1, attempt["interruptions"])
            self.assertIn("training-job/tuner-whole-", attempt["location"])
            self.assertIn("saved by spot", attempt["reason"])
            self.assertLess(float(attempt["billable_time"][:-1]), float(attempt["training_time"][:-1]))
        self.assertIn("hello\nloss=", server.cli("logs", "whole/1").stdout)
        self.assertRegex(server.cli("show", "whole").stdout, r"Billed +.*billed of .* trained, \d+ % saved, 4 spot interruptions")
        server.cli("best", "whole", "--fetch", self.folder / "best")
        name = shown["best_trial"]["attempts"][-1]["location"].split("/")[-1]
        self.assertEqual(f"model of {name}", (self.folder / "best" / "model.tar.gz").read_text())
        self.assertTrue((self.folder / "best" / "stdout.log").exists())
        self.no_secret_in(json.dumps(shown), json.dumps(trials), server.log())

    def test_weak_trials_are_stopped_early(self):
        server = self.serve()
        steps = "; wait 1; ".join(["log loss={x}"] * 8)
        job = self.write_job(name="early", endpoint=self.service.endpoint, trials=8, parallel=4, script=steps + "; hang",
                             more="early_stopping: {threshold: {min_steps: 2, max: 1.0}}")
        text = job.read_text().replace("; hang", "")
        job.write_text(text)
        server.cli("create", job)
        self.assertEqual("COMPLETED", server.await_job("early")["state"])
        trials = server.json("trials", "early")["trials"]
        for trial in trials:
            self.assertEqual("EARLY_STOPPED" if trial["parameters"]["x"] > 1 else "COMPLETED", trial["state"], trial)
        self.assertIn("EARLY_STOPPED", {trial["state"] for trial in trials})
        self.assertIn("COMPLETED", {trial["state"] for trial in trials})

    def test_kills_and_cuts_leave_each_attempt_started_once(self):
        server = self.serve()
        job = self.write_job(name="cut", endpoint=self.service.endpoint, trials=12, parallel=4, script="log loss={x}; wait 0.5; log loss={x}; succeed")
        server.cli("create", job)
        for _ in range(4):
            self.service.control(fault={"CreateTrainingJob": ["cut_after", 1], "DescribeTrainingJob": ["garble", 1], "GetLogEvents": ["cut_after", 1]})
            time.sleep(0.7)
            server._process.send_signal(signal.SIGKILL)
            server._process.wait()
            self.service.control(down=True)
            server.start()
            time.sleep(0.2)
            self.service.control(down=False)
        self.assertEqual("COMPLETED", server.await_job("cut")["state"])
        trials = server.json("trials", "cut", "--measurements")["trials"]
        self.assertEqual(["COMPLETED"] * 12, [trial["state"] for trial in trials])
        for trial in trials:
            self.assertEqual(1, len(trial["attempts"]), trial)
            self.assertEqual([1, 2], [int(m["step"]) for m in trial["measurements"]], trial)
        stats = self.service.stats()
        self.assertEqual({1}, set(stats["starts"].values()), stats["starts"])
        self.assertEqual(12, len(stats["starts"]))
        self.assertEqual(0, stats["live"])
        self.assertLessEqual(max(live for _, _, live in stats["timeline"]), 4)
        self.no_secret_in(server.log())

    def test_check_says_what_would_be_refused(self):
        good = self.write_job(name="good", endpoint=self.service.endpoint)
        self.assertIn("is valid", run(TUNER, "validate", good, "--check", "--data", self.folder / "d").stdout)
        bad = self.write_job(name="bad", endpoint=self.service.endpoint)
        bad.write_text(bad.read_text().replace("s3://bucket/out", "s3://no-such-bucket/out") + "  inputs: [{name: train, s3_uri: s3://bucket/nothing}]\n")
        self.assertEqual(0, run(TUNER, "validate", bad, "--data", self.folder / "d").returncode)
        result = run(TUNER, "validate", bad, "--check", "--data", self.folder / "d", check=False)
        self.assertEqual(2, result.returncode, result.stdout + result.stderr)
        self.assertIn("trial.sagemaker.output_s3_uri", result.stderr)
        self.assertIn("there is nothing at s3://bucket/nothing", result.stderr)
        self.service.control(refuse={"ListTrainingJobs": ["AccessDeniedException", "not authorized to perform: sagemaker:ListTrainingJobs"]})
        result = run(TUNER, "validate", good, "--check", "--data", self.folder / "d", check=False)
        self.assertIn("sagemaker:ListTrainingJobs", result.stderr)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            del os.environ[name]
        result = run(TUNER, "validate", good, "--check", "--data", self.folder / "d", check=False)
        self.assertIn("no credentials", result.stderr)
        self.assertEqual(0, self.service.stats()["calls"].get("CreateTrainingJob", 0))

    def test_the_example_is_valid(self):
        self.assertIn("is valid", run(TUNER, "validate", EXAMPLES / "sagemaker" / "job.yaml", "--data", self.folder / "d").stdout)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class OnMoto(OnSageMaker):
    """moto's training jobs are completed at once and have no metrics of ours: the objective has to come from the log that we put there."""

    def setUp(self):
        super().setUp()
        if not MOTO.exists():
            if os.environ.get("CI") == "true":
                self.fail("no .venv-tests; run scripts/install-dependencies test")
            self.skipTest("no .venv-tests; run scripts/install-dependencies test")
        port = free_port()
        self.endpoint = f"http://127.0.0.1:{port}"
        server = subprocess.Popen([MOTO, "-H", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        end = time.monotonic() + harness.PATIENCE
        while True:
            try:
                get(f"{self.endpoint}/moto-api/data.json")
                break
            except OSError:
                if time.monotonic() > end or server.poll() is not None:
                    raise
                time.sleep(0.05)

    def aws(self, code):
        """Runs Python with boto3 clients `client(service)` of the moto server; what it prints."""
        prelude = f"import boto3, json\ndef client(service): return boto3.client(service, endpoint_url={self.endpoint!r}, region_name='us-east-1')\n"
        python = MOTO.parent / "python"
        return run(python, "-c", prelude + code).stdout.strip()

    def check_signatures(self):
        """From now on, requests with another signature than botocore's are refused. Gives the key to sign with."""
        created = self.aws("""
iam = client("iam")
iam.create_user(UserName="u")
key = iam.create_access_key(UserName="u")["AccessKey"]
document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
iam.put_user_policy(UserName="u", PolicyName="all", PolicyDocument=json.dumps(document))
client("s3").create_bucket(Bucket="bucket")
print(json.dumps([key["AccessKeyId"], key["SecretAccessKey"]]))
""")
        os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"] = json.loads(created)
        request = urllib.request.Request(f"{self.endpoint}/moto-api/reset-auth", data=b"0", headers={"Content-Type": "text/plain"})
        urllib.request.urlopen(request, timeout=harness.PATIENCE).close()

    def test_signed_requests_make_the_training_jobs_that_were_asked_for(self):
        self.check_signatures()
        server = self.serve()
        job = self.write_job(name="moto", endpoint=self.endpoint, trials=3)
        (self.folder / "data").mkdir(exist_ok=True)
        (self.folder / "train.csv").write_text("1,2\n")
        text = job.read_text().replace("loss=(?P<value>[0-9.e-]+)", "loss=(?P<value>[0-9.e-]+)").replace("name: loss,", "name: train:progress,")
        job.write_text(text.replace("metric: loss", "metric: train:progress") + "  inputs: [{name: train, path: train.csv}]\n")
        server.cli("create", job)
        shown = server.await_job("moto")
        self.assertEqual("COMPLETED", shown["state"], shown)
        trials = server.json("trials", "moto")["trials"]
        self.assertEqual([100] * 3, [trial["objective"] for trial in trials])  # what moto says of every training job
        jobs = json.loads(self.aws("""
sagemaker = client("sagemaker")
names = [job["TrainingJobName"] for job in sagemaker.list_training_jobs(NameContains="tuner-moto-")["TrainingJobSummaries"]]
print(json.dumps([sagemaker.describe_training_job(TrainingJobName=name) for name in names], default=str))
"""))
        self.assertEqual(3, len(jobs))
        self.assertEqual(sorted(trial["parameters"]["x"] for trial in trials), sorted(float(job["HyperParameters"]["x"]) for job in jobs))
        uploaded = {job["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"] for job in jobs}
        self.assertEqual(1, len(uploaded))
        keys = json.loads(self.aws("print(json.dumps([item['Key'] for item in client('s3').list_objects_v2(Bucket='bucket')['Contents']]))"))
        self.assertEqual([f"{uploaded.pop().removeprefix('s3://bucket/')}train.csv"], keys)

    def test_a_wrong_secret_is_refused(self):
        self.check_signatures()
        os.environ["AWS_SECRET_ACCESS_KEY"] = SECRET
        result = run(TUNER, "validate", self.write_job(name="wrong", endpoint=self.endpoint), "--check", "--data", self.folder / "d", check=False)
        self.assertEqual(2, result.returncode, result.stdout + result.stderr)
        self.assertRegex(result.stderr, "SignatureDoesNotMatch|InvalidSignature")
        self.no_secret_in(result.stdout, result.stderr)


if __name__ == "__main__":
    harness.main()
