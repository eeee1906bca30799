"""Raw results: one JSON line for each run of (method, task, seed, parallel, budget), in one file for each method."""

import json
import os
import pathlib


def default_folder():
    return pathlib.Path(os.environ.get("TUNER_QUALITY_RESULTS") or pathlib.Path(__file__).resolve().parents[2] / "build" / "bench" / "quality")


def key(run):
    return run["method"], run["task"], run["seed"], run["parallel"], run["budget"]


def path(folder, method):
    return pathlib.Path(folder) / f"{method.replace('/', '_')}.jsonl"


def read(folder):
    """All runs, by key; of several lines with one key the last counts."""
    runs = {}
    for file in sorted(pathlib.Path(folder).glob("*.jsonl")):
        for line in file.read_text().splitlines():
            if line.endswith("}"):  # a line that was cut by the end of a run is made again
                run = json.loads(line)
                runs[key(run)] = run
    return runs


def append(folder, run):
    pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
    with open(path(folder, run["method"]), "ab") as file:
        file.write((json.dumps(run) + "\n").encode())
