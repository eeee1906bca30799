#!/usr/bin/env python3
"""A small SageMaker, CloudWatch Logs and S3 for tests: training jobs play scripts instead of training.

    scripted_sagemaker.py [--port-file FILE] [--check-signatures KEY_ID:SECRET]

Prints its port (or writes it to FILE) and serves on loopback until its standard input ends. Speaks AWS JSON 1.1 at `POST /`, and
S3 by path at `/<bucket>/<key>`. With --check-signatures, requests that botocore would not have signed like that are refused.

A training job plays the script in its environment entry SCRIPT (or hyperparameter `script`), steps separated by `;`, with {name}
replaced by the hyperparameter's value:

    log TEXT        a line in the log of algo-1 (`log2 TEXT`: of algo-2)
    wait SECONDS    goes on later
    hang            until it is stopped
    interrupt       loses its spot instance and starts again, with a new log stream, at the next step
    late TEXT       a line that reaches the log only at the next call that reads it
    slowstop S      a stop takes S seconds
    succeed         Completed (also at the end of the script)
    fail REASON     Failed with this FailureReason
    timeout         Stopped, MaxRuntimeExceeded;  maxwait: Stopped, MaxWaitTimeExceeded
    vanish          the training job is deleted

Time passes only when a call looks: nothing runs in the background.

POST /control takes a JSON object, any of:
    throttle {"CreateTrainingJob": 3}    the next calls answer ThrottlingException
    refuse   {"CreateTrainingJob": ["AccessDeniedException", "text"]}   until it is null
    fault    {"CreateTrainingJob": ["cut_after", 1]}   the next calls: cut_before, cut_after (carried out, no answer), garble, e500
    down     true/false                  every connection is cut
    capacity {"ml.m5.large": 2}          the next jobs of that type fail with CapacityError
    limit    10                          ResourceLimitExceeded beyond so many live jobs
    start_seconds 0.5                    from creation to Training
    untag    "NAME"                      takes a training job's tags away
GET /stats: {"calls": {operation: count}, "timeline": [[seconds, operation, live jobs]], "starts": {job: count}, "live": n}
GET /job/NAME: what was asked for, and its state.
"""

import argparse
import hashlib
import http.server
import json
import re
import struct
import sys
import threading
import time
import urllib.parse

