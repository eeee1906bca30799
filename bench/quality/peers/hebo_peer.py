"""HEBO with its defaults by suggest and observe; trials in parallel are asked for one at a time. Conditions are flattened."""

import warnings

import numpy as np
import pandas
import torch
from hebo.design_space.design_space import DesignSpace
from hebo.optimizers.hebo import HEBO

import adapter

torch.set_num_threads(1)
warnings.simplefilter("ignore")


def design(p):
    if p.kind == "boolean":
        return {"name": p.name, "type": "bool"}
    if p.kind == "categorical":
        return {"name": p.name, "type": "cat", "categories": list(p.values)}
    kinds = {("double", False): "num", ("double", True): "pow", ("integer", False): "int", ("integer", True): "pow_int"}
    return {"name": p.name, "type": kinds[p.kind, p.log], "lb": p.low, "ub": p.high}


class Study:
    def __init__(self, space, seed, parallel, budget):
        np.random.seed(seed)
        torch.manual_seed(seed)
        self._space = space
        self._hebo = HEBO(DesignSpace().parse([design(p) for p in space]), scramble_seed=seed)

    def ask(self):
        row = self._hebo.suggest(n_suggestions=1)
        return row, {name: row[name].iloc[0] for name in row.columns}

    def tell(self, row, value):
        self._hebo.observe(row, np.array([[value]]))

    def tell_many(self, points, values):
        rows = pandas.DataFrame([adapter.filled(self._space, point) for point in points])
        self._hebo.observe(rows, np.array(values).reshape(-1, 1))


if __name__ == "__main__":
    adapter.serve(Study)
