"""Optuna's samplers by ask and tell, with its defaults. Conditional parameters are asked for only where they are active.

TPE gets constant_liar where trials run in parallel, as its documentation advises.
"""

import warnings

import optuna

import adapter

optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.simplefilter("ignore")
try:
    import torch
    torch.set_num_threads(1)
except ImportError:
    pass

SAMPLERS = {
    "tpe": lambda seed, parallel: optuna.samplers.TPESampler(seed=seed, constant_liar=parallel > 1),
    "gp": lambda seed, parallel: optuna.samplers.GPSampler(seed=seed),
    "cmaes": lambda seed, parallel: optuna.samplers.CmaEsSampler(seed=seed),
    "nsga2": lambda seed, parallel: optuna.samplers.NSGAIISampler(seed=seed),
    "gp-constrained": lambda seed, parallel: optuna.samplers.GPSampler(seed=seed, constraints_func=violations),
    "nsga2-constrained": lambda seed, parallel: optuna.samplers.NSGAIISampler(seed=seed, constraints_func=violations),
}


def violations(trial):
    """Outcome constraints as Optuna wants them: positive where violated."""
    return trial.user_attrs["violations"]


class Study:
    def __init__(self, space, seed, parallel, budget, sampler, objectives=1):
        self._space = space
        self._study = optuna.create_study(directions=["minimize"] * objectives, sampler=SAMPLERS[sampler](seed, parallel))

    def ask(self):
        trial, point = self._study.ask(), {}
        for p in self._space:
            if not adapter.spaces.is_active(p, point):
                continue
            if p.kind == "double":
                point[p.name] = trial.suggest_float(p.name, p.low, p.high, log=p.log)
            elif p.kind == "integer":
                point[p.name] = trial.suggest_int(p.name, p.low, p.high, log=p.log)
            else:
                point[p.name] = trial.suggest_categorical(p.name, p.choices)
        return trial, point

    def tell(self, trial, value):
        """value: a number, or {"objectives", "violations"}."""
        if isinstance(value, dict):
            trial.set_user_attr("violations", value["violations"])
            value = value["objectives"]
        self._study.tell(trial, value)

    def tell_many(self, points, values):
        for point, value in zip(points, values):
            domains = {}
            for p in self._space:
                if p.name not in point:
                    continue
                if p.kind == "double":
                    domains[p.name] = optuna.distributions.FloatDistribution(p.low, p.high, log=p.log)
                elif p.kind == "integer":
                    domains[p.name] = optuna.distributions.IntDistribution(p.low, p.high, log=p.log)
                else:
                    domains[p.name] = optuna.distributions.CategoricalDistribution(p.choices)
            self._study.add_trial(optuna.trial.create_trial(params=point, distributions=domains, value=value))


if __name__ == "__main__":
    adapter.serve(Study)
