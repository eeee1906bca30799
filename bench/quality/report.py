#!/usr/bin/env python3
"""Tables and plots of all stored results.

    report.py [--ours tuner] [--results DIR] [--out DIR]     writes report.md, regret-P.png for each parallelism P, and time.png

Every method is compared with ours on the instances that both have; intervals are 95 %, by bootstrap over tasks.
"""

import argparse
import collections
import pathlib
import sys

import numpy as np

import methods
import regret
import results
import tasks

CHECKPOINTS = (25, 50, 100, 200)
BUCKETS = ((1, 25), (26, 50), (51, 100), (101, 200))


def title(name):
    """The method's name as readers know it."""
    base, _, label = name.partition(":")
    shown = methods.METHODS[base].title if base in methods.METHODS else base
    return f"{shown} {label}".strip()


def task_means(a, b, at):
    """[(task, mean of a, mean of b, mean log10 of a, mean log10 of b)] over the seeds that both {task: {seed: curve}} have."""
    rows = []
    for task in tasks.names():
        seeds = regret.common_seeds(a.get(task, {}), b.get(task, {}))
        if seeds:
            x, y = (np.array([found[task][seed][at - 1] for seed in seeds]) for found in (a, b))
            rows.append((task, x.mean(), y.mean(), np.log10(x).mean(), np.log10(y).mean()))
    return rows


def interval(values, digits=3):
    middle, low, high = regret.bootstrap(values)
    return f"{middle:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def table(head, rows):
    return ["| " + " | ".join(head) + " |", "|" + "---|" * len(head), *("| " + " | ".join(map(str, row)) + " |" for row in rows), ""]


class Report:
    """Collects the lines of one report. ours: the method that the others are compared with."""

    def __init__(self, folder, ours):
        self.folder, self.ours, self.runs = folder, ours, results.read(folder)
        self.lines = ["# Quality of suggestions", ""]

    def parallelisms(self):
        return sorted({run["parallel"] for run in self.runs.values() if run["method"] == self.ours})

    def add_parallel(self, parallel):
        self.lines += [f"## {'Sequential' if parallel == 1 else f'{parallel} in parallel'}", ""]
        for at in CHECKPOINTS:
            found = regret.curves(self.folder, self.runs, parallel, at)
            if self.ours in found:
                self._regret(found, at)
                if at <= 100:
                    self._classes(found, at)

    def _regret(self, found, at):
        rows = []
        ranks = self._ranks(found, at)
        for name in sorted(found, key=lambda name: name != self.ours):
            pairs = task_means(found[name], found[self.ours], at)
            if not pairs:
                continue
            seeds = [len(regret.common_seeds(found[name][p[0]], found[self.ours][p[0]])) for p in pairs]
            more = ["", "", ""]
            if name != self.ours:
                gains = [regret.log_efficiency(found[self.ours][p[0]], found[name][p[0]], at) for p in pairs]
                more = [f"{np.mean([p[2] for p in pairs]):.4f}", interval([p[3] - p[4] for p in pairs], 2), interval(gains, 2)]
            rows.append([title(name), len(pairs), f"{min(seeds)}-{max(seeds)}", interval([p[1] for p in pairs], 4), interval([p[3] for p in pairs], 2),
                         ranks.get(name, "-"), *more])
        self.lines += [f"### After {at} trials", ""]
        self.lines += table(["method", "tasks", "seeds", "normalised regret", "log10 of it", "mean rank", "ours on the same", "log10, ours better by",
                             "log-efficiency of ours"], rows)

    def _ranks(self, found, at):
        """Mean ranks among the methods that have all of our tasks."""
        complete = [name for name in found if all(task in found[name] for task in found[self.ours])]
        per_task = [regret.ranks({m: {task: found[m][task]} for m in complete}, complete, at) for task in found[self.ours]]
        per_task = [row for row in per_task if row]
        return {name: interval([row[name] for row in per_task], 2) for name in complete} if per_task else {}

    def _classes(self, found, at):
        complete = [name for name in found if name != self.ours and all(task in found[name] for task in found[self.ours])]
        members = collections.defaultdict(list)
        for task in found[self.ours]:
            for name in tasks.classes(task):
                members[name].append(task)
        rows = []
        for name, inside in members.items():
            means = {m: np.mean([regret.mean_log(found[m][task], at) for task in inside]) for m in [self.ours, *complete]}
            median = np.median([means[m] for m in complete]) if complete else np.nan
            verdict = "yes" if means[self.ours] <= median else "**no**"
            rows.append([name, len(inside), *(f"{means[m]:.2f}" for m in [self.ours, *complete]), f"{median:.2f}", verdict])
        self.lines += table(["class, log10", "tasks", *map(title, [self.ours, *complete]), "median peer", "ours at least as good"], rows)

    def add_time(self):
        """Seconds per suggestion as they were while the runs were made, which is not a measurement on a quiet machine."""
        rows = []
        for name in sorted({run["method"] for run in self.runs.values()}, key=lambda name: name != self.ours):
            row = [title(name)]
            for first, last in BUCKETS:
                seconds = [s for run in self.runs.values() if run["method"] == name and run["parallel"] == 1 for s in run["ask_seconds"][first - 1:last]]
                row.append(f"{1e3 * np.median(seconds):.1f} / {1e3 * np.percentile(seconds, 95):.1f}" if seconds else "-")
            rows.append(row)
        self.lines += ["## Milliseconds per suggestion during these runs, median / p95, by trials told", ""]
        self.lines += table(["method", *(f"{first} to {last}" for first, last in BUCKETS)], rows)

    def add_incomplete(self):
        rows = [[title(run["method"]), run["task"], run["seed"], run["parallel"], len(run["value"]), run["status"]]
                for run in self.runs.values() if run["status"] != "done"]
        basis = collections.Counter(kind for run in self.runs.values() if run["method"] == self.ours for kind in run["basis"])
        self.lines += ["## Runs that did not end", "", *(table(["method", "task", "seed", "parallel", "trials", "why"], rows) if rows else ["None.", ""])]
        self.lines += [f"Basis of our suggestions: {', '.join(f'{kind} {count}' for kind, count in basis.most_common())}.", ""]


