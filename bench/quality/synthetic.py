"""Synthetic tasks. Each seed is another instance: optimum moved, axes rotated where the task says so, categories relabelled.

An instance's optimum value is known. TASKS maps a name to (classes, function of a numpy generator that makes the instance).
"""

import dataclasses
import math
import zlib

import numpy as np

from space import boolean, categorical, double, integer


@dataclasses.dataclass
class Instance:
    """One function to minimise.

    evaluate(point): the value without noise. optimum: the least such value; None if unknown. noise(value): standard deviation of
    the normal noise that a method sees on it, or None.
    """
    space: list
    evaluate: object
    optimum: float = None
    noise: object = None


def sphere(z):
    return float(z @ z)


def ellipsoid(condition):
    return lambda z: float(np.sum(condition ** np.linspace(0, 1, len(z)) * z * z))


def rosenbrock(z):
    return float(np.sum(100 * (z[1:] - z[:-1] ** 2) ** 2 + (1 - z[:-1]) ** 2))


def ackley(z):
    return float(20 + math.e - 20 * math.exp(-0.2 * math.sqrt(np.mean(z * z))) - math.exp(np.mean(np.cos(2 * np.pi * z))))


def levy(z):
    w = 1 + (z - 1) / 4
    middle = np.sum((w[:-1] - 1) ** 2 * (1 + 10 * np.sin(np.pi * w[:-1] + 1) ** 2))
    return float(np.sin(np.pi * w[0]) ** 2 + middle + (w[-1] - 1) ** 2 * (1 + np.sin(2 * np.pi * w[-1]) ** 2))


def rastrigin(z):
    return float(10 * len(z) + np.sum(z * z - 10 * np.cos(2 * np.pi * z)))


def griewank(z):
    return float(1 + z @ z / 4000 - np.prod(np.cos(z / np.sqrt(np.arange(1, len(z) + 1)))))


def styblinski_tang(z):
    return float(np.sum(z ** 4 - 16 * z ** 2 + 5 * z) / 2)


def branin(z):
    return float((z[1] - 5.1 / (4 * math.pi ** 2) * z[0] ** 2 + 5 / math.pi * z[0] - 6) ** 2
                 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(z[0]) + 10)


HARTMANN6_A = np.array([[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]])
HARTMANN6_P = 1e-4 * np.array([[1312, 1696, 5569, 124, 8283, 5886], [2329, 4135, 8307, 3736, 1004, 9991],
                               [2348, 1451, 3522, 2883, 3047, 6650], [4047, 8828, 8732, 5743, 1091, 381]])
HARTMANN6_OPTIMUM = np.array([0.20168952, 0.15001069, 0.47687398, 0.27533243, 0.31165162, 0.65730054])


def hartmann6(z):
    return float(-np.array([1, 1.2, 3, 3.2]) @ np.exp(-np.sum(HARTMANN6_A * (z - HARTMANN6_P) ** 2, axis=1)))


def rotation(rng, d):
    q, r = np.linalg.qr(rng.normal(size=(d, d)))
    return q * np.sign(np.diag(r))


def box(rng, function, d, low, high, base=0.0, rotate=False, unused=0, edge=0.0, noise=None):
    """`function`, least at `base`, with its optimum at a random place of [low, high]^d, in the middle 80 % of each axis.

    edge: share of the axes on which the optimum lies on the upper bound instead. unused: further axes that change nothing, at
    random positions among the others.
    """
    low, high = np.broadcast_to(low, d).astype(float), np.broadcast_to(high, d).astype(float)
    base = np.broadcast_to(base, d).astype(float)
    at = low + (high - low) * rng.uniform(0.1, 0.9, d)
    at = np.where(rng.uniform(size=d) < edge, high, at)
    turn = rotation(rng, d) if rotate else np.eye(d)
    order = rng.permutation(d + unused)
    used = [f"x{i}" for i in sorted(order[:d])]
    bounds = {name: (low[i], high[i]) for i, name in enumerate(used)}
    space = [double(f"x{i}", *bounds.get(f"x{i}", (0.0, 1.0))) for i in range(d + unused)]

    def evaluate(point):
        return function(base + turn @ (np.array([point[name] for name in used]) - at))

    return Instance(space, evaluate, function(base), noise)


def steps(rng):
    """A rotated ellipsoid seen in steps: flat almost everywhere."""
    return box(rng, lambda z: float(np.floor(2 * ellipsoid(100)(z)) / 2), 6, -2, 2, rotate=True)


