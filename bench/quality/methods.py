"""The methods that are compared: ours over gRPC, and each peer in a process of its own environment."""

import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import environments
import space as spaces

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PATIENCE_SECONDS = 60


@dataclasses.dataclass(frozen=True)
class Method:
    """One line of the comparison.

    environment: the Python environment that it needs ("" for ours). script, options: the peer's adapter and its first message.
    seeds: how many it is run for unless told. limit: seconds of processor time that a run of 100 trials may take before it is cut.
    """
    title: str
    environment: str = ""
    script: str = ""
    options: dict = dataclasses.field(default_factory=dict)
    strategy: dict = None
    seeds: int = 3
    limit: float = 600


METHODS = {
    "tuner": Method("tuner", strategy={"bayesian": {}}, seeds=10, limit=300),
    "random": Method("random (tuner)", strategy={"random": {}}, seeds=10, limit=300),
    "optuna-tpe": Method("Optuna TPE", "optuna", "optuna_peer.py", {"sampler": "tpe"}, seeds=10, limit=300),
    "optuna-gp": Method("Optuna GP", "torch", "optuna_peer.py", {"sampler": "gp"}, seeds=5),
    "optuna-cmaes": Method("Optuna CMA-ES", "optuna", "optuna_peer.py", {"sampler": "cmaes"}, seeds=5, limit=300),
    "nevergrad": Method("Nevergrad NGOpt", "nevergrad", "nevergrad_peer.py", {"optimizer": "NGOpt"}, seeds=10, limit=300),
    "smac": Method("SMAC", "smac", "smac_peer.py", seeds=5, limit=900),
    "botorch": Method("BoTorch qLogNEI", "torch", "botorch_peer.py", limit=1800),
    "hebo": Method("HEBO", "hebo", "hebo_peer.py", limit=1800),
    "vizier": Method("OSS Vizier GP bandit", "vizier", "vizier_peer.py", limit=1800),
}


def one_thread():
    """The environment of a program that is to use one thread."""
    ones = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")}
    return {**os.environ, **ones, "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1", "PYTHONDONTWRITEBYTECODE": "1",
            "TF_CPP_MIN_LOG_LEVEL": "3", "JAX_PLATFORMS": "cpu"}


