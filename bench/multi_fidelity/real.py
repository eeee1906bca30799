"""A real training beside the simulated ones: scikit-learn's MLP on its digits, an epoch at a time. Simulated time counts its epochs."""

import warnings

import numpy as np
from sklearn import datasets, model_selection, neural_network, preprocessing
from sklearn.metrics import log_loss

from space import categorical, double, integer

RESOURCE, ROWS = 27, 400
# What a training that went wrong is worth: as log loss of ten classes far beyond a guess.
WORST = 10.0

SPACE = [double("learning_rate_init", 1e-5, 1, log=True), double("alpha", 1e-6, 10, log=True), integer("batch_size", 32, 256, log=True),
         integer("units", 4, 64, log=True), double("momentum", 0, 0.99), categorical("activation", ["relu", "tanh", "logistic"])]


class Training:
    """One network by stochastic gradient descent. It has no noise: what is seen is what it is worth."""
    cost = 1.0

    def __init__(self, data, point, seed):
        self._data = data
        own = {name: point[name] for name in ("learning_rate_init", "alpha", "batch_size", "momentum", "activation")}
        self._model = neural_network.MLPClassifier((point["units"],), solver="sgd", random_state=seed, **own)

    def advance(self):
        train_x, valid_x, train_y, valid_y = self._data
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                self._model.partial_fit(train_x, train_y, classes=np.arange(10))
                value = float(log_loss(valid_y, self._model.predict_proba(valid_x), labels=np.arange(10)))
            except ValueError:  # its weights overflowed
                value = WORST
        value = min(value, WORST) if np.isfinite(value) else WORST
        return value, value

    def full(self):
        return None


class Digits:
    """The instance for a seed: another split and other initial weights."""
    space, resource, optimum = SPACE, RESOURCE, None

    def __init__(self, seed):
        x, y = datasets.load_digits(return_X_y=True)
        train_x, valid_x, train_y, valid_y = model_selection.train_test_split(x, y, train_size=ROWS, stratify=y, random_state=seed)
        scaler = preprocessing.StandardScaler().fit(train_x)
        self._data, self._seed = (scaler.transform(train_x), scaler.transform(valid_x), train_y, valid_y), seed

    def begin(self, point):
        return Training(self._data, point, self._seed)

    def sample(self, point):
        training = self.begin(point)
        for _ in range(self.resource):
            value, _ = training.advance()
        return value, 1.0
