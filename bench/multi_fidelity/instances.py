"""All tasks by name, and what an instance's values are measured against."""

import importlib.util
import json
import os
import pathlib
import zlib

import numpy as np

import curves
import space as spaces

REAL = "mlp-digits"
# Random points from which the target and the scale are taken. The target is the value that one of 64 full random trainings reaches.
SIMULATED_DRAWS, REAL_DRAWS = 6400, 128
TARGET_QUANTILE = 1 / 64


def names():
    return (*curves.TASKS, *((REAL,) if importlib.util.find_spec("sklearn") else ()))


def simulated(name):
    return name in curves.TASKS


def make(name, seed):
    if simulated(name):
        return curves.Simulated(name, seed)
    import real
    return real.Digits(seed)


def path(folder, name, seed):
    return pathlib.Path(folder) / "instances" / f"{name}-{seed}-scale.json"


def scale(folder, name, seed):
    """{"target", "median", "least": of full random trainings, "optimum": or null, "cost": mean of an epoch}, computed once."""
    kept = path(folder, name, seed)
    if not kept.exists():
        task = make(name, seed)
        uniform = np.random.default_rng([zlib.crc32(name.encode()), seed, 2]).random
        draws = SIMULATED_DRAWS if simulated(name) else REAL_DRAWS
        values, costs = zip(*(task.sample(spaces.draw(task.space, uniform)) for _ in range(draws)))
        row = {"target": float(np.quantile(values, TARGET_QUANTILE)), "median": float(np.median(values)), "least": float(np.min(values)),
               "optimum": task.optimum, "cost": float(np.mean(costs))}
        kept.parent.mkdir(parents=True, exist_ok=True)
        partial = kept.with_suffix(f".{os.getpid()}")
        partial.write_text(json.dumps(row))
        partial.replace(kept)
    return json.loads(kept.read_text())
