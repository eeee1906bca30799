#!/usr/bin/env python3
"""1,000 simulated SageMaker trials at 100 in parallel: many_trials.py [--trials N] [--parallel N] [--seconds S]

Prints how often the service was asked, for each 100 running trials in each 5 s, and the server's memory above idle. Ends with 1 if there were
more than one list or describe call, or more than 60 MB. Needs a built tuner (TUNER_BUILD_DIR or build/).
"""

import argparse
import collections
import os
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import harness
from sagemaker_e2e_test import JOB, Scripted

WINDOW = 5.0
MOST_MEMORY_MB = 60
POLLS = ("ListTrainingJobs", "DescribeTrainingJob", "Search")


def resident_mb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmRSS")


def busiest(timeline):
    """The most polls in any window of 5 s, for each (begun) 100 live jobs in it."""
    window, most = collections.deque(), 0.0
    for at, operation, live in timeline:
        if operation in POLLS:
            window.append(at)
        while window and window[0] <= at - WINDOW:
            window.popleft()
        most = max(most, len(window) / max(1, -(-live // 100)))
    return most


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--parallel", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=10)
    arguments = parser.parse_args()
    os.environ.update(AWS_ACCESS_KEY_ID="AKIDEXAMPLE", AWS_SECRET_ACCESS_KEY="secret")
    service = Scripted()
    with tempfile.TemporaryDirectory(prefix="tuner-many-") as folder:
        server = harness.Server(pathlib.Path(folder)).start()
        try:
            idle = resident_mb(server._process.pid)
            script = f"log loss={{x}}; wait {arguments.seconds / 2}; log loss={{x}}; wait {arguments.seconds / 2}; succeed"
            job = JOB.format(name="many", trials=arguments.trials, parallel=arguments.parallel, more="", options="", script=script,
                             endpoint=service.endpoint).replace("    poll_interval: 1s\n", "")
            path = pathlib.Path(folder) / "many.yaml"
            path.write_text(job)
            began, peak = time.monotonic(), idle
            server.cli("create", path)
            while True:
                peak = max(peak, resident_mb(server._process.pid))
                shown = server.json("show", "many")
                if shown["state"] != "RUNNING":
                    break
                time.sleep(1)
            seconds = time.monotonic() - began
        finally:
            server.stop()
    stats = service.stats()
    service.close()
    polls = sum(stats["calls"].get(operation, 0) for operation in POLLS)
    rate = busiest(stats["timeline"])
    print(f"{shown['trial_counts'].get('completed', 0)} of {arguments.trials} trials completed in {seconds:.0f} s, "
          f"at most {max(live for _, _, live in stats['timeline'])} at once, each started {max(stats['starts'].values())} time(s)")
    print("calls: " + ", ".join(f"{operation} {count}" for operation, count in sorted(stats["calls"].items())))
    print(f"{polls} list, search and describe calls: at most {rate:.2f} in any 5 s for each 100 live training jobs")
    print(f"memory: {idle:.1f} MB idle, {peak:.1f} MB at most: {peak - idle:.1f} MB above idle")
    good = shown["state"] == "COMPLETED" and rate <= 1 and peak - idle < MOST_MEMORY_MB
    print("kept" if good else "NOT KEPT")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
