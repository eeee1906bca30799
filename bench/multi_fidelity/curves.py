"""Simulated learning curves: tasks whose trials can be trained an epoch at a time at no cost, and whose every value is known.

An instance is (task, seed): the optimum, the weights and the categories' costs are drawn from the seed. A curve is a function of
(task, seed, point) alone, noise included, so every method sees the same one. Without noise it is

    v(t) = f + (start - f) h(t),    h(0) = 1,  h(R) = 0

with the value of the full training f(x) in [0, 1), 0 at the optimum, and h of a speed that depends on x: where learning is slow at the
best points, curves cross. All trainings start near the same value, as they do before anything is learnt.
"""

import dataclasses
import json
import math
import zlib

import numpy as np

from space import boolean, categorical, double, integer

# Where a training that diverges heads for before it does, which no method takes for its target, and where it ends.
APPARENT, DIVERGED = 0.4, 1.5


@dataclasses.dataclass
class Surrogate:
    """One instance.

    final(point): the noise-free value of the full training. slowness(point): in [0, 1], 1 learns as far as the last epoch.
    plateau: how long the beginning tells nothing (0: exponential decay from the first epoch on). noise: standard deviation of each
    epoch's value. cost(point): time of an epoch. diverges(point): whether it blows up after its first epochs.
    """
    space: list
    resource: int
    final: object
    slowness: object
    noise: float = 0.0
    plateau: float = 0.0
    cost: object = staticmethod(lambda point: 1.0)
    diverges: object = staticmethod(lambda point: False)

    def curve(self, point):
        """Noise-free values of epochs 1 to R."""
        epochs, last = np.arange(1, self.resource + 1), self.resource
        tau = last * 10 ** (-1.7 + 1.5 * min(max(self.slowness(point), 0.0), 1.0))
        power = 1 + 2 * self.plateau
        left = np.exp(-(epochs / tau) ** power)
        end = math.exp(-(last / tau) ** power)
        value = self.final(point)
        if not self.diverges(point):
            return value + (1 - value) * (left - end) / (1 - end)
        blown = epochs > max(2, last // 20)
        return np.where(blown, DIVERGED, APPARENT + (1 - APPARENT) * left)


class Bowl:
    """Value of the full training over a space: a bowl in the unit cube around a point drawn from the generator, plus the categories' costs.

    at: the optimum's place on numeric axes in the unit interval; `place` fixes the range of single ones. couple: a pair of names, the
    optimum of the first moves with the second. ripple: share of local optima.
    """

    def __init__(self, rng, space, place=None, couple=None, ripple=0.0):
        self._space, self._couple, self._ripple = space, couple, ripple
        numeric = [p for p in space if p.numeric]
        # On a value that exists, so that the least value of the bowl is 0 over integers too.
        self.at = {p.name: p.to_unit(p.from_unit(rng.uniform(*(place or {}).get(p.name, (0.15, 0.85))))) for p in numeric}
        self._weight = dict(zip(self.at, rng.permutation(4.0 * 0.6 ** np.arange(len(numeric)))))
        for name in couple or ():
            self._weight[name] = max(self._weight[name], 2.0)
        self._cost = {}
        for p in space:
            if not p.numeric:
                cost = rng.uniform(0.1, 0.6, len(p.choices))
                cost[rng.integers(len(cost))] = 0.0
                self._cost[p.name] = dict(zip(p.choices, cost))

    def __call__(self, point):
        away = {p.name: p.to_unit(point[p.name]) - self.at[p.name] for p in self._space if p.numeric}
        if self._couple:
            away[self._couple[0]] += 0.5 * away[self._couple[1]]
        total = sum(self._cost[name][point[name]] for name in self._cost)
        for name, z in away.items():
            total += self._weight[name] * (z * z + self._ripple * 0.05 * (1 - math.cos(8 * math.pi * z)))
        return 1 - math.exp(-total)


def unit(space, name):
    """point -> the named parameter's place in [0, 1]."""
    parameter = next(p for p in space if p.name == name)
    return lambda point: parameter.to_unit(point[name])


RATE = double("learning_rate", 1e-5, 1, log=True)
DECAY = double("weight_decay", 1e-7, 1e-1, log=True)
MOMENTUM, DROPOUT = double("momentum", 0, 0.99), double("dropout", 0, 0.8)
BATCH, UNITS, LAYERS = integer("batch_size", 8, 512, log=True), integer("units", 8, 1024, log=True), integer("layers", 1, 6)


def steady(rng):
    """Curves of one speed and hardly any noise: the early ranking is the final one."""
    space = [RATE, DECAY, MOMENTUM, DROPOUT]
    return Surrogate(space, 81, Bowl(rng, space), lambda point: 0.4, noise=0.005)


def crossing(rng):
    """The best points learn slowly: a large learning rate leads early and ends worse."""
    space = [RATE, DECAY, MOMENTUM, DROPOUT, BATCH]
    rate = unit(space, "learning_rate")
    bowl = Bowl(rng, space, {"learning_rate": (0.2, 0.5)}, ("learning_rate", "batch_size"))
    return Surrogate(space, 81, bowl, lambda point: 1 - rate(point), noise=0.01)


def noisy(rng):
    """Six parameters; an epoch's value is off by a tenth of the range of all values."""
    space = [RATE, DECAY, MOMENTUM, DROPOUT, BATCH, UNITS]
    rate = unit(space, "learning_rate")
    return Surrogate(space, 81, Bowl(rng, space), lambda point: 0.6 - 0.4 * rate(point), noise=0.1)


def late(rng):
    """A plateau at the beginning, of a length that depends on the point: the first rungs tell little."""
    space = [RATE, DECAY, DROPOUT, UNITS]
    rate, units = unit(space, "learning_rate"), unit(space, "units")
    return Surrogate(space, 81, Bowl(rng, space), lambda point: 0.5 + 0.2 * units(point) - 0.2 * rate(point), noise=0.01, plateau=1)


def mixed(rng):
    """Optimizer and activation beside numbers; each optimizer has its own speed."""
    optimizers = ["sgd", "adam", "rmsprop", "lion"]
    space = [RATE, DECAY, LAYERS, BATCH, categorical("optimizer", optimizers), categorical("activation", ["relu", "tanh", "gelu"])]
    speed, rate = dict(zip(optimizers, rng.permutation([0.2, 0.35, 0.5, 0.65]))), unit(space, "learning_rate")
    return Surrogate(space, 81, Bowl(rng, space), lambda point: speed[point["optimizer"]] + 0.2 * (1 - rate(point)), noise=0.02)


def mixed_eight(rng):
    """Eight parameters of all kinds."""
    space = [RATE, DECAY, MOMENTUM, DROPOUT, UNITS, LAYERS, boolean("augment"), categorical("schedule", ["constant", "cosine", "step"])]
    rate, late_gain = unit(space, "learning_rate"), dict(zip(["constant", "cosine", "step"], [0.0, 0.3, 0.15]))
    return Surrogate(space, 81, Bowl(rng, space), lambda point: 0.5 - 0.3 * rate(point) + late_gain[point["schedule"]], noise=0.02)


def costly(rng):
    """An epoch costs from a quarter to four times the middle, by the width; the best networks are wide, and slow in epochs too."""
    space = [RATE, DECAY, DROPOUT, BATCH, UNITS]
    rate, units = unit(space, "learning_rate"), unit(space, "units")
    return Surrogate(space, 81, Bowl(rng, space, {"units": (0.5, 0.85)}), lambda point: 0.3 + 0.3 * units(point) - 0.2 * rate(point), noise=0.01,
                     cost=lambda point: 4 ** (2 * units(point) - 1))


def rugged(rng):
    """Local optima in five parameters."""
    space = [RATE, DECAY, MOMENTUM, DROPOUT, BATCH]
    rate = unit(space, "learning_rate")
    return Surrogate(space, 81, Bowl(rng, space, ripple=1.0), lambda point: 0.7 - 0.5 * rate(point), noise=0.02)


def diverging(rng):
    """A large learning rate leads for some epochs, then diverges: a quarter of all points, more or less by the seed."""
    space = [RATE, DECAY, MOMENTUM, BATCH]
    bowl, rate = Bowl(rng, space, {"learning_rate": (0.5, 0.7)}), unit(space, "learning_rate")
    edge = bowl.at["learning_rate"] + rng.uniform(0.1, 0.2)
    return Surrogate(space, 81, bowl, lambda point: 0.9 - 0.9 * rate(point), noise=0.01, diverges=lambda point: rate(point) > edge)


def short(rng):
    """27 epochs, three parameters."""
    space = [RATE, DECAY, UNITS]
    rate = unit(space, "learning_rate")
    return Surrogate(space, 27, Bowl(rng, space), lambda point: 0.6 - 0.3 * rate(point), noise=0.01)


def short_mixed(rng):
    """27 epochs, seven parameters, crossing and noisy."""
    space = [RATE, DECAY, DROPOUT, BATCH, LAYERS, boolean("augment"), categorical("optimizer", ["sgd", "adam", "rmsprop"])]
    rate = unit(space, "learning_rate")
    return Surrogate(space, 27, Bowl(rng, space, {"learning_rate": (0.2, 0.6)}), lambda point: 0.9 - 0.7 * rate(point), noise=0.04)


TASKS = {
    "steady-4": steady,
    "crossing-5": crossing,
    "noisy-6": noisy,
    "late-4": late,
    "mixed-6": mixed,
    "mixed-8": mixed_eight,
    "costly-5": costly,
    "rugged-5": rugged,
    "diverging-4": diverging,
    "short-3": short,
    "short-mixed-7": short_mixed,
}


class Training:
    """A trial of a surrogate. advance(): (value without noise, value that is seen) of its next epoch."""

    def __init__(self, true, observed, cost):
        self._true, self._observed, self._done, self.cost = true, observed, 0, cost

    def advance(self):
        self._done += 1
        return float(self._true[self._done - 1]), float(self._observed[self._done - 1])

    def full(self):
        """(value without noise, value that is seen) of its last epoch, whether it was trained so far or not."""
        return float(self._true[-1]), float(self._observed[-1])


class Simulated:
    """The instance of a surrogate for a seed."""
    optimum = 0.0

    def __init__(self, name, seed):
        self._key = [zlib.crc32(name.encode()), seed]
        self._surrogate = TASKS[name](np.random.default_rng(self._key))
        self.space, self.resource = self._surrogate.space, self._surrogate.resource

    def begin(self, point):
        true = self._surrogate.curve(point)
        drawn = zlib.crc32(json.dumps({k: float(f"{v:.12g}") if isinstance(v, float) else v for k, v in sorted(point.items())}).encode())
        observed = true + self._surrogate.noise * np.random.default_rng([*self._key, 1, drawn]).normal(size=len(true))
        return Training(true, observed, self._surrogate.cost(point))

    def sample(self, point):
        """(value of the full training without noise, cost of an epoch), for the scale."""
        return float(self._surrogate.curve(point)[-1]), self._surrogate.cost(point)