class Peer:
    """A peer's adapter, spoken to by one JSON line per request and per answer. It can run many studies, one after another."""
    folder = HERE / "peers"

    def __init__(self, method, log):
        python = environments.python(method.environment)
        self._process = subprocess.Popen([python, self.folder / method.script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                                         text=True, env=one_thread())
        self._options = method.options

    def start(self, space, seed, parallel, budget):
        self._space = space
        self._request(start={"space": spaces.to_json(space), "seed": seed, "parallel": parallel, "budget": budget, **self._options})

    def ask(self):
        """(handle for tell, point, seconds, basis: "" as a peer states none)."""
        answer = self._request(ask={})
        return answer["handle"], spaces.project(self._space, answer["values"]), answer["seconds"], ""

    def tell(self, handle, value):
        return self._request(tell={"handle": handle, "value": value})["seconds"]

    def tell_many(self, points, values):
        """Tells finished points that were not asked for. Seconds that it took."""
        return self._request(tell_many={"points": points, "values": values})["seconds"]

    @staticmethod
    def await_answer(stream):
        """Called before an answer is read; replaced by those who do not wait for ever."""

    def kill(self):
        self._process.kill()

    def close(self):
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _request(self, **message):
        try:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
            self.await_answer(self._process.stdout)
            line = self._process.stdout.readline()
        except OSError:
            line = ""
        if not line:
            raise RuntimeError(f"the adapter ended with {self._process.wait()}")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer


def reason(error):
    """The error in one line; of an RPC its code and message."""
    if hasattr(error, "details"):
        return f"{error.code().name}: {error.details()}"
    return f"{type(error).__name__}: {error}".splitlines()[0][:300]


def domain(parameter):
    """The parameter in the API's JSON, without children."""
    if parameter.kind == "categorical":
        return {"categorical": {"values": list(parameter.values)}}
    if parameter.kind == "boolean":
        return {"boolean": {}}
    return {parameter.kind: {"min": parameter.low, "max": parameter.high, "scale": "LOG" if parameter.log else "LINEAR"}}


def api_parameters(space, parent=""):
    """The space as `parameters` of a job: children stand under their parents."""
    rows = []
    for parameter in space:
        if parameter.parent != parent:
            continue
        row, groups = {"name": parameter.name, **domain(parameter)}, {}
        for child in api_parameters(space, parameter.name):
            values = next(p.parent_values for p in space if p.name == child["name"])
            groups.setdefault(values, []).append(child)
        if groups:
            row["children"] = [{"values": list(values), "parameters": children} for values, children in groups.items()]
        rows.append(row)
    return rows


class Tuner:
    """`tuner serve` on a unix socket with a store in memory, asked and told over gRPC as any user's program would."""

    def __init__(self, method, log, program=None, deadline_seconds=10.0):
        sys.path.insert(0, environments.stubs())
        import grpc
        from google.protobuf import json_format
        from tuner.v1 import tuning_job_pb2, tuning_service_pb2, tuning_service_pb2_grpc
        self._parse, self._job, self._service = json_format.ParseDict, tuning_job_pb2, tuning_service_pb2
        self._strategy, self._deadline, self._count = method.strategy, deadline_seconds, 0
        self._folder = tempfile.mkdtemp(prefix="tuner-quality-")
        path = os.path.join(self._folder, "s")
        program = program or os.environ.get("TUNER_PROGRAM") or ROOT / "build" / "bin" / "tuner"
        self._process = subprocess.Popen(
            [program, "serve", "--data", os.path.join(self._folder, "data"), "--listen", f"unix:{path}", "--storage", "memory:", "--strategy-threads", "1"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=one_thread())
        self.pid = self._process.pid
        self._channel = grpc.insecure_channel(f"unix:{path}", options=[("grpc.max_receive_message_length", -1)])
        self.stub = tuning_service_pb2_grpc.TuningServiceStub(self._channel)
        self._await()

    def _await(self):
        """Until the server has opened its store: it answers UNAVAILABLE before."""
        import grpc
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                self.stub.ListStrategies(self._service.ListStrategiesRequest(), wait_for_ready=True, timeout=1)
                return
            except grpc.RpcError as error:
                if self._process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"the server does not answer: {reason(error)}") from None
                time.sleep(0.01)

    def start(self, space, seed, parallel, budget, **more):
        """Creates the job. `more` goes into its specification (additional objectives, outcome constraints)."""
        self._count += 1
        spec = {"name": f"quality-{self._count}", "objective": {"metric": "value", "goal": "MINIMIZE"}, "parameters": api_parameters(space),
                "strategy": {**self._strategy, "random_seed": seed}, "limits": {"max_trials": budget, "max_parallel_trials": parallel},
                "trial": {"external": {"lease": "86400s"}}, **more}
        request = self._service.CreateTuningJobRequest(spec=self._parse(spec, self._job.TuningJobSpec()))
        self.job, self._space = self.stub.CreateTuningJob(request).job.name, space
        self._free = [f"worker-{i}" for i in range(parallel)]

    def ask(self):
        worker = self._free.pop(0)
        request = self._service.SuggestTrialsRequest(parent=self.job, worker_id=worker, count=1)
        request.deadline.FromNanoseconds(int(self._deadline * 1e9))
        begin = time.perf_counter()
        answer = self.stub.SuggestTrials(request)
        seconds = time.perf_counter() - begin
        if not answer.trials:
            raise RuntimeError(f"no trial: {answer.reason}")
        trial = answer.trials[0]
        values = {name: getattr(value, value.WhichOneof("kind")) for name, value in trial.parameters.items()}
        return (trial.name, worker), spaces.project(self._space, values), seconds, trial.basis.Kind.Name(trial.basis.kind)

    def tell(self, handle, value):
        """value: the objective, or a dictionary of all metrics."""
        name, worker = handle
        metrics = value if isinstance(value, dict) else {"value": value}
        request = self._service.CompleteTrialRequest(name=name, attempt=1, worker_id=worker, final_metrics=metrics)
        begin = time.perf_counter()
        self.stub.CompleteTrial(request)
        seconds = time.perf_counter() - begin
        self._free.append(worker)
        return seconds

    def tell_many(self, points, values):
        begin = time.perf_counter()
        for first in range(0, len(points), 1000):
            request = self._service.AddTrialsRequest(parent=self.job)
            for point, value in zip(points[first:first + 1000], values[first:first + 1000]):
                self._parse({"parameters": point, "state": "COMPLETED", "finalMetrics": {"value": value}}, request.trials.add())
            self.stub.AddTrials(request)
        return time.perf_counter() - begin

    def close(self):
        self._channel.close()
        self._process.terminate()
        try:
            self._process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


def open_method(method, log, **options):
    """A running Tuner or Peer. options: of Tuner."""
    return Peer(method, log) if method.script else Tuner(method, log, **options)
