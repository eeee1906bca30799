"""From raw runs to the comparison: times to the target against random search, and normalised regret over time."""

import json
import pathlib

import numpy as np

import cluster
import contenders
import instances
import results

SHARES = (0.1, 0.25, 0.5, 1.0)
REPEATS = 2000


def hit(run):
    """When the target was reached, in budgets: (time, True); if it was not, (the longest time, False). None: the run was cut before."""
    for time, value in zip(run["time"], run["value"]):
        if value is not None and value <= run["target"]:
            return time / run["budget_time"], True
    return (float(cluster.PATIENCE), False) if run["status"] == "done" else None


class Runs:
    """Stored runs of one size. Random search's times are over all of its seeds, others' too: the target is a quantile of full random
    trainings, so that it is as hard on each instance."""

    def __init__(self, folder, workers, budget):
        self._folder = pathlib.Path(folder)
        self.runs = [run for run in results.read(folder).values() if (run["parallel"], run["budget"]) == (workers, budget) and "target" in run]
        present = {run["method"] for run in self.runs}
        self.methods = [name for name in contenders.METHODS if name in present]
        self._optimum = {}

    def of(self, method, task):
        return [run for run in self.runs if (run["method"], run["task"]) == (method, task)]

    def times(self, method, task):
        """[(seed, time to the target in budgets, whether it was reached)]."""
        found = [(run["seed"], hit(run)) for run in self.of(method, task)]
        return [(seed, *known) for seed, known in found if known is not None]

    def scale(self, task, seed):
        """(optimum, median of random - optimum); a real training's optimum is the least value that anything has found."""
        if (task, seed) not in self._optimum:
            row = json.loads(instances.path(self._folder, task, seed).read_text())
            optimum = row["optimum"]
            if optimum is None:
                seen = [value for run in self.runs if (run["task"], run["seed"]) == (task, seed) for value in run["value"] if value is not None]
                optimum = min([row["least"], *seen])
            self._optimum[task, seed] = optimum, row["median"] - optimum
        return self._optimum[task, seed]

    def regret(self, run, share):
        """Normalised regret of the trial that looks best at that share of the budget; None if the run did not come so far."""
        at = share * run["budget_time"]
        if (run["status"] != "done" or run.get("to_target")) and run["time"] and run["time"][-1] < at:
            return None
        values = [value for time, value in zip(run["time"], run["value"]) if time <= at and value is not None]
        optimum, scale = self.scale(run["task"], run["seed"])
        return (values[-1] - optimum) / scale if values else None


def ratio(slow, fast, rng=None):
    """Geometric mean over tasks of mean time of `slow` / mean time of `fast`. Both: task -> times. rng: resamples the seeds."""
    def mean(times):
        return np.mean(times if rng is None else rng.choice(times, len(times)))
    return float(np.exp(np.mean([np.log(mean(slow[task]) / mean(fast[task])) for task in fast])))


def with_interval(slow, fast):
    """(ratio, lower, upper): 95 %, by bootstrap over the seeds of each task."""
    rng = np.random.default_rng(0)
    drawn = [ratio(slow, fast, rng) for _ in range(REPEATS)]
    return (ratio(slow, fast), *(float(v) for v in np.percentile(drawn, [2.5, 97.5])))


def shown(three):
    return f"{three[0]:.2f} [{three[1]:.2f}, {three[2]:.2f}]"


def table(head, rows):
    return ["| " + " | ".join(head) + " |", "|" + "---|" * len(head), *("| " + " | ".join(map(str, row)) + " |" for row in rows), ""]


def title(name):
    return contenders.METHODS[name].title


def times_by_task(runs, method, tasks):
    """task -> times, of tasks where it has any."""
    found = {task: np.array([time for _, time, _ in runs.times(method, task)]) for task in tasks}
    return {task: times for task, times in found.items() if len(times)}


