"""Syne Tune's HyperbandScheduler of type promotion (ASHA, MOBSTER), driven as its Tuner does, without a backend.

brackets: 0 for all that the resources allow. All else has its default. The scheduler's own clock is of no account: no cost is told.
"""

import contextlib
import datetime
import logging
import sys

import steps

logging.disable(logging.CRITICAL)
with contextlib.redirect_stdout(sys.stderr):  # it prints what it could not import, which must not come between the answers
    from syne_tune import config_space as cs
    from syne_tune.backend.trial_status import Trial
    from syne_tune.optimizer.baselines import ASHA, MOBSTER
    from syne_tune.optimizer.scheduler import SchedulerDecision

MILESTONE, EPOCH, METRIC = "epochs-to-run", "epoch", "value"


def domain(p):
    if p.kind == "double":
        return cs.loguniform(p.low, p.high) if p.log else cs.uniform(p.low, p.high)
    if p.kind == "integer":
        return cs.lograndint(p.low, p.high) if p.log else cs.randint(p.low, p.high)
    return cs.choice(list(p.values) if p.kind == "categorical" else ["false", "true"])


def all_brackets(resource, eta):
    """Rung levels up to the resource: 1, eta, ..."""
    count, level = 1, eta
    while level <= resource:
        count, level = count + 1, level * eta
    return count


class Study:
    def __init__(self, space, seed, workers, resource, eta, searcher, brackets):
        self._space, self._trials = space, {}
        kind = {"random": ASHA, "bayesopt": MOBSTER}[searcher]
        configuration = {**{p.name: domain(p) for p in space}, MILESTONE: resource}
        self._scheduler = kind(configuration, metric=METRIC, mode="min", resource_attr=EPOCH, max_resource_attr=MILESTONE, grace_period=1,
                               reduction_factor=eta, type="promotion", brackets=brackets or all_brackets(resource, eta), random_seed=seed)

    def next(self):
        suggestion = self._scheduler.suggest(len(self._trials))
        if suggestion is None:
            return None
        number = len(self._trials) if suggestion.spawn_new_trial_id else int(suggestion.checkpoint_trial_id)
        if not suggestion.spawn_new_trial_id:
            if suggestion.config is not None:
                self._trials[number] = Trial(number, suggestion.config, self._trials[number].creation_time)
            return number, None
        self._trials[number] = Trial(number, suggestion.config, datetime.datetime.now())
        self._scheduler.on_trial_add(self._trials[number])
        values = {p.name: suggestion.config[p.name] for p in self._space}
        return number, {p.name: values[p.name] == "true" if p.kind == "boolean" else values[p.name] for p in self._space}

    def report(self, trial, epoch, value):
        return self._scheduler.on_trial_result(self._trials[trial], {METRIC: value, EPOCH: epoch}) == SchedulerDecision.CONTINUE

    def end(self, trial, epoch, value):
        """Paused, or stopped at the full resource: its Tuner tells both by on_trial_remove."""
        self._scheduler.on_trial_remove(self._trials[trial])


if __name__ == "__main__":
    steps.serve(Study)
