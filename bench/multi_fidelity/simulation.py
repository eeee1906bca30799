"""Runs one method on one instance in a child process that is cut when it takes too long, as the runner of bench/quality does."""

import zlib

import runner

import cluster
import contenders
import instances

COLUMNS = ("time", "trial", "epoch", "value", "observed")
# Of ours, whose jobs are bounded by trials: more than any run starts.
ANY_TRIALS = 100_000


def perform(study, run, folder):
    """Yields the messages of one run: its rows, then what is known at its end."""
    task, scale = instances.make(run["task"], run["seed"]), instances.scale(folder, run["task"], run["seed"])
    workers, trials = run["parallel"], run["budget"] if run.get("count") == "trials" else None
    budget_time = run["budget"] * task.resource * scale["cost"] / workers
    yield "begin", None
    yield "more", {"budget_time": budget_time, "target": scale["target"]}
    # Of each task another, as one sequence of draws would meet all tasks with the same luck.
    seed = zlib.crc32(f"{run['task']}/{run['seed']}".encode()) >> 1
    study.begin(task.space, seed, workers, task.resource, trials or ANY_TRIALS)
    outcome = cluster.Outcome()
    for row in cluster.simulate(study, task, workers, budget_time, scale["target"], outcome, trials, run.get("to_target", False)):
        yield "row", row
    study.finish()
    yield "more", {"end_time": outcome.time, "epochs": outcome.epochs, "trials": outcome.trials,
                   "next_seconds": round(study.next_seconds, 3), "basis": study.basis}


class Worker(runner.Worker):
    """A child process for one run after another. Not for several threads."""
    open_method, perform, columns = staticmethod(contenders.open_method), staticmethod(perform), COLUMNS
