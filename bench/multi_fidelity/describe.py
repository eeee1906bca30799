"""What the tasks are like: how well the values that are seen at each rung rank full trainings."""

import zlib

import numpy as np

import instances
import space as spaces

POINTS, SEEDS = 300, 3


def ranks(values):
    return np.argsort(np.argsort(values))


def row(name):
    """(parameters, resource, {rung: mean rank correlation of random points with the final value}, noise is inside)."""
    found = {}
    for seed in range(SEEDS):
        task = instances.make(name, seed)
        uniform = np.random.default_rng([zlib.crc32(name.encode()), seed, 3]).random
        seen, final = [], []
        for _ in range(POINTS):
            training = task.begin(spaces.draw(task.space, uniform))
            values = [training.advance() for _ in range(task.resource)]
            seen.append([observed for _, observed in values])
            final.append(values[-1][0])
        rung = 1
        while rung <= task.resource:
            column = [values[rung - 1] for values in seen]
            found.setdefault(rung, []).append(np.corrcoef(ranks(column), ranks(final))[0, 1])
            rung *= 3
    return len(task.space), task.resource, {rung: float(np.mean(values)) for rung, values in found.items()}


def text(tasks):
    rungs = (1, 3, 9, 27, 81)
    lines = [f"rank correlation of the values seen at a rung with the final ones, of {POINTS} random points, mean of {SEEDS} seeds", "",
             "| task | parameters | epochs | " + " | ".join(f"at {rung}" for rung in rungs) + " |", "|" + "---|" * (len(rungs) + 3)]
    for name in tasks:
        if instances.simulated(name):
            parameters, resource, found = row(name)
            lines.append(f"| {name} | {parameters} | {resource} | " + " | ".join(f"{found[r]:.2f}" if r in found else "" for r in rungs) + " |")
    return "\n".join(lines)
