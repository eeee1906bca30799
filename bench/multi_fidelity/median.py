#!/usr/bin/env python3
"""What the median rule saves and what it costs: Bayesian jobs with it against the same jobs without, on the simulated curves.

    median.py                                      50 trials, 20 seeds, all curves; runs what is not stored, then the comparison
    median.py --tasks crossing-5 --seeds 5
    median.py --rule '{"percentile": {"percentile": 50}}' --label percentile
    median.py --strategy '{"random": {}}' --label random
    median.py --summary [--label random]

docs/multi-fidelity.md tells what is measured.
"""

import argparse
import dataclasses
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import compare  # noqa: E402

TRIALS, SEEDS = 50, 20


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    compare.add_options(parser)
    parser.add_argument("--budget", type=int, default=TRIALS, help=f"trials of a job (default {TRIALS})")
    parser.add_argument("--rule", default='{"median": {}}', help='early_stopping as JSON (default {"median": {}})')
    parser.add_argument("--strategy", default='{"bayesian": {}}', help='of both jobs, as JSON (default {"bayesian": {}})')
    parser.add_argument("--label", default="", help="keeps these runs apart from those of other rules and strategies")
    options = parser.parse_args()
    options.seeds = options.seeds or str(SEEDS)
    options.results = options.results / "early-stopping"
    return options


def final(run):
    """Of the trial that a job reports as its best: the value of the full training without noise. By the last value that was seen, among
    those that were not stopped."""
    ended = [(seen, true) for epochs, cut, true, seen in run["trials"] if not cut and seen is not None]
    return min(ended)[1] if ended else None


def stopped_the_best(run):
    """Whether the trial that would have become the job's best, had all been trained to the end, was stopped."""
    return min(run["trials"], key=lambda trial: trial[3])[1]


def text(folder, with_rule, without, workers, budget):
    import numpy as np

    import instances
    import regret
    import results
    import speed
    runs = [run for run in results.read(folder).values() if (run["parallel"], run["budget"], run["status"]) == (workers, budget, "done")]
    found = {(run["method"], run["task"], run["seed"]): run for run in runs}
    rows, all_saved, all_wrong, all_change = [], [], [], []
    for task in filter(instances.simulated, instances.names()):
        saved, wrong, change, stopped, spread = [], [], [], [], []
        seeds = sorted(seed for method, name, seed in found if (method, name) == (with_rule, task) and (without, task, seed) in found)
        for seed in seeds:
            run, other = found[with_rule, task, seed], found[without, task, seed]
            resource = max(trial[0] for trial in other["trials"])
            scale = json.loads(instances.path(folder, task, seed).read_text())
            saved.append(1 - run["epochs"] / (len(run["trials"]) * resource))
            stopped.append(np.mean([trial[1] for trial in run["trials"]]))
            wrong.append(float(stopped_the_best(run)))
            if final(run) is not None and final(other) is not None:
                change.append((final(run) - final(other)) / (scale["median"] - scale["optimum"]))
                spread.append((final(other) - scale["optimum"]) / (scale["median"] - scale["optimum"]))
        if seeds:
            low = regret.bootstrap(change)
            rows.append([task, len(seeds), f"{np.mean(saved):.1%}", f"{np.mean(stopped):.1%}", f"{np.mean(spread):.4f}",
                         f"{low[0]:+.4f} [{low[1]:+.4f}, {low[2]:+.4f}]", f"{int(sum(wrong))} of {len(wrong)}"])
            all_saved.append(np.mean(saved))
            all_wrong += wrong
            all_change.append(change)
    if not rows:
        return f"no pairs of finished runs of {with_rule} and {without} in {folder}"
    rng = np.random.default_rng(0)
    means = [np.mean([np.mean(rng.choice(change, len(change))) for change in all_change]) for _ in range(speed.REPEATS)]
    low, high = np.percentile(means, [2.5, 97.5])
    rows.append(["all", "", f"{np.mean(all_saved):.1%}", "", "", f"{np.mean([np.mean(c) for c in all_change]):+.4f} [{low:+.4f}, {high:+.4f}]",
                 f"{int(sum(all_wrong))} of {len(all_wrong)}: {np.mean(all_wrong):.1%}"])
    head = ["task", "seeds", "epochs saved", "trials stopped", "regret without the rule", "regret with it, more by",
            "jobs that stopped their best trial"]
    return "\n".join([f"{budget} trials, {workers} workers, {with_rule} against {without}; regret: (value of the job's best trial - optimum) / "
                      "(median of random - optimum)", "", *speed.table(head, rows)])


def main():
    options = arguments()
    import contenders
    import instances
    label = f":{options.label}" if options.label else ""
    without, with_rule = f"no-stopping{label}", f"stopping{label}"
    strategy, rule = json.loads(options.strategy), json.loads(options.rule)
    method = dataclasses.replace(contenders.METHODS["tuner-bayesian"], strategy=strategy)
    tasks = compare.chosen(options.tasks, [name for name in instances.names() if instances.simulated(name)], "task")
    if not options.summary:
        seeds = list(compare.quality_run.seed_list(options.seeds, method))
        methods = [(without, method, seeds), (with_rule, dataclasses.replace(method, options={"early_stopping": rule}), seeds)]
        compare.measure(options, methods, tasks, count="trials")
    if not options.no_summary:
        print(text(options.results, with_rule, without, options.workers, options.budget))


if __name__ == "__main__":
    compare.quality_run.in_own_environment()
    main()