ARN = "arn:aws:sagemaker:us-east-1:123456789012:training-job/"
GROUP = "/aws/sagemaker/TrainingJobs"
NAME = re.compile(r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$")
TERMINAL = ("Completed", "Failed", "Stopped")


class Refused(Exception):
    def __init__(self, code, message, status=400):
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


def float32(value):
    return struct.unpack("f", struct.pack("f", value))[0]


class Job:
    def __init__(self, request, now, start_seconds):
        self.request = request
        self.name = request["TrainingJobName"]
        self.created = now
        self.modified = now
        self.started = self.ended = None
        self.status, self.secondary = "InProgress", "Starting"
        self.transitions = [{"Status": "Starting", "StartTime": now, "StatusMessage": "Preparing the instances for training"}]
        self.failure = None
        self.streams = {}  # name -> [(timestamp in ms, message)]
        self.lost_seconds = 0.0
        self.reads = 0
        self.slowstop = 0.0
        self.stop_due = None
        script = request.get("Environment", {}).get("SCRIPT") or request.get("HyperParameters", {}).get("script", "succeed")
        for name, value in request.get("HyperParameters", {}).items():
            script = script.replace("{" + name + "}", value)
        self.steps = [step.strip().partition(" ")[::2] for step in script.split(";") if step.strip()]
        self.at = 0
        self.next = now + start_seconds  # when the next step is due
        self.gone = False

    @property
    def terminal(self):
        return self.status in TERMINAL

    def turn(self, status, now, message=""):
        self.secondary = status
        self.modified = now
        self.transitions[-1]["EndTime"] = now
        self.transitions.append({"Status": status, "StartTime": now, "StatusMessage": message})

    def stream(self, host, now):
        wanted = f"{self.name}/algo-{host}-"
        names = [name for name in self.streams if name.startswith(wanted)]
        if names and not getattr(self, "fresh", False):
            return self.streams[max(names, key=lambda name: int(name[len(wanted):]))]
        self.fresh = False
        self.streams[f"{wanted}{int(now * 1000) + len(self.streams)}"] = lines = []
        return lines

    def end(self, status, secondary, now, failure=None):
        self.status, self.failure, self.ended = status, failure, now
        self.turn(secondary, now)

    def advance(self, now):
        if self.stop_due is not None and not self.terminal:
            if now >= self.stop_due:
                self.end("Stopped", "Stopped", now)
            return
        while not self.terminal and now >= self.next:
            if self.secondary in ("Starting", "Interrupted"):
                if self.secondary == "Interrupted":
                    self.turn("Starting", now)
                if self.started is None:
                    self.started = now
                self.turn("Training", now)
            what, rest = self.steps[self.at] if self.at < len(self.steps) else ("succeed", "")
            if what == "hang":
                return
            self.at += 1
            if what in ("log", "log2", "late"):
                self.stream(2 if what == "log2" else 1, now).append((int(now * 1000), rest, self.reads + (2 if what == "late" else 0)))
            elif what == "wait":
                self.next = now + float(rest)
            elif what == "slowstop":
                self.slowstop = float(rest)
            elif what == "interrupt":
                self.turn("Interrupted", now, "The spot instance was reclaimed")
                self.fresh = True
                self.next = now + 0.05
                self.lost_seconds += 0.05
            elif what == "succeed":
                self.end("Completed", "Completed", now)
            elif what == "fail":
                self.end("Failed", "Failed", now, rest[:1024])
            elif what == "timeout":
                self.end("Stopped", "MaxRuntimeExceeded", now)
            elif what == "maxwait":
                self.end("Stopped", "MaxWaitTimeExceeded", now)
            elif what == "vanish":
                self.gone = True
                return
            else:
                raise AssertionError(f"no step {what}")

    def final_metrics(self):
        found = []
        for definition in self.request.get("AlgorithmSpecification", {}).get("MetricDefinitions", []):
            for lines in self.streams.values():
                for timestamp, text, _ in lines:
                    match = re.search(definition["Regex"], text)
                    if match:
                        try:
                            last = {"MetricName": definition["Name"], "Value": float32(float(match.group(1))), "Timestamp": timestamp / 1000}
                        except ValueError:
                            continue
                        found = [m for m in found if m["MetricName"] != definition["Name"]] + [last]
        return found

    def summary(self):
        shown = {"TrainingJobName": self.name, "TrainingJobArn": ARN + self.name.lower(), "CreationTime": self.created, "LastModifiedTime": self.modified,
                 "TrainingJobStatus": self.status, "SecondaryStatus": self.secondary}
        if self.ended:
            shown["TrainingEndTime"] = self.ended
        return shown

    def description(self):
        shown = {**{k: v for k, v in self.request.items() if k != "Tags"}, **self.summary(), "SecondaryStatusTransitions": self.transitions,
                 "ModelArtifacts": {"S3ModelArtifacts": self.model()}}
        if self.failure is not None:
            shown["FailureReason"] = self.failure
        if self.started:
            shown["TrainingStartTime"] = self.started
        if self.ended and self.started:
            # A second of the script stands for 100, so that there is something to bill.
            seconds = max(1, int((self.ended - self.started) * 100))
            shown["TrainingTimeInSeconds"] = seconds
            shown["BillableTimeInSeconds"] = max(1, seconds * 3 // 10) if self.request.get("EnableManagedSpotTraining") else seconds
            shown["FinalMetricDataList"] = self.final_metrics()
        return shown

    def model(self):
        return f"{self.request['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{self.name}/output/model.tar.gz"


class World:
    def __init__(self, credentials):
        self.lock = threading.Lock()
        self.credentials = credentials
        self.jobs = {}
        self.tags = {}
        self.objects = {}
        self.control = {"throttle": {}, "refuse": {}, "fault": {}, "down": False, "capacity": {}, "limit": None, "start_seconds": 0.0}
        self.calls, self.timeline, self.starts = {}, [], {}
        self.began = time.time()

    def advance(self, now):
        for job in list(self.jobs.values()):
            if not job.terminal:
                job.advance(now)
                if job.gone:
                    del self.jobs[job.name]
                elif job.status == "Completed":
                    self.objects["/" + job.model().removeprefix("s3://")] = b"model of " + job.name.encode()

    def live(self):
        return sum(not job.terminal for job in self.jobs.values())

    def call(self, operation, request):
        now = time.time()
        self.advance(now)
        self.calls[operation] = self.calls.get(operation, 0) + 1
        self.timeline.append([now - self.began, operation, self.live()])
        refusal = self.control["refuse"].get(operation)
        if refusal:
            raise Refused(*refusal)
        if self.control["throttle"].get(operation, 0) > 0:
            self.control["throttle"][operation] -= 1
            raise Refused("ThrottlingException", "Rate exceeded")
        handler = getattr(self, operation, None)
        if handler is None:
            raise Refused("UnknownOperationException", f"no operation {operation}")
        return handler(request, now)

    def CreateTrainingJob(self, request, now):
        name = request.get("TrainingJobName", "")
        if not NAME.match(name) or len(name) > 63:
            raise Refused("ValidationException", f"1 validation error detected: Value '{name}' at 'trainingJobName' failed to satisfy constraint: "
                          "Member must satisfy regular expression pattern: ^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
        for field in ("RoleArn", "OutputDataConfig", "AlgorithmSpecification", "ResourceConfig", "StoppingCondition"):
            if field not in request:
                raise Refused("ValidationException", f"1 validation error detected: Value at '{field}' failed to satisfy constraint: Member must not be null")
        for key, value in [*request.get("HyperParameters", {}).items(), *request.get("Environment", {}).items()]:
            if not isinstance(value, str):
                raise Refused("SerializationException", f"{key} is no string")
        if name in self.jobs:
            raise Refused("ResourceInUse", f"Training job names must be unique within an AWS account and region, and a training job with this name already exists "
                          f"({ARN}{name.lower()})")
        if self.control["limit"] is not None and self.live() >= self.control["limit"]:
            raise Refused("ResourceLimitExceeded", "The account-level service limit 'ml.m5.large for training job usage' is "
                          f"{self.control['limit']} Instances, with current utilization of {self.live()} Instances and a request delta of 1 Instances.")
        job = self.jobs[name] = Job(request, now, self.control["start_seconds"])
        self.starts[name] = self.starts.get(name, 0) + 1
        self.tags[ARN + name.lower()] = {tag["Key"]: tag["Value"] for tag in request.get("Tags", [])}
        kind = request["ResourceConfig"].get("InstanceType")
        if self.control["capacity"].get(kind, 0) > 0:
            self.control["capacity"][kind] -= 1
            job.end("Failed", "Failed", now, "CapacityError: Unable to provision requested ML compute capacity. Please retry using a different ML instance type.")
        return {"TrainingJobArn": ARN + name.lower()}

    def found(self, request):
        job = self.jobs.get(request.get("TrainingJobName"))
        if job is None:
            raise Refused("ValidationException", "Requested resource not found.")
        return job

    def DescribeTrainingJob(self, request, now):
        return self.found(request).description()

    def StopTrainingJob(self, request, now):
        job = self.found(request)
        if job.terminal:
            raise Refused("ValidationException", f"The request was rejected because the training job is in status {job.status}.")
        if job.stop_due is None:
            job.status = "Stopping"
            job.turn("Stopping", now)
            job.stop_due = now + job.slowstop
        return None

    def page(self, items, request, key, most=100):
        begin = int(request.get("NextToken", 0))
        size = min(most, request.get("MaxResults", 10 if key == "TrainingJobSummaries" else most))
        answer = {key: items[begin:begin + size]}
        if begin + size < len(items):
            answer["NextToken"] = str(begin + size)
        return answer

    def ListTrainingJobs(self, request, now):
        if not re.fullmatch(r"[a-zA-Z0-9\-]*", request.get("NameContains", "")) or len(request.get("NameContains", "")) > 63:
            raise Refused("ValidationException", "NameContains")
        jobs = [job for job in self.jobs.values() if request.get("NameContains", "").lower() in job.name.lower()
                and request.get("StatusEquals", job.status) == job.status
                and job.modified > request.get("LastModifiedTimeAfter", 0)]
        jobs.sort(key={"Name": lambda job: job.name, "Status": lambda job: job.status}.get(request.get("SortBy"), lambda job: job.created),
                  reverse=request.get("SortOrder") == "Descending")
        return self.page([job.summary() for job in jobs], request, "TrainingJobSummaries")

    def Search(self, request, now):
        jobs = list(self.jobs.values())
        for one in request.get("SearchExpression", {}).get("Filters", []):
            if one["Name"] == "TrainingJobName" and one["Operator"] == "Contains":
                jobs = [job for job in jobs if one["Value"] in job.name]
            elif one["Name"] == "TrainingJobName" and one["Operator"] == "In":
                jobs = [job for job in jobs if job.name in one["Value"].split(",")]
            else:
                raise Refused("ValidationException", f"no filter {one}")
        jobs.sort(key=lambda job: job.modified, reverse=True)
        return self.page([{"TrainingJob": {**job.description(), "Tags": []}} for job in jobs], request, "Results")

    def AddTags(self, request, now):
        tags = self.tags.setdefault(request["ResourceArn"], {})
        tags.update({tag["Key"]: tag["Value"] for tag in request["Tags"]})
        return {"Tags": request["Tags"]}

    def ListTags(self, request, now):
        return {"Tags": [{"Key": key, "Value": value} for key, value in self.tags.get(request["ResourceArn"], {}).items()]}

    def DescribeLogStreams(self, request, now):
        if request.get("logGroupName") != GROUP:
            raise Refused("ResourceNotFoundException", "The specified log group does not exist.")
        names = sorted(name for job in self.jobs.values() for name in job.streams if name.startswith(request.get("logStreamNamePrefix", "")))
        begin = int(request.get("nextToken", 0))
        size = request.get("limit", 50)
        answer = {"logStreams": [{"logStreamName": name} for name in names[begin:begin + size]]}
        if begin + size < len(names):
            answer["nextToken"] = str(begin + size)
        return answer

    def GetLogEvents(self, request, now):
        name = request["logStreamName"]
        job = self.jobs.get(name.split("/")[0])
        if job is None or name not in job.streams:
            raise Refused("ResourceNotFoundException", "The specified log stream does not exist.")
        job.reads += 1
        lines = [line for line in job.streams[name] if line[2] < job.reads]
        token = request.get("nextToken", "f/0")
        if not re.fullmatch(r"f/\d+", token):
            raise Refused("InvalidParameterException", "The specified nextToken is invalid.")
        begin = int(token[2:])
        end = min(len(lines), begin + min(request.get("limit", 10000), 10000))
        return {"events": [{"timestamp": t, "message": text, "ingestionTime": t} for t, text, _ in lines[begin:end]],
                "nextForwardToken": f"f/{end:d}", "nextBackwardToken": f"b/{begin:d}"}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # a whole answer in one write

    def log_message(self, *arguments):
        pass

    def answer(self, status, body, kind="application/x-amz-json-1.1", headers=()):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def fault(self, operation):
        kind, count = self.server.world.control["fault"].get(operation, ("", 0))
        if count <= 0:
            return ""
        self.server.world.control["fault"][operation] = (kind, count - 1)
        return kind

    def cut(self):
        self.close_connection = True

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def do_POST(self):
        world, body = self.server.world, self.body()
        if self.path == "/control":
            with world.lock:
                for key, value in json.loads(body).items():
                    if key == "untag":
                        world.tags.pop(ARN + value.lower(), None)
                    elif isinstance(value, dict):
                        world.control[key].update(value)
                    else:
                        world.control[key] = value
            return self.answer(200, b"{}")
        operation = self.headers.get("X-Amz-Target", "").partition(".")[2]
        with world.lock:
            if world.control["down"]:
                return self.cut()
            fault = self.fault(operation)
            if fault == "cut_before":
                return self.cut()
            try:
                self.check_signature(body)
                answer = world.call(operation, json.loads(body or b"{}"))
                status, text, headers = 200, b"" if answer is None else json.dumps(answer).encode(), [("x-amzn-requestid", "r")]
            except Refused as refused:
                status = refused.status
                text = json.dumps({"__type": refused.code, "message": refused.message}).encode()
                headers = [("x-amzn-errortype", refused.code)]
        if fault == "cut_after":
            return self.cut()
        if fault == "garble":
            return self.answer(200, b'{"Training\xff')
        if fault == "e500":
            return self.answer(500, b"<html>oops</html>", "text/html")
        return self.answer(status, text, headers=headers)

    def do_GET(self):
        world = self.server.world
        with world.lock:
            world.advance(time.time())
            if self.path == "/stats":
                shown = {"calls": world.calls, "timeline": world.timeline, "starts": world.starts, "live": world.live()}
                return self.answer(200, json.dumps(shown).encode())
            if self.path.startswith("/job/"):
                job = world.jobs.get(self.path.removeprefix("/job/"))
                return self.answer(200 if job else 404, json.dumps({"request": job.request, **job.description()} if job else {}).encode())
            return self.s3()

    do_HEAD = do_GET

    def do_PUT(self):
        body = self.body()
        with self.server.world.lock:
            return self.s3(body)

    def s3(self, body=None):
        world = self.server.world
        if world.control["down"]:
            return self.cut()
        operation = f"S3.{self.command}"
        world.calls[operation] = world.calls.get(operation, 0) + 1
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        if path.strip("/").startswith("no-such-bucket"):
            return self.answer(404, b"<Error><Code>NoSuchBucket</Code><Message>The specified bucket does not exist</Message></Error>", "application/xml")
        if body is not None:
            world.objects[path] = body
            return self.answer(200, b"", "application/xml", [("ETag", f'"{hashlib.md5(body).hexdigest()}"')])
        if path.strip("/").count("/") == 0:
            prefix = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query).get("prefix", [""])[0]
            keys = [key for key in sorted(world.objects) if key.startswith(f"/{path.strip('/')}/{prefix}")]
            items = "".join(f"<Contents><Key>{urllib.parse.quote(key.split('/', 2)[2])}</Key><Size>{len(world.objects[key])}</Size>"
                            "<LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;e&quot;</ETag></Contents>" for key in keys[:1000])
            return self.answer(200, f"<ListBucketResult><IsTruncated>false</IsTruncated>{items}</ListBucketResult>".encode(), "application/xml")
        if path not in world.objects:
            return self.answer(404, b"<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>", "application/xml")
        return self.answer(200, world.objects[path], "application/octet-stream", [("ETag", f'"{hashlib.md5(world.objects[path]).hexdigest()}"')])

    def check_signature(self, body):
        if self.server.world.credentials is None:
            return
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials
        import datetime
        import unittest.mock

        given = self.headers.get("Authorization", "")
        match = re.fullmatch(r"AWS4-HMAC-SHA256 Credential=([^/]+)/\d+/([^/]+)/([^/]+)/aws4_request, ?SignedHeaders=([^,]+), ?Signature=(\w+)", given)
        if not match or match.group(1) != self.server.world.credentials[0]:
            raise Refused("UnrecognizedClientException", "The security token included in the request is invalid.", 403)
        signed = {name: self.headers[name] for name in match.group(4).split(";") if name != "host"}
        stamp = datetime.datetime.strptime(self.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
        request = AWSRequest(method="POST", url=f"http://{self.headers['Host']}{self.path}", data=body, headers=signed)
        signer = SigV4Auth(Credentials(*self.server.world.credentials), match.group(3), match.group(2))
        request.context["timestamp"] = stamp.strftime("%Y%m%dT%H%M%SZ")
        canonical = signer.canonical_request(request)
        if signer.signature(signer.string_to_sign(request, canonical), request) != match.group(5):
            raise Refused("InvalidSignatureException", "The request signature we calculated does not match the signature you provided.", 403)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port-file")
    parser.add_argument("--check-signatures", help="KEY_ID:SECRET")
    arguments = parser.parse_args()
    server = Server(("127.0.0.1", 0), Handler)
    server.world = World(tuple(arguments.check_signatures.split(":")) if arguments.check_signatures else None)
    port = server.server_address[1]
    if arguments.port_file:
        with open(arguments.port_file, "w") as file:
            file.write(f"{port}\n")
    else:
        print(port, flush=True)

    def end_with_input():
        sys.stdin.buffer.read()
        server.shutdown()

    threading.Thread(target=end_with_input, daemon=True).start()
    server.serve_forever()


if __name__ == "__main__":
    main()
