"""Nevergrad's optimizers by ask and tell, told the budget and the number of workers. Conditions are flattened."""

import warnings

import nevergrad as ng
import numpy as np

import adapter

warnings.simplefilter("ignore")


def instrument(p):
    if not p.numeric:
        return ng.p.Choice(list(p.choices))
    variable = ng.p.Log(lower=p.low, upper=p.high) if p.log else ng.p.Scalar(lower=p.low, upper=p.high)
    return variable.set_integer_casting() if p.kind == "integer" else variable


class Study:
    def __init__(self, space, seed, parallel, budget, optimizer):
        self._space = space
        variables = ng.p.Dict(**{p.name: instrument(p) for p in space})
        variables.random_state = np.random.RandomState(seed)
        self._optimizer = ng.optimizers.registry[optimizer](parametrization=variables, budget=budget, num_workers=parallel)

    def ask(self):
        candidate = self._optimizer.ask()
        return candidate, dict(candidate.value)

    def tell(self, candidate, value):
        self._optimizer.tell(candidate, value)

    def tell_many(self, points, values):
        for point, value in zip(points, values):
            candidate = self._optimizer.parametrization.spawn_child(new_value=adapter.filled(self._space, point))
            self._optimizer.tell(candidate, value)


if __name__ == "__main__":
    adapter.serve(Study)
