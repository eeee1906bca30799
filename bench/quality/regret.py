"""From raw runs to normalised regret, ranks and log-efficiency."""

import json
import pathlib

import numpy as np

import tasks

# Below these a regret counts as none. An optimum that is only the best value seen is known no better than that.
KNOWN_FLOOR, SEEN_FLOOR = 1e-6, 1e-3


class Scales:
    """Optimum and scale of each instance. The optimum of a real training is the least value that any method or draw has found."""

    def __init__(self, folder, runs):
        self._folder, self._seen, self._scales = pathlib.Path(folder) / "instances", {}, {}
        for run in runs.values():
            if run["value"]:
                instance = run["task"], run["seed"]
                self._seen[instance] = min(self._seen.get(instance, np.inf), min(run["value"]))

    def of(self, task, seed):
        """(optimum, median of random points - optimum, floor)."""
        if (task, seed) not in self._scales:
            row = json.loads((self._folder / f"{task}-{seed}-scale.json").read_text())
            floor = KNOWN_FLOOR if row["optimum"] is not None else SEEN_FLOOR
            optimum = row["optimum"] if row["optimum"] is not None else min(row["best_draw"], self._seen.get((task, seed), np.inf))
            self._scales[task, seed] = optimum, max(row["median"] - optimum, 1e-300), floor
        return self._scales[task, seed]

    def curve(self, run):
        """Normalised regret after each trial, of the trial that looks best: its value without noise, which the method did not see."""
        optimum, scale, floor = self.of(run["task"], run["seed"])
        values, observed = np.array(run["value"]), np.array(run["observed"])
        best = np.where(observed <= np.minimum.accumulate(observed), np.arange(len(observed)), 0)
        return np.maximum((values[np.maximum.accumulate(best)] - optimum) / scale, floor)


def curves(folder, runs, parallel, length):
    """method -> task -> seed -> curve of the first `length` trials, of runs of that parallelism that got so far.

    A run of a larger budget counts where there is none of the least.
    """
    scales, found = Scales(folder, runs), {}
    for run in sorted(runs.values(), key=lambda run: -run["budget"]):
        if run["parallel"] == parallel and len(run["value"]) >= length:
            found.setdefault(run["method"], {}).setdefault(run["task"], {})[run["seed"]] = scales.curve(run)
    return found


def common_seeds(a, b):
    """Seeds that both {seed: curve} have."""
    return sorted(set(a) & set(b))


def mean_log(by_seed, at, seeds=None):
    """Mean over seeds of log10 normalised regret after `at` trials."""
    return float(np.mean([np.log10(by_seed[seed][at - 1]) for seed in (by_seed if seeds is None else seeds)]))


def ranks(found, methods, at):
    """method -> mean rank over the tasks that all have, 1 the best; ties share. Only seeds that all methods have count."""
    shared = [task for task in found[methods[0]] if all(task in found[m] for m in methods)]
    rows = []
    for task in shared:
        seeds = set.intersection(*(set(found[m][task]) for m in methods))
        for seed in sorted(seeds):
            values = np.array([found[m][task][seed][at - 1] for m in methods])
            rows.append([np.sum(values < v) + (np.sum(values == v) + 1) / 2 for v in values])
    return dict(zip(methods, np.mean(rows, axis=0))) if rows else {}


def log_efficiency(ours, baseline, budget):
    """ln(trials that the baseline needs / trials that ours needs) for what the worse of the two reaches in `budget` trials.

    Both are mean log10 curves over the seeds they share. 0.69: half the trials. After Vizier's log-efficiency
    (Song et al. 2022, "Open Source Vizier", section 6), made symmetric.
    """
    seeds = common_seeds(ours, baseline)
    a, b = (np.mean([np.log10(x[seed][:budget]) for seed in seeds], axis=0) for x in (ours, baseline))
    a, b = np.minimum.accumulate(a), np.minimum.accumulate(b)  # noise: a curve may rise
    target = max(a[-1], b[-1])
    return float(np.log((np.argmax(b <= target) + 1) / (np.argmax(a <= target) + 1)))


def bootstrap(values, statistic=np.mean, repeats=2000, seed=0):
    """(statistic, lower, upper): 95 % percentile interval over resampled values."""
    values, rng = np.asarray(values, dtype=float), np.random.default_rng(seed)
    drawn = [statistic(values[rng.integers(len(values), size=len(values))]) for _ in range(repeats)]
    return (float(statistic(values)), *(float(v) for v in np.percentile(drawn, [2.5, 97.5])))

