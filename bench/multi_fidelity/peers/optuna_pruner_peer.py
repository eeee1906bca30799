"""Optuna's HyperbandPruner by ask, report and tell, with random sampling or TPE, both with their defaults.

It prunes and does not resume: a trial that passes a rung goes on at once. TPE gets constant_liar as trials run in parallel, as its
documentation advises.
"""

import warnings

import optuna

import steps

optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.simplefilter("ignore")

SAMPLERS = {
    "random": lambda seed: optuna.samplers.RandomSampler(seed=seed),
    "tpe": lambda seed: optuna.samplers.TPESampler(seed=seed, constant_liar=True),
}


class Study:
    def __init__(self, space, seed, workers, resource, eta, sampler):
        self._space, self._resource, self._trials = space, resource, {}
        pruner = optuna.pruners.HyperbandPruner(min_resource=1, max_resource=resource, reduction_factor=eta)
        # Brackets are drawn by a hash of the study's name: without one it is random, and no run could be made again.
        self._study = optuna.create_study(direction="minimize", sampler=SAMPLERS[sampler](seed), pruner=pruner, study_name=f"study-{seed}")

    def next(self):
        trial, values = self._study.ask(), {}
        for p in self._space:
            if p.kind == "double":
                values[p.name] = trial.suggest_float(p.name, p.low, p.high, log=p.log)
            elif p.kind == "integer":
                values[p.name] = trial.suggest_int(p.name, p.low, p.high, log=p.log)
            else:
                values[p.name] = trial.suggest_categorical(p.name, p.choices)
        self._trials[trial.number] = trial
        return trial.number, values

    def report(self, trial, epoch, value):
        self._trials[trial].report(value, epoch)
        return epoch == self._resource or not self._trials[trial].should_prune()

    def end(self, trial, epoch, value):
        if epoch < self._resource:
            self._study.tell(self._trials.pop(trial), state=optuna.trial.TrialState.PRUNED)
        else:
            self._study.tell(self._trials.pop(trial), value)


if __name__ == "__main__":
    steps.serve(Study)
