#!/usr/bin/env python3
"""A quick look at stored results: per task the mean log10 normalised regret at 25, 50 and 100 trials, ours beside each peer.

    summary.py [--ours tuner:ucb] [--parallel 4] [--against optuna-tpe,nevergrad] [--results DIR]

Each peer is compared on the seeds that it shares with ours; * marks the best of a row. Lower is better.
"""

import argparse
import collections
import pathlib

import numpy as np

import regret
import results
import tasks

CHECKPOINTS = (25, 50, 100)


def text(folder, ours="tuner", parallel=1, against=None, checkpoints=CHECKPOINTS):
    """The whole summary."""
    found = regret.curves(folder, results.read(folder), parallel, max(checkpoints))
    if ours not in found:
        return f"no finished run of {ours} with {parallel} in parallel"
    peers = [name for name in found if name != ours and (name in against if against else not name.startswith("tuner"))]
    lines = [f"log10 normalised regret, mean over seeds, {parallel} in parallel; ours is {ours}; seeds that a peer shares with ours count"]
    for at in checkpoints:
        lines += table(found, ours, peers, at)
    return "\n".join(lines)


def table(found, ours, peers, at):
    width = max(len(task) for task in found[ours]) + 2
    lines = ["", f"after {at} trials".ljust(width) + "".join(name[-13:].rjust(14) for name in [ours, *peers]) + "   place"]
    rows, by_class = {}, collections.defaultdict(list)
    for task in [name for name in tasks.names() if name in found[ours]]:
        row = [regret.mean_log(found[ours][task], at)]
        for peer in peers:
            seeds = regret.common_seeds(found[ours][task], found[peer].get(task, {}))
            row.append(regret.mean_log(found[peer][task], at, seeds) if seeds else np.nan)
        rows[task] = row
        for name in tasks.classes(task):
            by_class[name].append(task)
        lines.append(line(task, width, row) + f"{1 + sum(v < row[0] for v in row[1:] if not np.isnan(v)):8d}")
    for name, members in by_class.items():
        lines.append(line(f"[{name}]", width, paired_mean(rows, members)))
    lines.append(line("mean", width, paired_mean(rows, rows)))
    lines.append(line("  mean regret itself", width, [linear_mean(found, ours, name, at) for name in [ours, *peers]], 4))
    lines.append(line("  ours better by", width, [np.nan] + [difference(rows, i + 1) for i in range(len(peers))]))
    complete = [name for name in [ours, *peers] if all(task in found[name] for task in rows)]
    ranked = regret.ranks({name: {task: found[name][task] for task in rows} for name in complete}, complete, at)
    lines.append(line("  mean rank of these", width, [ranked.get(name, np.nan) for name in [ours, *peers]]))
    lines.append(line("  log-efficiency of ours", width, [np.nan] + [efficiency(found, ours, peer, at) for peer in peers]))
    return lines


def line(title, width, row, digits=2):
    best = np.nanmin(row) if not title.startswith(" ") else None
    cells = ["-" if np.isnan(v) else f"{v:.{digits}f}{'*' if v == best else ' '}" for v in row]
    return title.ljust(width) + "".join(cell.rjust(14) for cell in cells)


def paired_mean(rows, members):
    """Column means; of a peer that lacks tasks only where it has all of them."""
    columns = np.array([rows[task] for task in members])
    return list(np.mean(columns, axis=0))


def linear_mean(found, ours, name, at):
    values = []
    for task in found[ours]:
        seeds = regret.common_seeds(found[ours][task], found[name].get(task, {}))
        if not seeds:
            return np.nan
        values.append(np.mean([found[name][task][seed][at - 1] for seed in seeds]))
    return float(np.mean(values))


def difference(rows, column):
    """Mean over the tasks that both have of the peer's value less ours."""
    pairs = [row[column] - row[0] for row in rows.values() if not np.isnan(row[column])]
    return float(np.mean(pairs)) if pairs else np.nan


def efficiency(found, ours, peer, budget):
    values = [regret.log_efficiency(found[ours][task], found[peer][task], budget) for task in found[ours]
              if regret.common_seeds(found[ours][task], found[peer].get(task, {}))]
    return float(np.mean(values)) if values else np.nan


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ours", default="tuner")
    parser.add_argument("--parallel", type=int, default=1)
    parser.add_argument("--against", default="")
    parser.add_argument("--checkpoints", default="25,50,100")
    parser.add_argument("--results", type=pathlib.Path, default=results.default_folder())
    options = parser.parse_args()
    checkpoints = tuple(int(part) for part in options.checkpoints.split(","))
    print(text(options.results, options.ours, options.parallel, options.against.split(",") if options.against else None, checkpoints))


if __name__ == "__main__":
    main()
