"""Clients that no one here wrote find the service by reflection: grpcurl, and Python without stubs (issue 3, acceptance 3)."""

import json

import harness
from harness import run

JOB = {
    "name": "by-reflection",
    "objective": {"metric": "loss", "goal": "MINIMIZE"},
    "parameters": [{"name": "x", "double": {"min": 0, "max": 1}}],
    "strategy": {"random": {}, "random_seed": 1},
    "limits": {"max_trials": 1},
    "trial": {"external": {}},
}
PYTHON_CLIENT = """
import json, sys
import grpc
from google.protobuf import descriptor_pool, json_format, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

channel = grpc.insecure_channel(sys.argv[1])
database = ProtoReflectionDescriptorDatabase(channel)
assert "tuner.v1.TuningService" in database.get_services(), database.get_services()
service = descriptor_pool.DescriptorPool(database).FindServiceByName("tuner.v1.TuningService")

def call(method, **fields):
    method = service.FindMethodByName(method)
    request = json_format.ParseDict(fields, message_factory.GetMessageClass(method.input_type)())
    reply = channel.unary_unary(f"/{service.full_name}/{method.name}", lambda m: m.SerializeToString(),
                                message_factory.GetMessageClass(method.output_type).FromString)(request, timeout=30)
    return json_format.MessageToDict(reply, preserving_proto_field_name=True)

job = call("CreateTuningJob", spec=json.loads(sys.argv[2]))["job"]
trial = call("SuggestTrials", parent=job["name"], worker_id="w")["trials"][0]
call("ReportMeasurements", name=trial["name"], attempt=1, measurements=[{"metric": "loss", "value": 0.5, "step": 1}])
call("CompleteTrial", name=trial["name"], attempt=1, worker_id="w")
print(json.dumps(call("GetTuningJob", name=job["name"])))
"""


class Clients(harness.EndToEnd):
    def grpcurl(self, server, *arguments, check=True):
        return run(harness.grpcurl(), "-plaintext", "-unix", *arguments[:-1], server.socket, *arguments[-1].split(), check=check)

    def call(self, server, method, **request):
        return json.loads(self.grpcurl(server, "-d", json.dumps(request), f"tuner.v1.TuningService/{method}").stdout)

    def test_grpcurl_lists_and_describes(self):
        server = self.serve()
        services = self.grpcurl(server, "list").stdout.split()
        self.assertIn("tuner.v1.TuningService", services)
        self.assertIn("grpc.health.v1.Health", services)
        self.assertIn("rpc CreateTuningJob", self.grpcurl(server, "describe tuner.v1.TuningService").stdout)
        health = json.loads(self.grpcurl(server, "grpc.health.v1.Health/Check").stdout)
        self.assertEqual("SERVING", health["status"])

    def test_grpcurl_runs_a_job(self):
        server = self.serve()
        created = self.call(server, "CreateTuningJob", spec=JOB)
        self.assertEqual("tuningJobs/by-reflection", created["job"]["name"])
        trial = self.call(server, "SuggestTrials", parent="tuningJobs/by-reflection", worker_id="w")["trials"][0]
        self.call(server, "ReportMeasurements", name=trial["name"], attempt=1, measurements=[{"metric": "loss", "value": 0.25, "step": 1}])
        done = self.call(server, "CompleteTrial", name=trial["name"], attempt=1)
        self.assertEqual(("COMPLETED", 0.25), (done["state"], done["objective"]))
        self.assertEqual("COMPLETED", server.await_job("by-reflection")["state"])

    def test_grpcurl_is_told_what_is_wrong(self):
        server = self.serve()
        bad = {**JOB, "parameters": [{"name": "x", "double": {"min": 2, "max": 1}}], "limits": {"max_trials": 0}}
        result = self.grpcurl(server, "-d", json.dumps({"spec": bad}), "tuner.v1.TuningService/CreateTuningJob", check=False)
        self.assertNotEqual(0, result.returncode)
        self.assertIn("InvalidArgument", result.stderr)
        self.assertIn("limits.max_trials", result.stderr)
        self.assertIn("parameters[0]", result.stderr)

    def test_python_by_reflection(self):
        server = self.serve()
        job = json.loads(run(harness.venv_python(), "-c", PYTHON_CLIENT, server.endpoint, json.dumps(JOB)).stdout)
        self.assertEqual("COMPLETED", job["state"])
        self.assertEqual(0.5, job["best_trial"]["objective"])


if __name__ == "__main__":
    harness.main()
