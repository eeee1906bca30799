"""Ask and tell: a training loop of your own, with a tuner server that proposes its hyperparameters.

    tuner serve --listen 127.0.0.1:7070 &
    python3 worker.py --trials 20                      # as many of these as you like, on any machine

Each worker asks for a trial, reports the loss of each epoch, stops when the server says so, and completes the trial. A worker
that dies loses its lease, and another one gets its trial.
"""

import argparse
import math
import os
import sys
import time
import uuid

import grpc
from google.protobuf import duration_pb2, json_format

from make_stubs import make_stubs

sys.path.insert(0, make_stubs())
from tuner.v1 import tuning_job_pb2, tuning_service_pb2 as service, tuning_service_pb2_grpc  # noqa: E402

JOB = {
    "objective": {"metric": "loss", "goal": "MINIMIZE"},
    "parameters": [
        {"name": "learning_rate", "double": {"min": 1e-4, "max": 1, "scale": "LOG"}},
        {"name": "layers", "integer": {"min": 1, "max": 6}},
        {"name": "activation", "categorical": {"values": ["relu", "tanh"]}},
    ],
    "strategy": {"random": {}, "random_seed": 3},
    "trial": {"external": {"lease": "60s"}},
}


def connect(endpoint, token):
    """A stub that sends the token, if there is one, with each call."""
    channel = grpc.insecure_channel(endpoint)
    if token:
        channel = grpc.intercept_channel(channel, SendToken(token))
    return tuning_service_pb2_grpc.TuningServiceStub(channel)


class SendToken(grpc.UnaryUnaryClientInterceptor):
    def __init__(self, token):
        self._metadata = [("authorization", f"Bearer {token}")]

    def intercept_unary_unary(self, continuation, details, request):
        return continuation(details._replace(metadata=[*(details.metadata or []), *self._metadata]), request)


def plain(value):
    """A google.protobuf.Value as a Python value."""
    return getattr(value, value.WhichOneof("kind"))


def train(learning_rate, layers, activation):
    """Stands for a real training: yields the loss of each epoch."""
    floor = 0.1 + 0.05 * (math.log10(learning_rate) + 2) ** 2 + 0.02 * abs(layers - 3) + (0.03 if activation == "relu" else 0)
    for epoch in range(1, 11):
        yield floor + math.exp(-0.5 * epoch)


def run_trial(stub, trial, worker):
    """Trains one trial, telling its loss after each epoch, and completes it."""
    attempt = trial.attempts[-1].number
    parameters = {name: plain(value) for name, value in trial.parameters.items()}
    for epoch, loss in enumerate(train(**parameters), start=1):
        answer = stub.ReportMeasurements(service.ReportMeasurementsRequest(
            name=trial.name, attempt=attempt, worker_id=worker, measurements=[{"metric": "loss", "value": loss, "step": epoch}]))
        if answer.should_stop:
            print(f"{trial.name}: stopped after epoch {epoch}: {answer.reason}")
            break
    done = stub.CompleteTrial(service.CompleteTrialRequest(name=trial.name, attempt=attempt, worker_id=worker))
    state = type(done).State.Name(done.state)
    print(f"{trial.name}: {state} {done.objective:.6f} {parameters}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--endpoint", default=os.environ.get("TUNER_ENDPOINT", "127.0.0.1:7070"))
    parser.add_argument("--token", default=os.environ.get("TUNER_TOKEN"), help="not needed on a unix socket")
    parser.add_argument("--job", default="ask-tell-python")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--parallel", type=int, default=4, help="trials that all workers together may hold")
    arguments = parser.parse_args()

    stub = connect(arguments.endpoint, arguments.token)
    limits = {"max_trials": arguments.trials, "max_parallel_trials": arguments.parallel}
    spec = json_format.ParseDict({"name": arguments.job, **JOB, "limits": limits}, tuning_job_pb2.TuningJobSpec())
    # The request id makes this safe to repeat: every worker sends it, the first one creates the job.
    request_id = f"{arguments.job}-{arguments.trials}-{arguments.parallel}"
    job = stub.CreateTuningJob(service.CreateTuningJobRequest(spec=spec, request_id=request_id)).job

    worker = f"worker-{uuid.uuid4()}"
    while True:
        answer = stub.SuggestTrials(service.SuggestTrialsRequest(
            parent=job.name, worker_id=worker, count=1, deadline=duration_pb2.Duration(seconds=30)))
        for trial in answer.trials:
            run_trial(stub, trial, worker)
        if answer.job_done:
            break
        if not answer.trials:  # the other workers hold all trials that may run now
            print(f"waiting: {answer.reason}")
            time.sleep(1)

    best = stub.GetTuningJob(service.GetTuningJobRequest(name=job.name)).best_trial
    print(f"best: {best.name} loss {best.objective:.6f} {({name: plain(value) for name, value in sorted(best.parameters.items())})}")


if __name__ == "__main__":
    main()