def plot_regret(report, parallel, path):
    """Mean log10 normalised regret against trials, one panel for each class, of methods that have all of its tasks of ours."""
    from matplotlib import pyplot
    found = regret.curves(report.folder, report.runs, parallel, 100)
    panels = ["all", *sorted({name for task in found[report.ours] for name in tasks.classes(task)})]
    columns = 4
    figure, axes = pyplot.subplots(-(-len(panels) // columns), columns, figsize=(4 * columns, 3 * -(-len(panels) // columns)), squeeze=False)
    for axis, panel in zip(axes.flat, panels):
        inside = [task for task in found[report.ours] if panel == "all" or panel in tasks.classes(task)]
        for name in found:
            if not all(task in found[name] for task in inside):
                continue
            mean = [np.mean([np.log10(curve[:100]) for curve in found[name][task].values()], axis=0) for task in inside]
            axis.plot(np.arange(1, 101), np.mean(mean, axis=0), label=title(name), linewidth=2.5 if name == report.ours else 1.2)
        axis.set_title(f"{panel} ({len(inside)} tasks)")
    for axis in axes.flat[len(panels):]:
        axis.set_visible(False)
    figure.supylabel("log10 normalised regret, mean")
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncol=6, title="against trials")
    figure.tight_layout(rect=(0, 0.07, 1, 1))
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def plot_time(report, path):
    """Median and p95 seconds per suggestion against the number of results told."""
    from matplotlib import pyplot
    figure, axis = pyplot.subplots(figsize=(8, 5))
    for name in sorted({run["method"] for run in report.runs.values()}):
        rows = [run["ask_seconds"] for run in report.runs.values() if run["method"] == name and run["parallel"] == 1 and run["status"] == "done"]
        length = max(map(len, rows), default=0)
        groups = [np.concatenate([row[i:i + 5] for row in rows if len(row) > i]) for i in range(0, length, 5)]
        if groups:
            at = np.arange(len(groups)) * 5 + 3
            drawn, = axis.plot(at, [1e3 * np.median(group) for group in groups], label=title(name))
            axis.plot(at, [1e3 * np.percentile(group, 95) for group in groups], linestyle=":", color=drawn.get_color())
    axis.set(yscale="log", xlabel="trials told", ylabel="ms per suggestion: median, p95 dotted")
    axis.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def main():
    import matplotlib
    matplotlib.use("Agg")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ours", default="tuner")
    parser.add_argument("--results", type=pathlib.Path, default=results.default_folder())
    parser.add_argument("--out", type=pathlib.Path)
    options = parser.parse_args()
    out = options.out or options.results / "report"
    out.mkdir(parents=True, exist_ok=True)
    report = Report(options.results, options.ours)
    if not report.parallelisms():
        sys.exit(f"no runs of {options.ours} in {options.results}")
    for parallel in report.parallelisms():
        report.add_parallel(parallel)
        plot_regret(report, parallel, out / f"regret-{parallel}.png")
    report.add_time()
    report.add_incomplete()
    plot_time(report, out / "time.png")
    (out / "report.md").write_text("\n".join(report.lines))
    print(out / "report.md")


if __name__ == "__main__":
    import run
    run.in_own_environment()
    main()
