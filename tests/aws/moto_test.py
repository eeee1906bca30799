"""The AWS clients against moto, whose signature check is switched on: moto_test.py MOTO_TEST [ARGUMENT ...]"""

import sys

import test_packages

test_packages.enter()

import contextlib  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import pathlib  # noqa: E402
import shlex  # noqa: E402
import socket  # noqa: E402
import subprocess  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
import urllib.request  # noqa: E402

import boto3  # noqa: E402

REGION = "eu-west-1"
PATIENCE = 60


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def moto(folder):
    """A moto server's URL; it ends with the block."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with open(folder / "moto.log", "wb") as log:
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        end = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/moto-api/data.json", timeout=5):
                break
            if server.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"moto does not answer:\n{(folder / 'moto.log').read_text()}")
            time.sleep(0.05)
        yield url
    finally:
        server.terminate()
        try:
            server.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def check_signatures(url):
    """From now on moto refuses what is not signed by a user that it knows, or is not allowed to that user."""
    request = urllib.request.Request(f"{url}/moto-api/reset-auth", data=b"0", headers={"Content-Type": "text/plain"}, method="POST")
    with urllib.request.urlopen(request, timeout=PATIENCE):
        pass


def fill(url):
    """What the tests expect to be there; gives a user's keys."""
    client = lambda name: boto3.client(name, endpoint_url=url, region_name=REGION, aws_access_key_id="x", aws_secret_access_key="x")  # noqa: E731
    everything = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
    trust = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]})
    iam = client("iam")
    iam.create_user(UserName="tuner")
    iam.put_user_policy(UserName="tuner", PolicyName="everything", PolicyDocument=everything)
    iam.create_role(RoleName="training", AssumeRolePolicyDocument=trust)
    iam.put_role_policy(RoleName="training", PolicyName="everything", PolicyDocument=everything)
    s3 = client("s3")
    s3.create_bucket(Bucket="bucket-of-tests", CreateBucketConfiguration={"LocationConstraint": REGION})
    for number in range(1205):
        s3.put_object(Bucket="bucket-of-tests", Key=f"many/{number:04}", Body=b"")
    logs = client("logs")
    group = "/aws/sagemaker/TrainingJobs"
    logs.create_log_group(logGroupName=group)
    now = int(time.time() * 1000)
    for stream in ("job-1/algo-1-1", "job-1/algo-2-1", "job-2/algo-1-1"):
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
    logs.put_log_events(logGroupName=group, logStreamName="job-1/algo-1-1",
                        logEvents=[{"timestamp": now, "message": "loss=0.5"}, {"timestamp": now + 1, "message": "größe=2"}])
    return iam.create_access_key(UserName="tuner")["AccessKey"]


def environment_of(url, keys, folder):
    """A user's environment and profiles."""
    program = folder / "program"
    program.write_text(json.dumps({"Version": 1, "AccessKeyId": keys["AccessKeyId"], "SecretAccessKey": keys["SecretAccessKey"]}))
    (folder / "token").write_text("of-an-identity-provider")
    role = "arn:aws:iam::123456789012:role/training"
    (folder / "config").write_text(
        f"[profile role]\nrole_arn = {role}\nsource_profile = user\nrole_session_name = tests\n"
        f"[profile chained]\nrole_arn = {role}\nsource_profile = role\n"
        f"[profile web]\nrole_arn = {role}\nweb_identity_token_file = {folder / 'token'}\n"
        f"[profile program]\ncredential_process = cat {shlex.quote(str(program))}\n")
    (folder / "credentials").write_text(f"[user]\naws_access_key_id = {keys['AccessKeyId']}\naws_secret_access_key = {keys['SecretAccessKey']}\n")
    mine = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {**mine, "AWS_ENDPOINT_URL": url, "AWS_REGION": REGION, "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ACCESS_KEY_ID": keys["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
            "AWS_CONFIG_FILE": str(folder / "config"), "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials")}


def run(environment, choice):
    """What the test program printed, and its exit code."""
    done = subprocess.run([*sys.argv[1:], f"--gtest_filter={choice}"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=PATIENCE * 4, env=environment)
    return done.stdout, done.returncode


def main():
    with tempfile.TemporaryDirectory(prefix="tuner-moto-") as name:
        folder = pathlib.Path(name)
        with moto(folder) as url:
            keys = fill(url)
            environment = environment_of(url, keys, folder)
            # Where moto checks signatures it fails at requests without one.
            unsigned, code = run(environment, "*WebIdentity*")
            check_signatures(url)
            signed, signed_code = run(environment, "-*WebIdentity*")
        print(unsigned, signed, sep="")
        if code or signed_code:
            print(f"moto's log ends with:\n{(folder / 'moto.log').read_text(errors='replace')[-4000:]}")
            sys.exit(1)
        if keys["SecretAccessKey"] in unsigned + signed:
            print("the secret key was printed")
            sys.exit(1)


if __name__ == "__main__":
    main()
