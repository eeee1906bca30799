"""All tasks by name: what a method is asked to minimise, and what its regret is measured against."""

import functools
import importlib.util
import json
import os
import pathlib
import zlib

import numpy as np

import space as spaces
import synthetic

# Random points whose median is the value at which normalised regret is 1.
SYNTHETIC_DRAWS, TRAINING_DRAWS = 1000, 100
QUICK_SEEDS = 3


@functools.cache
def training_names():
    """Names of the real trainings; none where their packages are missing."""
    if not all(importlib.util.find_spec(package) for package in ("sklearn", "xgboost")):
        return ()
    import trainings
    return tuple(trainings.TASKS)


def names():
    return (*synthetic.TASKS, *training_names())


def classes(name):
    """The classes by which results are grouped; "synthetic" or "real" is one of them."""
    if name in synthetic.TASKS:
        return ("synthetic", *synthetic.TASKS[name][0])
    import trainings
    return ("real", *trainings.TASKS[name][0])


class Task:
    """One instance: the task for a seed. The same for every method.

    folder: evaluations of real trainings and the instance's scale are kept there, and read by later runs.
    """

    def __init__(self, name, seed, folder):
        self.name, self.seed = name, seed
        self._folder = pathlib.Path(folder) / "instances"
        self.noise, self.optimum = None, None
        if name in synthetic.TASKS:
            instance = synthetic.make(name, seed)
            self.space, self._evaluate = instance.space, instance.evaluate
            self.noise, self.optimum = instance.noise, instance.optimum
        else:
            import trainings
            self.space, evaluate = trainings.make(name, seed)
            self._evaluate = Cached(evaluate, self._folder / f"{name}-{seed}-evaluations.jsonl")

    def value(self, point):
        """The value without noise."""
        return self._evaluate(point)

    def observed(self, value, trial):
        """The value with the noise of that trial: the same noise for the same trial number of every method."""
        if self.noise is None:
            return value
        return value + self.noise(value) * np.random.default_rng([zlib.crc32(self.name.encode()), self.seed, 1, trial]).normal()

    def scale(self):
        """{"optimum": least value known or null, "median": median value of random points}, computed once."""
        path = self._folder / f"{self.name}-{self.seed}-scale.json"
        if not path.exists():
            uniform = np.random.default_rng([zlib.crc32(self.name.encode()), self.seed, 2]).random
            draws = SYNTHETIC_DRAWS if self.name in synthetic.TASKS else TRAINING_DRAWS
            values = [self.value(spaces.draw(self.space, uniform)) for _ in range(draws)]
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(f".{os.getpid()}")
            partial.write_text(json.dumps({"optimum": self.optimum, "median": float(np.median(values)), "best_draw": float(np.min(values))}))
            partial.replace(path)
        return json.loads(path.read_text())


class Cached:
    """A function of a point whose values are kept in a file, one JSON line each; several processes may use the file at once."""

    def __init__(self, function, path):
        self._function, self._path, self._known = function, path, {}
        if path.exists():
            for line in path.read_text().splitlines():
                if line.endswith("}"):
                    row = json.loads(line)
                    self._known[row["key"]] = row["value"]

    def __call__(self, point):
        rounded = {name: float(f"{value:.10g}") if isinstance(value, float) else value for name, value in sorted(point.items())}
        key = json.dumps(rounded)
        if key not in self._known:
            self._known[key] = self._function(rounded)
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with open(self._path, "ab") as file:
                file.write((json.dumps({"key": key, "value": self._known[key]}) + "\n").encode())
        return self._known[key]
