#!/usr/bin/env python3
"""What completion_criteria.convergence saves, and what it costs: the same jobs with it and without, seed by seed.

    convergence.py [--seeds 5] [--budget 100] [--program build/bin/tuner]

Tasks that a hundred trials solve are to end early with hardly any regret; tasks that still improve at a hundred are not to end. Regret is
(best value when it ended - best value of the whole budget) / (median of random points - best value of the whole budget).
"""

import argparse
import pathlib
import statistics
import tempfile

import run

SOLVED = ("branin-2", "hartmann-6", "sphere-7-edge", "learning-rate-5", "exponential-5-rotated", "griewank-5", "mixed-categories-6", "kernel-diabetes", "branin-2-noisy", "svm-digits")
IMPROVING = ("rastrigin-4-rotated", "ackley-5", "ellipsoid-30", "levy-20")


def best_values(study, task, seed, budget, **more):
    """The best noise-free value after each trial, until the job ends."""
    study.start(task.space, seed, 1, budget, **more)
    best, values = float("inf"), []
    for trial in range(budget):
        try:
            handle, point, _, _ = study.ask()
        except RuntimeError:  # the job has ended
            break
        value = task.value(point)
        best = min(best, value)
        values.append(best)
        study.tell(handle, task.observed(value, trial))
    return values


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--budget", type=int, default=100)
    parser.add_argument("--program")
    options = parser.parse_args()
    import methods
    import results
    import tasks
    print(f"{'task':20} {'seeds':>5} {'ended early':>11} {'trials':>7} {'saved':>6} {'regret':>8} {'worst':>8}")
    with tempfile.TemporaryDirectory() as folder, open(pathlib.Path(folder) / "log", "w") as log:
        study = methods.open_method(methods.METHODS["tuner"], log, program=options.program)
        try:
            for group in (SOLVED, IMPROVING):
                rows = []
                for name in group:
                    ended, regrets = [], []
                    for seed in range(options.seeds):
                        task = tasks.Task(name, seed, results.default_folder())
                        whole = best_values(study, task, seed, options.budget)
                        early = best_values(study, task, seed, options.budget, completion_criteria={"convergence": True})
                        ended.append(len(early))
                        regrets.append(max(0.0, early[-1] - whole[-1]) / (task.scale()["median"] - whole[-1]))
                    saved = 1 - statistics.mean(ended) / options.budget
                    rows.append((saved, statistics.mean(regrets)))
                    print(f"{name:20} {options.seeds:5} {sum(n < options.budget for n in ended):11} {statistics.mean(ended):7.1f} {saved:6.0%} "
                          f"{statistics.mean(regrets):8.4f} {max(regrets):8.4f}", flush=True)
                if rows:
                    print(f"{'all of these':20} {'':5} {'':11} {'':7} {statistics.mean(r[0] for r in rows):6.0%} {statistics.mean(r[1] for r in rows):8.4f}\n", flush=True)
        finally:
            study.close()


if __name__ == "__main__":
    run.in_own_environment()
    main()
