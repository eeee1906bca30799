#!/usr/bin/env python3
"""Hypervolume after 100 trials on problems of two and three objectives, one with an outcome constraint: ours, Optuna's GP and NSGA-II.

    hypervolume.py [--problems zdt1,c2-dtlz2] [--methods tuner,optuna-gp,optuna-nsga2] [--seeds 5] [--trials 100]

ZDT1 (Zitzler et al. 2000), DTLZ2 and C2-DTLZ2 (Deb et al. 2002, Jain and Deb 2014), with the distance variables' optimum moved for
each seed: at its usual place, the middle, whoever begins there has won. The volume is that of feasible points up to 1.1 in each
objective, as a share of the whole front's. Runs are kept in the folder `hypervolume` of the results, and not made again.
"""

import argparse
import dataclasses
import math
import os
import pathlib
import sys
import zlib

import numpy as np

import methods
import regret
import results
import run
from space import double

REFERENCE = 1.1
RADIUS = 0.2  # of C2-DTLZ2's feasible regions, as BoTorch has it


@dataclasses.dataclass(frozen=True)
class Problem:
    """objectives(x, moved) and violation(values), which is positive where infeasible; None without constraints. front(t): its Pareto front."""
    dimensions: int
    count: int
    objectives: object
    front: object
    violation: object = None


def zdt1(x, moved):
    far = 1 + 9 * np.mean(np.abs(x[1:] - moved) / np.maximum(moved, 1 - moved))
    return [float(x[0]), float(far * (1 - math.sqrt(x[0] / far)))]


def dtlz2(count):
    def objectives(x, moved):
        far, angles, values = 1 + np.sum((x[count - 1:] - moved) ** 2), x[:count - 1] * np.pi / 2, []
        for i in range(count):
            value = far * np.prod(np.cos(angles[:count - 1 - i]))
            values.append(float(value * np.sin(angles[count - 1 - i]) if i else value))
        return values
    return objectives


def c2_violation(values):
    f = np.array(values)
    corners = min((f[i] - 1) ** 2 + np.sum(np.delete(f, i) ** 2) - RADIUS ** 2 for i in range(len(f)))
    return float(min(corners, np.sum((f - 1 / math.sqrt(len(f))) ** 2) - RADIUS ** 2))


def arc(angles):
    return [[math.cos(t), math.sin(t)] for t in angles]


ANGLES = np.linspace(0, math.pi / 2, 2001)
PROBLEMS = {
    "zdt1": Problem(8, 2, zdt1, lambda: [[t, 1 - math.sqrt(t)] for t in np.linspace(0, 1, 2001)]),
    "dtlz2": Problem(6, 2, dtlz2(2), lambda: arc(ANGLES)),
    "dtlz2-3": Problem(6, 3, dtlz2(3), lambda: [[math.cos(a) * math.cos(b), math.cos(a) * math.sin(b), math.sin(a)] for a in ANGLES[::40] for b in ANGLES[::40]]),
    "c2-dtlz2": Problem(4, 2, dtlz2(2), lambda: [f for f in arc(ANGLES) if c2_violation(f) <= 0], c2_violation),
}
METHODS = {
    "tuner": methods.METHODS["tuner"],
    "optuna-gp": methods.METHODS["optuna-gp"],
    "optuna-nsga2": dataclasses.replace(methods.METHODS["optuna-tpe"], title="Optuna NSGA-II", options={"sampler": "nsga2"}),
}


def hypervolume(values, reference=REFERENCE):
    """Volume that points of 2 or 3 objectives dominate within the reference point's box."""
    inside = sorted((list(f) for f in values if all(v < reference for v in f)), key=lambda f: f[-1])
    if not inside:
        return 0.0
    if len(inside[0]) == 2:
        volume, least = 0.0, reference  # from the least second objective on: each point adds what lies left of all before it
        for first, second in inside:
            if first < least:
                volume, least = volume + (least - first) * (reference - second), first
        return volume
    volume = 0.0
    for i, f in enumerate(inside):
        upper = inside[i + 1][-1] if i + 1 < len(inside) else reference
        if upper > f[-1]:
            volume += (upper - f[-1]) * hypervolume([g[:-1] for g in inside[:i + 1]], reference)
    return volume


def whole(problem):
    """Hypervolume of the whole front."""
    return hypervolume(problem.front())