def overall(runs, tasks):
    """The table over several tasks together."""
    base, rows = times_by_task(runs, contenders.BASELINE, tasks), []
    for method in runs.methods:
        own = {task: times for task, times in times_by_task(runs, method, tasks).items() if task in base}
        if not own:
            continue
        known = [row for task in own for row in runs.times(method, task)]
        total = sum(len(runs.of(method, task)) for task in own)
        # The same by pairs of runs on one instance.
        pairs = []
        for task in own:
            other = {seed: time for seed, time, _ in runs.times(contenders.BASELINE, task)}
            pairs += [np.log(other[seed] / time) for seed, time, _ in runs.times(method, task) if seed in other]
        regrets = []
        for share in SHARES:
            values = [value for task in own for run in runs.of(method, task) if (value := runs.regret(run, share)) is not None]
            # A mean over those runs only that came so far would flatter or wrong the method: how many they are is told.
            regrets.append((f"{np.mean(values):.4f}" + ("" if len(values) == total else f" ({len(values)} of {total})")) if values else "-")
        seeds = sorted({len(times) for times in own.values()})
        rows.append([title(method), len(own), f"{seeds[0]}-{seeds[-1]}" if len(seeds) > 1 else seeds[0],
                     shown(with_interval({task: base[task] for task in own}, own)), f"{np.exp(np.mean(pairs)):.2f}" if pairs else "-",
                     f"{np.mean([reached for _, _, reached in known]):.2f}", f"{np.mean([reached and time <= 1 for _, time, reached in known]):.2f}",
                     total - len(known), *regrets])
    head = ["method", "tasks", "seeds", "random's time / its own", "by pairs", "reached", "in the budget", "cut before",
            *(f"regret at {share:.0%}" for share in SHARES)]
    return table(head, rows)


def against_peers(runs, tasks):
    """Ours against peers of its kind, on the instances that both have."""
    rows = []
    for ours, peers in ((contenders.RANDOM_SAMPLED, contenders.RANDOM_PEERS), (contenders.MODEL_SAMPLED, contenders.MODEL_PEERS)):
        for mine in ours:
            for peer in peers:
                slow, fast = {}, {}
                for task in tasks:
                    a = {seed: time for seed, time, _ in runs.times(mine, task)}
                    b = {seed: time for seed, time, _ in runs.times(peer, task)}
                    seeds = sorted(set(a) & set(b))
                    if seeds:
                        fast[task], slow[task] = np.array([a[s] for s in seeds]), np.array([b[s] for s in seeds])
                if fast:
                    rows.append([title(mine), title(peer), len(fast), sum(map(len, fast.values())), shown(with_interval(slow, fast))])
    return table(["ours", "peer", "tasks", "instances", "peer's time / ours"], rows) if rows else []


def by_task(runs, tasks):
    """Mean time to the target of each method on each task, as a share of the budget."""
    rows = []
    for task in tasks:
        means = [np.mean([time for _, time, _ in found]) if (found := runs.times(method, task)) else None for method in runs.methods]
        rows.append([task, *("-" if mean is None else f"{mean:.3f}" for mean in means)])
    return table(["task", *map(title, runs.methods)], rows)


def text(folder, workers, budget):
    """The whole comparison."""
    runs = Runs(folder, workers, budget)
    stored = {run["task"] for run in runs.runs}
    simulated = [task for task in instances.names() if task in stored and instances.simulated(task)]
    lines = [f"{workers} workers, budget the simulated time of {budget} full trainings; target: what one of {1 / instances.TARGET_QUANTILE:.0f} full "
             f"random trainings reaches; runs that have not reached it in {cluster.PATIENCE} budgets count as that", ""]
    if not any(runs.of(contenders.BASELINE, task) for task in stored):
        return "\n".join([*lines, f"no runs of {contenders.BASELINE}, which the others are compared with"])
    if simulated:
        lines += ["Simulated curves", "", *overall(runs, simulated), *against_peers(runs, simulated)]
        lines += ["Mean time to the target, in budgets", "", *by_task(runs, simulated)]
    if instances.REAL in stored:
        lines += ["Real training", "", *overall(runs, [instances.REAL])]
    return "\n".join(lines)
