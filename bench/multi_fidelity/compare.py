#!/usr/bin/env python3
"""Runs methods of many fidelities on simulated learning curves and one real training, keeps the raw results, and compares.

    compare.py                                                   everything that is not stored yet, then the comparison
    compare.py --methods tuner-hyperband --seeds 3 --fresh       one method anew
    compare.py --methods syne-*,optuna-* --tasks crossing-5 --jobs 2
    compare.py --methods syne-mobster --to-target --seeds 3      for its time to the target alone
    compare.py --summary                                         the comparison of what is stored
    compare.py --describe                                        how well early epochs tell the final ranking, task by task

docs/multi-fidelity.md tells what is measured. Environments: bench/quality/environments.py harness optuna syne-tune.
All times are simulated: other work on the machine changes no result.
"""

import argparse
import fnmatch
import os
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(1, str(HERE.parent / "quality"))
import environments  # noqa: E402
import run as quality_run  # noqa: E402

WORKERS, BUDGET = 4, 64


def default_folder():
    return pathlib.Path(os.environ.get("TUNER_MULTI_FIDELITY_RESULTS") or environments.ROOT / "build" / "bench" / "multi-fidelity")


def add_options(parser):
    """Options that median.py has too."""
    parser.add_argument("--tasks", default="", help="names or patterns (default: all)")
    parser.add_argument("--seeds", default="", help="a number of seeds, or a list such as 0,4,7 (default: each method's own number)")
    parser.add_argument("--workers", type=int, default=WORKERS, help=f"of the simulated cluster (default {WORKERS})")
    parser.add_argument("--jobs", type=int, default=1, help="runs at the same time (default 1)")
    parser.add_argument("--limit", type=float, help="seconds of processor time after which a run is cut (default: each method's own)")
    parser.add_argument("--results", type=pathlib.Path, default=default_folder(),
                        help="folder of the raw results (default: $TUNER_MULTI_FIDELITY_RESULTS, else build/bench/multi-fidelity)")
    parser.add_argument("--program", help="the tuner to measure (default: $TUNER_PROGRAM, else build/bin/tuner)")
    parser.add_argument("--deadline", type=float, default=10.0, help="seconds that ours may take for a suggestion (default 10)")
    parser.add_argument("--fresh", action="store_true", help="runs again what is stored")
    parser.add_argument("--summary", action="store_true", help="runs nothing")
    parser.add_argument("--no-summary", action="store_true")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", default="", help="names or patterns such as 'syne-*' (default: all)")
    parser.add_argument("--budget", type=int, default=BUDGET, help=f"full trainings whose time a run has (default {BUDGET})")
    parser.add_argument("--to-target", action="store_true", help="ends a run as soon as the target is reached, for methods that take long: its regret "
                        "after that is not known")
    parser.add_argument("--describe", action="store_true", help="shows the tasks and runs nothing")
    add_options(parser)
    return parser.parse_args()


def chosen(text, names, what):
    """Those of `names` that the patterns choose, all by default."""
    patterns = text.split(",") if text else ["*"]
    for pattern in patterns:
        if not any(fnmatch.fnmatch(name, pattern) for name in names):
            sys.exit(f"no {what} {pattern}; there are {', '.join(names)}")
    return [name for name in names if any(fnmatch.fnmatch(name, pattern) for pattern in patterns)]


def measure(options, methods, tasks, **more):
    """Runs what is not stored. methods: (name, Method, seeds)."""
    import results
    import simulation
    options.results.mkdir(parents=True, exist_ok=True)
    program = options.program or os.environ.get("TUNER_PROGRAM") or environments.ROOT / "build" / "bin" / "tuner"
    known, runs = {} if options.fresh else results.read(options.results), []
    for name, method, seeds in methods:
        reason = quality_run.skipped(method)
        if reason:
            print(f"SKIP {name}: {reason}", flush=True)
            continue
        for seed in seeds:
            for task in tasks:
                run = {"method": name, "task": task, "seed": seed, "parallel": options.workers, "budget": options.budget, **more}
                stored = known.get(results.key(run), {"status": "failed"})
                # A run that was cut stays cut; one that failed is tried again, one that ended with its target only to go on.
                if stored["status"].startswith("failed") or (stored.get("to_target") and not more.get("to_target")):
                    runs.append((method, run))
    quality_run.measure(runs, options, options.results, program, simulation, results, quality_run.version)


def main():
    options = arguments()
    import contenders
    import instances
    tasks = chosen(options.tasks, instances.names(), "task")
    if options.describe:
        import describe
        return print(describe.text(tasks))
    names = chosen(options.methods, list(contenders.METHODS), "method")
    if not options.summary:
        measure(options, [(name, contenders.METHODS[name], quality_run.seed_list(options.seeds, contenders.METHODS[name])) for name in names], tasks,
                **({"to_target": True} if options.to_target else {}))
    if not options.no_summary:
        import speed
        print(speed.text(options.results, options.workers, options.budget))


if __name__ == "__main__":
    quality_run.in_own_environment()
    main()
