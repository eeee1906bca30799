"""SMAC's facade for hyperparameter optimisation (random forest, log-EI) by ask and tell, with its defaults. It knows conditions."""

import logging
import pathlib
import tempfile
import warnings

import ConfigSpace as cs
from smac import HyperparameterOptimizationFacade, Scenario
from smac.runhistory.dataclasses import TrialInfo, TrialValue

import adapter

logging.disable(logging.CRITICAL)
warnings.simplefilter("ignore")


def configuration_space(space, seed):
    result, made = cs.ConfigurationSpace(seed=seed), {}
    for p in space:
        if p.kind == "double":
            made[p.name] = cs.UniformFloatHyperparameter(p.name, p.low, p.high, log=p.log)
        elif p.kind == "integer":
            made[p.name] = cs.UniformIntegerHyperparameter(p.name, p.low, p.high, log=p.log)
        else:
            made[p.name] = cs.CategoricalHyperparameter(p.name, [str(choice) for choice in p.choices])
    result.add(list(made.values()))
    for p in space:
        if p.parent:
            parent = next(q for q in space if q.name == p.parent)
            values = [value if parent.numeric else str(value) for value in p.parent_values]
            result.add(cs.InCondition(made[p.name], made[p.parent], values))
    return result


class Study:
    def __init__(self, space, seed, parallel, budget):
        self._space, self._by_name = space, {p.name: p for p in space}
        self._folder = tempfile.TemporaryDirectory()
        self._configurations = configuration_space(space, seed)
        scenario = Scenario(self._configurations, deterministic=True, n_trials=budget, seed=seed, n_workers=1,
                            output_directory=pathlib.Path(self._folder.name))
        self._smac = HyperparameterOptimizationFacade(scenario, lambda config, seed=0: 0.0, overwrite=True, logging_level=False)

    def ask(self):
        info = self._smac.ask()
        values = {}
        for name, value in dict(info.config).items():
            p = self._by_name[name]
            values[name] = value if p.numeric else p.choices[[str(choice) for choice in p.choices].index(str(value))]
        return info, values

    def tell(self, info, value):
        self._smac.tell(info, TrialValue(cost=value))

    def tell_many(self, points, values):
        for point, value in zip(points, values):
            known = {name: v if self._by_name[name].numeric else str(v) for name, v in point.items()}
            self._smac.tell(TrialInfo(cs.Configuration(self._configurations, values=known), seed=0), TrialValue(cost=value))


if __name__ == "__main__":
    adapter.serve(Study)
