#!/usr/bin/env python3
"""Runs methods on tasks and keeps the raw results; what is there already is not run again.

    run.py                                         everything, with each method's own number of seeds
    run.py --methods tuner --quick                 ours anew, 3 seeds, sequential, and a summary against what is stored
    run.py --methods tuner --label ucb --strategy '{"bayesian": {"initial_trials": 5}}' --quick
    run.py --methods optuna-gp,smac --tasks hartmann-6,svm-digits --seeds 2 --parallel 1,4 --jobs 2

docs/quality.md tells what is measured. Environments: environments.py. A method that cannot run is shown as SKIP with its reason.
"""

import argparse
import dataclasses
import fnmatch
import json
import os
import pathlib
import queue
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import environments  # noqa: E402


def in_own_environment():
    """Goes on under the harness's own Python where that is installed; else under this one."""
    own = environments.python("harness")
    if not environments.missing("harness") and pathlib.Path(sys.prefix) != own.parents[1]:
        os.execv(own, [str(own), *sys.argv])


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", default="", help="names, separated by commas (default: all)")
    parser.add_argument("--tasks", default="", help="names or patterns such as 'mixed-*' (default: all)")
    parser.add_argument("--seeds", default="", help="a number of seeds, or a list such as 0,4,7 (default: each method's own number)")
    parser.add_argument("--budget", type=int, default=100, help="trials of a run (default 100)")
    parser.add_argument("--parallel", default="1", help="pending trials, for example 1,4 (default 1)")
    parser.add_argument("--jobs", type=int, default=1, help="runs at the same time (default 1)")
    parser.add_argument("--limit", type=float, help="seconds after which a run is cut (default: each method's own)")
    parser.add_argument("--results", type=pathlib.Path, help="folder of the raw results (default: $TUNER_QUALITY_RESULTS, else build/bench/quality)")
    parser.add_argument("--label", default="", help="keeps ours as tuner:LABEL")
    parser.add_argument("--strategy", help="strategy of ours as JSON (default {\"bayesian\": {}})")
    parser.add_argument("--program", help="the tuner to measure (default: $TUNER_PROGRAM, else build/bin/tuner)")
    parser.add_argument("--deadline", type=float, default=10.0, help="seconds that ours may take for a suggestion, so that a busy machine changes no result (default 10)")
    parser.add_argument("--fresh", action="store_true", help="runs again what is stored")
    parser.add_argument("--quick", action="store_true", help="3 seeds, anew, then the summary")
    parser.add_argument("--no-summary", action="store_true")
    return parser.parse_args()


def skipped(method):
    """Why a method cannot run here; empty if it can."""
    import importlib.util
    if method.script:
        return environments.missing(method.environment)
    if not importlib.util.find_spec("grpc_tools"):
        return f"{sys.executable} has no grpcio-tools: run bench/quality/environments.py harness"
    return ""


def seed_list(text, method):
    if not text:
        return range(method.seeds)
    return [int(part) for part in text.split(",") if part] if "," in text else range(int(text))


def version(program):
    """What distinguishes this build from others."""
    told = subprocess.run([program, "--version"], capture_output=True, text=True).stdout.strip()
    return told or "unknown"


def main():
    options = arguments()
    import methods
    import results
    import runner
    import tasks
    folder = options.results or results.default_folder()
    folder.mkdir(parents=True, exist_ok=True)
    program = options.program or os.environ.get("TUNER_PROGRAM") or environments.ROOT / "build" / "bin" / "tuner"
    chosen = options.methods.split(",") if options.methods else list(methods.METHODS)
    unknown = [name for name in chosen if name not in methods.METHODS]
    if unknown:
        sys.exit(f"no method {', '.join(unknown)}; there are {', '.join(methods.METHODS)}")
    patterns = options.tasks.split(",") if options.tasks else ["*"]
    names = [name for name in tasks.names() if any(fnmatch.fnmatch(name, pattern) for pattern in patterns)]
    if not names:
        sys.exit(f"no task {options.tasks}; there are {', '.join(tasks.names())}")
    if options.quick and not options.seeds:
        options.seeds = str(tasks.QUICK_SEEDS)

    runs, shown = [], []
    for name in chosen:
        method = methods.METHODS[name]
        reason = skipped(method)
        if reason:
            print(f"SKIP {name}: {reason}", flush=True)
            continue
        if name == "tuner" and options.strategy:
            method = dataclasses.replace(method, strategy=json.loads(options.strategy))
        labelled = f"{name}:{options.label}" if options.label and name == "tuner" else name
        shown.append(labelled)
        for seed in seed_list(options.seeds, method):
            for parallel in options.parallel.split(","):
                for task in names:
                    runs.append((method, {"method": labelled, "task": task, "seed": seed, "parallel": int(parallel), "budget": options.budget}))
    again = options.fresh or options.quick
    known = {} if again else results.read(folder)
    # A run that was cut stays cut; one that failed is tried again.
    runs = [(method, run) for method, run in runs if known.get(results.key(run), {}).get("status", "failed").startswith("failed")]
    measure(runs, options, folder, program, runner, results, version)
    if options.quick or not options.no_summary:
        import summary
        print(summary.text(folder, ours=next((name for name in shown if name.startswith("tuner")), "tuner"), parallel=int(options.parallel.split(",")[0])))


def measure(runs, options, folder, program, runner, results, version):
    """Runs all on options.jobs children and appends each line as it comes."""
    waiting, lock, begin, done = queue.Queue(), threading.Lock(), time.monotonic(), [0]
    for item in runs:
        waiting.put(item)
    built = version(program) if any(not method.script for method, _ in runs) else ""

    def loop():
        worker = runner.Worker(folder, {"program": str(program), "deadline_seconds": options.deadline})
        while True:
            try:
                method, run = waiting.get_nowait()
            except queue.Empty:
                break
            limit = options.limit or method.limit * max(1.0, (run["budget"] / 100) ** 2)
            line = worker.run(method, run, limit)
            if not method.script:
                line["version"] = built
            with lock:
                results.append(folder, line)
                done[0] += 1
                if line["status"] != "done" or done[0] % 20 == 0 or done[0] == len(runs):
                    print(f"{done[0]}/{len(runs)} {time.monotonic() - begin:.0f} s: {run['method']} {run['task']} seed {run['seed']}: {line['status']}", file=sys.stderr, flush=True)
        worker.close()

    threads = [threading.Thread(target=loop) for _ in range(min(options.jobs, len(runs)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    in_own_environment()
    main()