def open_study(name, problem, log, options):
    """(study, what start() is given beside the space, how a result is told)."""
    method = METHODS[name]
    if not method.script:
        metrics = [f"value_{i}" for i in range(1, problem.count)]
        more = {"additional_objectives": [{"metric": metric, "goal": "MINIMIZE"} for metric in metrics]}
        if problem.violation:
            more["outcome_constraints"] = [{"metric": "violation", "max": 0.0}]
        study = methods.open_method(method, log, program=options.program, deadline_seconds=options.deadline)

        def told(values, violation):
            return {"value": values[0], **dict(zip(metrics, values[1:])), **({} if violation is None else {"violation": violation})}
        return study, more, told
    sampler = method.options["sampler"] + ("-constrained" if problem.violation else "")
    study = methods.open_method(dataclasses.replace(method, options={"sampler": sampler, "objectives": problem.count}), log)
    return study, {}, lambda values, violation: {"objectives": values, "violations": [] if violation is None else [violation]}


def optimise(name, task, seed, options, log):
    """The run's line: values, violations and the hypervolume's share after each trial."""
    problem = PROBLEMS[task]
    moved = np.random.default_rng([zlib.crc32(task.encode()), seed]).uniform(0.1, 0.9, problem.dimensions - problem.count + 1)
    space = [double(f"x{i}", 0, 1) for i in range(problem.dimensions)]
    line = {"method": name, "task": task, "seed": seed, "parallel": 1, "budget": options.trials, "status": "done", "share": [], "values": [], "ask_seconds": []}
    study, more, told = open_study(name, problem, log, options)
    volume, feasible = whole(problem), []
    try:
        study.start(space, seed, 1, options.trials, **more)
        for _ in range(options.trials):
            handle, point, seconds, _ = study.ask()
            values = problem.objectives(np.array([point[p.name] for p in space]), moved)
            violation = problem.violation(values) if problem.violation else None
            study.tell(handle, told(values, violation))
            if violation is None or violation <= 0:
                feasible.append(values)
            line["values"].append(values)
            line["share"].append(hypervolume(feasible) / volume)
            line["ask_seconds"].append(round(seconds, 6))
    except Exception as error:  # a peer's failure is a result too
        line["status"] = f"failed: {methods.reason(error)}"
    study.close()
    return line


def show(folder, trials):
    runs = [line for line in results.read(folder).values() if line["status"] == "done" and len(line["share"]) >= trials]
    print(f"\nShare of the front's hypervolume after {trials} trials, mean [95 % interval over seeds]\n")
    names = [name for name in METHODS if any(line["method"] == name for line in runs)]
    print("| problem | " + " | ".join(METHODS[name].title for name in names) + " |\n|" + "---|" * (len(names) + 1))
    for task in PROBLEMS:
        cells = []
        for name in names:
            shares = [line["share"][trials - 1] for line in runs if (line["method"], line["task"]) == (name, task)]
            cells.append("{:.4f} [{:.4f}, {:.4f}], {} seeds".format(*regret.bootstrap(shares), len(shares)) if shares else "-")
        print(f"| {task} | " + " | ".join(cells) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", default=",".join(PROBLEMS))
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--fresh", action="store_true", help="runs again what is stored")
    parser.add_argument("--deadline", type=float, default=10.0, help="seconds that ours may take for a suggestion (default 10)")
    parser.add_argument("--program", default=os.environ.get("TUNER_PROGRAM"))
    parser.add_argument("--results", type=pathlib.Path, default=results.default_folder())
    options = parser.parse_args()
    folder = options.results / "hypervolume"
    folder.mkdir(parents=True, exist_ok=True)
    known = {} if options.fresh else results.read(folder)
    for name in options.methods.split(","):
        skip = run.skipped(METHODS[name])
        if skip:
            print(f"SKIP {name}: {skip}", flush=True)
            continue
        for task in options.problems.split(","):
            for seed in range(options.seeds):
                if known.get((name, task, seed, 1, options.trials), {}).get("status") != "done":
                    with open(folder / "methods.log", "ab") as log:
                        line = optimise(name, task, seed, options, log)
                    results.append(folder, line)
                    print(f"{name} {task} seed {seed}: {line['status']}", file=sys.stderr, flush=True)
    show(folder, options.trials)


if __name__ == "__main__":
    run.in_own_environment()
    main()
