"""The methods that are compared: ours over gRPC, and each peer in a process of its own environment.

All have next(worker) -> (trial, point) or None, report(worker, trial, epoch, value) -> whether it goes on, end(worker, trial, epoch,
value). A trial that was cut and is handed out again goes on where it was.
"""

import pathlib
import time

import methods
import space as spaces
from methods import Method

HERE = pathlib.Path(__file__).resolve().parent
ETA = 3


def hyperband(**more):
    return {"hyperband": {"eta": ETA, **more}}


# `max_resource` of ours is added for each task. Limits are seconds of processor time of a run of 64 full trainings.
METHODS = {
    "random": Method("random, full trainings (tuner)", strategy={"random": {}}, seeds=10),
    "tuner-hyperband": Method("Hyperband, random (tuner)", strategy=hyperband(sampler="RANDOM"), seeds=10),
    "tuner-hyperband-model": Method("Hyperband, model (tuner)", strategy=hyperband(sampler="MODEL"), seeds=10, limit=3600),
    "tuner-hyperband-3": Method("Hyperband, 3 brackets, random (tuner)", strategy=hyperband(sampler="RANDOM", brackets=3), seeds=10),
    "tuner-bayesian": Method("Bayesian, full trainings (tuner)", strategy={"bayesian": {}}, seeds=5),
    "tuner-bayesian-median": Method("Bayesian, median rule (tuner)", strategy={"bayesian": {}}, options={"early_stopping": {"median": {}}}, seeds=5),
    "syne-asha": Method("Syne Tune ASHA", "syne-tune", "syne_tune_peer.py", {"searcher": "random", "brackets": 1}, seeds=10),
    "syne-hyperband": Method("Syne Tune async Hyperband", "syne-tune", "syne_tune_peer.py", {"searcher": "random", "brackets": 0}, seeds=10),
    "syne-mobster": Method("Syne Tune MOBSTER", "syne-tune", "syne_tune_peer.py", {"searcher": "bayesopt", "brackets": 1}, limit=1200),
    "optuna-hyperband": Method("Optuna HyperbandPruner + random", "optuna", "optuna_pruner_peer.py", {"sampler": "random"}, seeds=10),
    "optuna-hyperband-tpe": Method("Optuna HyperbandPruner + TPE", "optuna", "optuna_pruner_peer.py", {"sampler": "tpe"}, seeds=10, limit=1200),
}

# What the targets of the benchmark are stated for.
BASELINE, RANDOM_SAMPLED, MODEL_SAMPLED = "random", ("tuner-hyperband",), ("tuner-hyperband-model",)
RANDOM_PEERS, MODEL_PEERS = ("syne-asha", "syne-hyperband", "optuna-hyperband"), ("syne-mobster", "optuna-hyperband-tpe")


class Peer(methods.Peer):
    """A peer's adapter of peers/."""
    folder = HERE / "peers"

    def begin(self, space, seed, workers, resource, budget):
        self._space, self.next_seconds, self.basis = space, 0.0, {}
        self._points = {}
        self._request(start={"space": spaces.to_json(space), "seed": seed, "workers": workers, "resource": resource, "eta": ETA, **self._options})

    def next(self, worker):
        answer = self._request(next={})
        self.next_seconds += answer["seconds"]
        trial = answer["trial"]
        if trial is None:
            return None
        if "values" in answer:
            self._points[trial] = spaces.project(self._space, answer["values"])
        return trial, self._points[trial]

    def report(self, worker, trial, epoch, value):
        return self._request(report={"trial": trial, "epoch": epoch, "value": value})["goes_on"]

    def end(self, worker, trial, epoch, value):
        self._request(end={"trial": trial, "epoch": epoch, "value": value})

    def finish(self):
        """The adapter's next start drops the study."""


class Tuner(methods.Tuner):
    """`tuner serve`, whose workers ask, report each epoch, and end a trial when told to or when it has its resource."""

    def __init__(self, method, log, **options):
        super().__init__(method, log, **options)
        self._base, self._more = method.strategy, method.options

    def begin(self, space, seed, workers, resource, budget):
        self._strategy = {name: {**own, "max_resource": resource} if name == "hyperband" else own for name, own in self._base.items()}
        self._resource, self._held, self.next_seconds, self.basis = resource, {}, 0.0, {}
        self.start(space, seed, workers, budget, **self._more)

    def next(self, worker):
        request = self._service.SuggestTrialsRequest(parent=self.job, worker_id=f"worker-{worker}", count=1)
        request.deadline.FromNanoseconds(int(self._deadline * 1e9))
        begin = time.perf_counter()
        answer = self.stub.SuggestTrials(request)
        self.next_seconds += time.perf_counter() - begin
        if not answer.trials:
            return None
        trial = answer.trials[0]
        if len(trial.attempts) == 1:
            kind = trial.basis.Kind.Name(trial.basis.kind)
            self.basis[kind] = self.basis.get(kind, 0) + 1
        self._held[trial.name] = trial.attempts[-1].number, trial.resource or self._resource
        values = {name: getattr(value, value.WhichOneof("kind")) for name, value in trial.parameters.items()}
        return trial.name, spaces.project(self._space, values)

    def report(self, worker, trial, epoch, value):
        attempt, resource = self._held[trial]
        request = self._service.ReportMeasurementsRequest(name=trial, attempt=attempt, worker_id=f"worker-{worker}")
        request.measurements.add(metric="value", value=value, step=epoch)
        return not self.stub.ReportMeasurements(request).should_stop and epoch < resource

    def end(self, worker, trial, epoch, value):
        attempt, _ = self._held.pop(trial)
        self.stub.CompleteTrial(self._service.CompleteTrialRequest(name=trial, attempt=attempt, worker_id=f"worker-{worker}"))

    def finish(self):
        """Ends the job: it must not take memory or time from the next."""
        self.stub.StopTuningJob(self._service.StopTuningJobRequest(name=self.job))


def open_method(method, log, **options):
    """A running Tuner or Peer. options: of Tuner."""
    return Peer(method, log) if method.script else Tuner(method, log, **options)