def staircase(rng):
    """Only the better half of the range is informative; above it lies one plateau, as where a model learns nothing."""
    return box(rng, lambda z: min(float(np.sqrt(np.sum(z * z))), 1.2), 5, -1, 1)


def exponential_bowl(rng):
    """Values over some ten orders of magnitude."""
    return box(rng, lambda z: 10.0 ** (4 * float(np.sum(np.array([1, 0.7, 0.5, 0.3, 0.2]) * z * z))) - 1, 5, -1, 1, rotate=True)


def learning_rate_cliff(rng):
    """A valley in the logarithms of learning rate and batch size with divergence on its far side; some parameters are integers."""
    rate, decay, momentum, dropout = rng.uniform(-3.2, -1.8), rng.uniform(-5, -2), rng.uniform(0.2, 0.9), rng.uniform(0.1, 0.7)
    batch, reach = 2 ** rng.integers(4, 9), rng.uniform(0.4, 0.9)
    space = [double("learning_rate", 1e-6, 10, log=True), double("momentum", 0, 0.99), double("weight_decay", 1e-7, 1e-1, log=True),
             integer("batch_size", 8, 1024, log=True), double("dropout", 0, 0.9)]

    def evaluate(point):
        more = math.log2(point["batch_size"] / batch)
        over = math.log10(point["learning_rate"]) - rate - 0.15 * more
        loss = (0.5 * over ** 2 + 0.02 * more ** 2 + 0.05 * (math.log10(point["weight_decay"]) - decay) ** 2
                + 0.8 * (point["momentum"] - momentum) ** 2 + 0.6 * (point["dropout"] - dropout) ** 2)
        return loss + (10.0 ** min(2 * (over - reach), 8.0) if over > reach else 0.0)

    return Instance(space, evaluate, 0.0)


def heteroscedastic(rng):
    """Ellipsoid whose noise grows with its value."""
    return box(rng, ellipsoid(30), 8, -1, 1, noise=lambda value: 0.1 + 0.1 * value)


def mixed_categories(rng):
    """Two categories that move the optimum of four numbers, beside their own cost."""
    sizes, at = (5, 4), rng.uniform(0.1, 0.9, 4)
    best = [int(rng.integers(size)) for size in sizes]
    cost = [rng.uniform(0.1, 0.8, size) for size in sizes]
    move = [rng.uniform(-0.4, 0.4, (size, 4)) for size in sizes]
    for i, level in enumerate(best):
        cost[i][level], move[i][level] = 0.0, 0.0
    space = [categorical(f"c{i}", [f"v{j}" for j in range(size)]) for i, size in enumerate(sizes)]
    space += [double(f"x{i}", 0, 1) for i in range(4)]

    def evaluate(point):
        levels = [int(point[f"c{i}"][1:]) for i in range(len(sizes))]
        z = np.array([point[f"x{i}"] for i in range(4)]) - at - move[0][levels[0]] - move[1][levels[1]]
        return float(cost[0][levels[0]] + cost[1][levels[1]] + ellipsoid(10)(z))

    return Instance(space, evaluate, 0.0)


def mixed_ackley(rng):
    """Ackley's function over four switches and four numbers."""
    at, on = rng.uniform(-0.8, 0.8, 4), rng.integers(0, 2, 4)
    space = [boolean(f"b{i}") for i in range(4)] + [double(f"x{i}", -1, 1) for i in range(4)]

    def evaluate(point):
        switches = [3.0 * (int(point[f"b{i}"]) != on[i]) for i in range(4)]
        return ackley(np.array(switches + [3 * (point[f"x{i}"] - at[i]) for i in range(4)]))

    return Instance(space, evaluate, ackley(np.zeros(8)))


def mixed_integers(rng):
    """A rotated ellipsoid over four integers and four numbers."""
    at = np.concatenate([rng.integers(2, 19, 4), rng.uniform(2, 18, 4)])
    turn, values = rotation(rng, 8), ellipsoid(50)
    space = [integer(f"i{i}", 0, 20) for i in range(4)] + [double(f"x{i}", 0, 20) for i in range(4)]
    return Instance(space, lambda point: values(turn @ (np.array([point[p.name] for p in space], dtype=float) - at) / 10), 0.0)


