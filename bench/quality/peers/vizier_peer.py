"""OSS Vizier's GP bandit designer with its defaults, without its service. It has no conditions: they are flattened."""

import warnings

import jax

import adapter
from vizier import algorithms as vza
from vizier import pyvizier as vz
from vizier.algorithms.designers import VizierGPBandit

jax.config.update("jax_enable_x64", True)
warnings.simplefilter("ignore")


class Study:
    def __init__(self, space, seed, parallel, budget):
        self._space, self._count, self._active = space, 0, {}
        problem = vz.ProblemStatement()
        root = problem.search_space.root
        for p in space:
            scale = vz.ScaleType.LOG if p.log else vz.ScaleType.LINEAR
            if p.kind == "double":
                root.add_float_param(p.name, p.low, p.high, scale_type=scale)
            elif p.kind == "integer":
                root.add_int_param(p.name, p.low, p.high, scale_type=scale)
            else:
                root.add_categorical_param(p.name, [str(choice) for choice in p.choices])
        problem.metric_information.append(vz.MetricInformation("value", goal=vz.ObjectiveMetricGoal.MINIMIZE))
        self._designer = VizierGPBandit(problem, rng=jax.random.PRNGKey(seed))

    def ask(self):
        suggestion = self._designer.suggest(1)[0]
        self._count += 1
        self._active[self._count] = suggestion.to_trial(self._count)
        shown = {name: value.value for name, value in suggestion.parameters.items()}
        values = {}
        for p in self._space:
            if p.numeric:
                values[p.name] = shown[p.name]
            else:
                values[p.name] = p.choices[[str(choice) for choice in p.choices].index(shown[p.name])]
        return self._count, values

    def tell(self, number, value):
        trial = self._active.pop(number)
        trial.complete(vz.Measurement({"value": value}))
        self._designer.update(vza.CompletedTrials([trial]), vza.ActiveTrials(list(self._active.values())))

    def tell_many(self, points, values):
        trials = []
        for point, value in zip(points, values):
            self._count += 1
            shown = {p.name: v if p.numeric else str(v) for p in self._space for v in [adapter.filled(self._space, point)[p.name]]}
            trials.append(vz.Trial(parameters=shown, id=self._count).complete(vz.Measurement({"value": value})))
        self._designer.update(vza.CompletedTrials(trials), vza.ActiveTrials())


if __name__ == "__main__":
    adapter.serve(Study)
