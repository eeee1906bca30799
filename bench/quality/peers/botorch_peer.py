"""BoTorch as its documentation runs it: SingleTaskGP with its default priors and standardised outcomes, qLogNEI with pending points.

Integers and categories are relaxed to the unit cube (one column a category) and rounded; conditions are flattened. The first
2 (d + 1) points, at most 20, come from a scrambled Sobol sequence.
"""

import warnings

import torch
from botorch.acquisition.logei import qLogNoisyExpectedImprovement
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from botorch.models.transforms import Standardize
from botorch.optim import optimize_acqf
from botorch.sampling import SobolQMCNormalSampler
from gpytorch.mlls import ExactMarginalLogLikelihood

import adapter

torch.set_num_threads(1)
warnings.simplefilter("ignore")


class Study:
    def __init__(self, space, seed, parallel, budget):
        torch.manual_seed(seed)
        self._cube = adapter.UnitCube(space)
        self._sobol = torch.quasirandom.SobolEngine(self._cube.columns, scramble=True, seed=seed)
        self._initial = min(2 * (len(space) + 1), 20)
        self._asked, self._seed, self._inputs, self._values, self._pending = 0, seed, [], [], []

    def ask(self):
        self._asked += 1
        if self._asked <= self._initial or len(self._values) < 2:
            values = self._cube.decode(self._sobol.draw(1)[0].tolist())
        else:
            values = self._cube.decode(self._model_point().tolist())
        row = self._cube.encode(values)
        self._pending.append(row)
        return row, values

    def _model_point(self):
        inputs = torch.tensor(self._inputs, dtype=torch.double)
        outcomes = -torch.tensor(self._values, dtype=torch.double).unsqueeze(-1)
        model = SingleTaskGP(inputs, outcomes, outcome_transform=Standardize(m=1))
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        pending = torch.tensor(self._pending, dtype=torch.double) if self._pending else None
        sampler = SobolQMCNormalSampler(torch.Size([256]), seed=self._seed * 100003 + self._asked)
        acquisition = qLogNoisyExpectedImprovement(model, inputs, sampler=sampler, X_pending=pending, prune_baseline=True)
        bounds = torch.stack([torch.zeros(self._cube.columns), torch.ones(self._cube.columns)]).double()
        best, _ = optimize_acqf(acquisition, bounds, q=1, num_restarts=8, raw_samples=256)
        return best[0]

    def tell(self, row, value):
        self._pending.remove(row)
        self._inputs.append(row)
        self._values.append(value)

    def tell_many(self, points, values):
        self._inputs += [self._cube.encode(point) for point in points]
        self._values += list(values)
        self._asked = self._initial


if __name__ == "__main__":
    adapter.serve(Study)