def mixed_boosting(rng):
    """As the surface of a boosted tree's loss tends to look: ten parameters of all kinds, few matter much, some interact."""
    space = [double("eta", 1e-3, 1, log=True), integer("rounds", 10, 1000, log=True), integer("max_depth", 1, 12),
             double("min_child_weight", 0.1, 100, log=True), double("subsample", 0.3, 1), double("colsample", 0.3, 1),
             double("lambda", 1e-4, 100, log=True), double("alpha", 1e-4, 100, log=True),
             categorical("booster", ["tree", "dart", "linear"]), boolean("balance")]
    at = {p.name: rng.uniform(0.2, 0.8) for p in space if p.numeric}
    weight = dict(zip(at, rng.permutation([6, 3, 2, 1, 0.5, 0.3, 0.1, 0.05])))
    at["max_depth"] = space[2].to_unit(space[2].from_unit(at["max_depth"]))
    at["rounds"] = space[1].to_unit(space[1].from_unit(at["rounds"]))
    cost = dict(zip(rng.permutation(space[8].values), [0.0, 0.05, 0.5]))
    balance = bool(rng.integers(2))

    def evaluate(point):
        z = {p.name: p.to_unit(point[p.name]) - at[p.name] for p in space if p.numeric}
        z["eta"] = z["eta"] + 0.6 * z["rounds"]
        return float(sum(weight[name] * value ** 2 for name, value in z.items()) + cost[point["booster"]]
                     + 0.1 * (point["balance"] != balance) * (1 + abs(z["max_depth"])))

    return Instance(space, evaluate, 0.0)


def conditional_models(rng):
    """Three models, each with three parameters of its own; which is best shows only when each is tuned."""
    models, cost = ["forest", "svm", "net"], dict(zip(rng.permutation(["forest", "svm", "net"]), [0.0, 0.15, 0.4]))
    space, at, steep = [categorical("model", models), double("shared", 0, 1)], rng.uniform(0.1, 0.9, 1)[0], {}
    for model in models:
        child = {"parent": "model", "parent_values": (model,)}
        space += [double(f"{model}_a", 1e-4, 1, log=True, **child), double(f"{model}_b", 0, 1, **child), integer(f"{model}_c", 1, 32, **child)]
        steep[model] = rng.uniform(0.5, 4, 3)
    target = {p.name: p.to_unit(p.from_unit(rng.uniform(0.1, 0.9))) for p in space[2:]}

    def evaluate(point):
        own = [p for p in space[2:] if p.name in point]
        z = np.array([p.to_unit(point[p.name]) - target[p.name] for p in own])
        return float(cost[point["model"]] + steep[point["model"]] @ (z * z) + 0.5 * (point["shared"] - at) ** 2)

    return Instance(space, evaluate, 0.0)


def conditional_layers(rng):
    """A network's shape: as many widths as layers, and a rate of dropout where it is on."""
    best, rate = int(rng.integers(1, 5)), rng.uniform(-4, -1.5)
    units, drop, wanted = rng.uniform(4, 8.5, 4), rng.uniform(0.1, 0.6), bool(rng.integers(2))
    units = [math.log2(round(2 ** u)) for u in units]
    space = [integer("layers", 1, 4), double("learning_rate", 1e-6, 1, log=True), boolean("dropout"),
             double("dropout_rate", 0, 0.8, parent="dropout", parent_values=(True,))]
    for i in range(4):
        space.append(integer(f"units_{i + 1}", 8, 512, log=True, parent="layers", parent_values=tuple(range(i + 1, 5))))

    def evaluate(point):
        layers = point["layers"]
        widths = sum((math.log2(point[f"units_{i + 1}"]) - units[i]) ** 2 for i in range(layers)) / (4 * layers)
        dropout = 0.3 * (point["dropout"] != wanted)
        if point["dropout"]:
            dropout += (point["dropout_rate"] - drop) ** 2
        return 0.25 * abs(layers - best) + widths + dropout + 0.4 * (math.log10(point["learning_rate"]) - rate + 0.1 * (layers - best)) ** 2

    return Instance(space, evaluate, 0.0)


