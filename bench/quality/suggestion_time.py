#!/usr/bin/env python3
"""Time per suggestion in 10 continuous dimensions with n points told before, ours and each peer, on one core, in one run.

    suggestion_time.py [--points 50,200,1000,10000] [--methods tuner,optuna-gp] [--budget 120] [--repeats 30] [--out FILE]

Every method is told the same random points of a rotated function, then asks and tells in turn; the first ask counts too. A method has
--budget seconds at each n, telling included; one that has not answered by then gave up there, which is said, and it is not asked for
more points. All processes share one core (--core), so that the rest of the machine disturbs no more than it must.
"""

import argparse
import json
import os
import pathlib
import selectors
import sys
import time

import numpy as np

import methods
import run
import space as spaces
import synthetic

METHODS = ("tuner", "optuna-gp", "botorch", "hebo", "vizier", "optuna-tpe")
DIMENSIONS = 10


def problem(count, seed=1):
    """(space, evaluate, points, values) of the measurement."""
    instance = synthetic.box(np.random.default_rng(seed), synthetic.ackley, DIMENSIONS, -10, 10, rotate=True)
    uniform = np.random.default_rng(seed + 1).random
    points = [spaces.draw(instance.space, uniform) for _ in range(count)]
    return instance.space, instance.evaluate, points, [instance.evaluate(point) for point in points]


class GaveUp(Exception):
    pass


class Bounded:
    """A study whose calls end with GaveUp after `end` (monotonic seconds)."""

    def __init__(self, study, end):
        self._study, self._end = study, end
        if isinstance(study, methods.Peer):
            study.await_answer = self._await_peer

    def _await_peer(self, stream):
        with selectors.DefaultSelector() as selector:
            selector.register(stream, selectors.EVENT_READ)
            if not selector.select(max(0.0, self._end - time.monotonic())):
                raise GaveUp

    def __getattr__(self, name):
        if time.monotonic() > self._end:
            raise GaveUp
        return getattr(self._study, name)


def memory(pid):
    """Resident megabytes of a process now."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return float("nan")


def measure(method, count, options, log):
    """{"ask": seconds of each, "tell": ..., "load": seconds for all points, "memory": MB of ours, "gave_up": why or ""}."""
    row = {"ask": [], "tell": [], "load": None, "memory": None, "gave_up": ""}
    space, evaluate, points, values = problem(count)
    arguments = {} if method.script else {"program": options.program, "deadline_seconds": options.deadline}
    study = methods.open_method(method, log, **arguments)
    bounded = Bounded(study, time.monotonic() + options.budget)
    try:
        bounded.start(space, 1, 1, count + options.repeats)
        row["load"] = bounded.tell_many(points, values)
        for _ in range(options.repeats):
            handle, point, seconds, basis = bounded.ask()
            row["ask"].append(seconds)
            row.setdefault("basis", []).append(basis)
            row["tell"].append(bounded.tell(handle, evaluate(point)))
            time.sleep(options.pause)
        if not method.script:
            row["memory"] = memory(study.pid)
    except GaveUp:
        row["gave_up"] = f"{len(row['ask'])} suggestions in {options.budget:.0f} s"
        if method.script:
            study.kill()
    except Exception as error:  # a peer's failure is a result too
        row["gave_up"] = methods.reason(error)
    study.close()
    return row


def baseline():
    """What the machine did in the same run: a 1,000 x 1,000 Cholesky decomposition in numpy, best of 5, in ms."""
    matrix = np.eye(1000) * 1000 + 1
    best = float("inf")
    for _ in range(5):
        begin = time.perf_counter()
        np.linalg.cholesky(matrix)
        best = min(best, time.perf_counter() - begin)
    return 1e3 * best


def show(rows, points, ours):
    """The table, and how many times faster ours is by the median."""
    lines = ["| method | " + " | ".join(f"n = {n:,}: median / p95 ms" for n in points) + " | tell at 1,000, p95 ms |", "|" + "---|" * (len(points) + 2)]
    for name in rows:
        cells = []
        for n in points:
            row = rows[name].get(n)
            if row is None:
                cells.append("not tried")
            else:
                shown = f"{1e3 * np.median(row['ask']):.1f} / {1e3 * np.percentile(row['ask'], 95):.1f}" if row["ask"] else "-"
                cells.append(shown + (f" (gave up: {row['gave_up']})" if row["gave_up"] else ""))
        tell = rows[name].get(1000, {}).get("tell")
        cells.append(f"{1e3 * np.percentile(tell, 95):.2f}" if tell else "-")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    lines.append("")
    for n in points:
        mine = rows.get(ours, {}).get(n, {}).get("ask")
        ratios = {name: np.median(rows[name][n]["ask"]) / np.median(mine) for name in rows
                  if mine and name != ours and rows[name].get(n, {}).get("ask")}
        if ratios:
            lines.append(f"n = {n:,}: median of ours is faster by " + ", ".join(f"{ratio:.0f} x than {name}" for name, ratio in ratios.items()))
    for n in points:
        row = rows.get(ours, {}).get(n)
        if row and row["memory"]:
            basis = ", ".join(f"{kind} {row['basis'].count(kind)}" for kind in sorted(set(row["basis"])))
            lines.append(f"n = {n:,}: our server holds {row['memory']:.0f} MB; {n:,} trials were imported in {row['load']:.2f} s; basis {basis}")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", default="50,200,1000,10000")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--budget", type=float, default=300, help="seconds for each method and n (default 300)")
    parser.add_argument("--repeats", type=int, default=30, help="suggestions at each n (default 30)")
    parser.add_argument("--pause", type=float, default=0.0, help="seconds between tell and the next ask, as a training takes (default 0)")
    parser.add_argument("--deadline", type=float, default=10.0, help="seconds that ours may take (default 10)")
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument("--program", default=os.environ.get("TUNER_PROGRAM"))
    parser.add_argument("--out", type=pathlib.Path, help="keeps all seconds as JSON")
    options = parser.parse_args()
    points = [int(part) for part in options.points.split(",")]
    os.sched_setaffinity(0, {options.core})
    before, rows = baseline(), {}
    with open(os.devnull, "ab") as log:
        for name in options.methods.split(","):
            reason = run.skipped(methods.METHODS[name])
            if reason:
                print(f"SKIP {name}: {reason}", flush=True)
                continue
            rows[name] = {}
            for n in points:
                rows[name][n] = measure(methods.METHODS[name], n, options, log)
                print(f"{name} n = {n:,}: {len(rows[name][n]['ask'])} suggestions {rows[name][n]['gave_up']}", file=sys.stderr, flush=True)
                if rows[name][n]["gave_up"]:
                    break
    print(f"one core, Cholesky 1,000 x 1,000 in {before:.0f} ms before and {baseline():.0f} ms after; load {os.getloadavg()[0]:.1f}; "
          f"tuner {run.version(options.program or run.environments.ROOT / 'build' / 'bin' / 'tuner')}\n")
    print(show(rows, points, "tuner"))
    if options.out:
        options.out.write_text(json.dumps(rows))


if __name__ == "__main__":
    run.in_own_environment()
    main()