def conditional_switches(rng):
    """Three steps that may be left out; each has two parameters and helps only when they are right."""
    gain, at, main = rng.uniform(-0.2, 0.6, 3), rng.uniform(0.1, 0.9, (3, 2)), rng.uniform(-1, 1, 2)
    space = [double("x0", -2, 2), double("x1", -2, 2)]
    for k in range(3):
        child = {"parent": f"step_{k}", "parent_values": (True,)}
        space += [boolean(f"step_{k}"), double(f"step_{k}_a", 0, 1, **child), double(f"step_{k}_b", 1e-3, 1e3, log=True, **child)]
    named = {p.name: p for p in space}

    def evaluate(point):
        value = 0.05 * rosenbrock(1 + np.array([point["x0"], point["x1"]]) - main)
        for k in range(3):
            if point[f"step_{k}"]:
                b = named[f"step_{k}_b"].to_unit(point[f"step_{k}_b"])
                value += 2 * (point[f"step_{k}_a"] - at[k][0]) ** 2 + 2 * (b - at[k][1]) ** 2 - gain[k]
        return value

    return Instance(space, evaluate, -float(np.sum(np.maximum(gain, 0))))


def branin_box(rng, **options):
    return box(rng, branin, 2, (-5, 0), (10, 15), (math.pi, 2.275), **options)


def hartmann_box(rng, **options):
    return box(rng, hartmann6, 6, 0, 1, HARTMANN6_OPTIMUM, **options)


TASKS = {
    "branin-2": (("smooth",), branin_box),
    "hartmann-6": (("smooth",), hartmann_box),
    "ackley-5": (("multimodal",), lambda rng: box(rng, ackley, 5, -21.384, 21.384)),
    "levy-8-rotated": (("multimodal",), lambda rng: box(rng, levy, 8, -10, 10, 1.0, rotate=True)),
    "rastrigin-4-rotated": (("multimodal",), lambda rng: box(rng, rastrigin, 4, -5.12, 5.12, rotate=True)),
    "griewank-5": (("multimodal",), lambda rng: box(rng, griewank, 5, -60, 60)),
    "styblinski-10": (("multimodal",), lambda rng: box(rng, styblinski_tang, 10, -5, 5, -2.903534027771178)),
    "ellipsoid-10-rotated": (("smooth",), lambda rng: box(rng, ellipsoid(1e3), 10, -5, 5, rotate=True)),
    "sphere-7-edge": (("smooth",), lambda rng: box(rng, sphere, 7, 0, 1, edge=0.4)),
    "steps-6-rotated": (("plateaus",), steps),
    "plateau-5": (("plateaus",), staircase),
    "hartmann-6-of-20": (("high-dimensional",), lambda rng: hartmann_box(rng, unused=14)),
    "branin-2-of-40": (("high-dimensional",), lambda rng: branin_box(rng, unused=38)),
    "levy-20": (("high-dimensional",), lambda rng: box(rng, levy, 20, -10, 10, 1.0)),
    "ellipsoid-30": (("high-dimensional",), lambda rng: box(rng, ellipsoid(1e-3), 30, -1, 1)),
    "branin-2-noisy": (("noisy",), lambda rng: branin_box(rng, noise=lambda value: 5.0)),
    "hartmann-6-noisy": (("noisy",), lambda rng: hartmann_box(rng, noise=lambda value: 0.3)),
    "ackley-5-noisy": (("noisy",), lambda rng: box(rng, ackley, 5, -21.384, 21.384, noise=lambda value: 1.0)),
    "ellipsoid-8-noisy": (("noisy",), heteroscedastic),
    "mixed-categories-6": (("mixed",), mixed_categories),
    "mixed-ackley-8": (("mixed",), mixed_ackley),
    "mixed-integers-8": (("mixed",), mixed_integers),
    "mixed-boosting-10": (("mixed",), mixed_boosting),
    "conditional-models-11": (("conditional", "mixed"), conditional_models),
    "conditional-layers-8": (("conditional", "mixed"), conditional_layers),
    "conditional-switches-11": (("conditional", "mixed"), conditional_switches),
    "rosenbrock-4": (("heavy-tailed",), lambda rng: box(rng, rosenbrock, 4, -5, 10, 1.0)),
    "rosenbrock-8": (("heavy-tailed",), lambda rng: box(rng, rosenbrock, 8, -5, 10, 1.0)),
    "exponential-5-rotated": (("heavy-tailed",), exponential_bowl),
    "learning-rate-5": (("heavy-tailed", "mixed"), learning_rate_cliff),
}


def make(name, seed):
    """The task's instance for a seed."""
    return TASKS[name][1](np.random.default_rng([zlib.crc32(name.encode()), seed]))
