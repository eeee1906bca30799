"""Real trainings on the data sets that come with scikit-learn, small enough that a hundred of them take some seconds.

Each seed is another split into training and validation rows. A training is a function of its split and parameters alone: its own
random numbers are fixed, and it uses one thread. The value is a validation loss, at most `WORST`, which also stands for a failure.
"""

import warnings

import numpy as np
from sklearn import datasets, ensemble, kernel_ridge, linear_model, metrics, model_selection, neural_network, pipeline, preprocessing, svm

from space import boolean, categorical, double, integer

WORST = 20.0


def classification_data(load, rows, seed):
    """Standardised (training inputs, validation inputs, training labels, validation labels), half of `rows` each."""
    inputs, labels = load(return_X_y=True)
    rows = min(rows, len(labels))
    parts = model_selection.train_test_split(inputs, labels, train_size=rows // 2, test_size=rows // 2, stratify=labels, random_state=seed)
    scaler = preprocessing.StandardScaler().fit(parts[0])
    return scaler.transform(parts[0]), scaler.transform(parts[1]), parts[2], parts[3]


def diabetes_data(seed):
    inputs, target = datasets.load_diabetes(return_X_y=True)
    target = (target - target.mean()) / target.std()
    return model_selection.train_test_split(inputs / inputs.std(axis=0), target, test_size=0.5, random_state=seed)


def log_loss(labels, probabilities):
    return metrics.log_loss(labels, np.clip(probabilities, 1e-9, 1), labels=np.unique(labels))


def xgboost_cancer(seed):
    import xgboost
    train_x, valid_x, train_y, valid_y = classification_data(datasets.load_breast_cancer, 569, seed)
    train, valid = xgboost.DMatrix(train_x, train_y), xgboost.DMatrix(valid_x)
    space = [double("eta", 1e-3, 1, log=True), integer("rounds", 5, 80, log=True), integer("max_depth", 1, 8),
             double("min_child_weight", 0.1, 30, log=True), double("subsample", 0.3, 1), double("colsample_bytree", 0.1, 1),
             double("lambda", 1e-3, 100, log=True), double("gamma", 1e-4, 10, log=True)]

    def evaluate(point):
        options = {**point, "objective": "binary:logistic", "nthread": 1, "seed": 1, "verbosity": 0}
        return log_loss(valid_y, xgboost.train(options, train, options.pop("rounds")).predict(valid))

    return space, evaluate


def xgboost_diabetes(seed):
    import xgboost
    train_x, valid_x, train_y, valid_y = diabetes_data(seed)
    train, valid = xgboost.DMatrix(train_x, train_y), xgboost.DMatrix(valid_x)
    linear, tree = ({"parent": "booster", "parent_values": (name,)} for name in ("gblinear", "gbtree"))
    space = [categorical("booster", ["gbtree", "gblinear"]), double("eta", 1e-3, 1, log=True), integer("rounds", 5, 80, log=True),
             double("lambda", 1e-4, 100, log=True), double("alpha", 1e-4, 10, log=True), categorical("updater", ["shotgun", "coord_descent"], **linear),
             integer("max_depth", 1, 8, **tree), double("min_child_weight", 0.1, 50, log=True, **tree), double("subsample", 0.3, 1, **tree)]

    def evaluate(point):
        options = {**point, "objective": "reg:squarederror", "nthread": 1, "seed": 1, "verbosity": 0}
        predicted = xgboost.train(options, train, options.pop("rounds")).predict(valid)
        return float(np.mean((predicted - valid_y) ** 2))

    return space, evaluate


def svm_digits(seed):
    train_x, valid_x, train_y, valid_y = classification_data(datasets.load_digits, 700, seed)
    curved, polynomial = ({"parent": "kernel", "parent_values": kernels} for kernels in (("rbf", "poly", "sigmoid"), ("poly",)))
    space = [categorical("kernel", ["linear", "rbf", "poly", "sigmoid"]), double("C", 1e-3, 1e3, log=True), double("gamma", 1e-6, 1, log=True, **curved),
             integer("degree", 2, 5, **polynomial), double("coef0", 0, 5, **polynomial), boolean("balanced")]

    def evaluate(point):
        options = {name: value for name, value in point.items() if name != "balanced"}
        model = svm.SVC(**options, class_weight="balanced" if point["balanced"] else None, random_state=1, max_iter=5000)
        return 1 - model.fit(train_x, train_y).score(valid_x, valid_y)

    return space, evaluate


def mlp_digits(seed):
    train_x, valid_x, train_y, valid_y = classification_data(datasets.load_digits, 600, seed)
    space = [integer("layers", 1, 2), integer("units_1", 4, 64, log=True), integer("units_2", 4, 64, log=True, parent="layers", parent_values=(2,)),
             double("learning_rate_init", 1e-4, 0.3, log=True), double("alpha", 1e-6, 10, log=True), integer("batch_size", 16, 128, log=True),
             categorical("activation", ["relu", "tanh", "logistic"]), double("beta_1", 0.5, 0.99)]

    def evaluate(point):
        shape = tuple(point[f"units_{i + 1}"] for i in range(point["layers"]))
        own = {name: point[name] for name in ("learning_rate_init", "alpha", "batch_size", "activation", "beta_1")}
        model = neural_network.MLPClassifier(shape, max_iter=8, random_state=1, n_iter_no_change=100, **own)
        return log_loss(valid_y, model.fit(train_x, train_y).predict_proba(valid_x))

    return space, evaluate


def boosting_wine(seed):
    train_x, valid_x, train_y, valid_y = classification_data(datasets.load_wine, 178, seed)
    space = [double("learning_rate", 1e-3, 1, log=True), integer("n_estimators", 5, 40, log=True), integer("max_depth", 1, 6),
             double("subsample", 0.2, 1), integer("max_features", 1, 13), integer("min_samples_leaf", 1, 20, log=True)]

    def evaluate(point):
        model = ensemble.GradientBoostingClassifier(**point, random_state=1)
        return log_loss(valid_y, model.fit(train_x, train_y).predict_proba(valid_x))

    return space, evaluate


def forest_diabetes(seed):
    train_x, valid_x, train_y, valid_y = diabetes_data(seed)
    space = [integer("n_estimators", 5, 60, log=True), integer("max_depth", 1, 15), double("max_features", 0.05, 1), integer("min_samples_leaf", 1, 40, log=True),
             double("ccp_alpha", 1e-5, 0.1, log=True), categorical("criterion", ["squared_error", "friedman_mse"]), boolean("extra")]

    def evaluate(point):
        options = {name: value for name, value in point.items() if name != "extra"}
        kind = ensemble.ExtraTreesRegressor if point["extra"] else ensemble.RandomForestRegressor
        model = kind(**options, random_state=1, bootstrap=True).fit(train_x, train_y)
        return float(np.mean((model.predict(valid_x) - valid_y) ** 2))

    return space, evaluate


def logistic_digits(seed):
    train_x, valid_x, train_y, valid_y = classification_data(datasets.load_digits, 500, seed)
    adaptive = {"parent": "learning_rate", "parent_values": ("adaptive", "invscaling")}
    space = [double("alpha", 1e-7, 1, log=True), double("l1_ratio", 0, 1), integer("max_iter", 2, 20), boolean("average"),
             categorical("learning_rate", ["optimal", "adaptive", "invscaling"]), double("eta0", 1e-4, 10, log=True, **adaptive)]

    def evaluate(point):
        model = linear_model.SGDClassifier(loss="log_loss", penalty="elasticnet", random_state=1, tol=None, **point)
        return log_loss(valid_y, model.fit(train_x, train_y).predict_proba(valid_x))

    return space, evaluate


def kernel_diabetes(seed):
    train_x, valid_x, train_y, valid_y = diabetes_data(seed)
    child = {"parent": "kernel", "parent_values": ("poly",)}
    space = [categorical("kernel", ["rbf", "laplacian", "poly"]), double("alpha", 1e-5, 100, log=True), double("gamma", 1e-5, 10, log=True),
             integer("degree", 1, 5, **child), double("coef0", 0, 5, **child), integer("components", 2, 10)]

    def evaluate(point):
        from sklearn import decomposition
        options = {name: value for name, value in point.items() if name != "components"}
        model = pipeline.make_pipeline(decomposition.PCA(point["components"], random_state=1), kernel_ridge.KernelRidge(**options))
        return float(np.mean((model.fit(train_x, train_y).predict(valid_x) - valid_y) ** 2))

    return space, evaluate


# Name to (classes beside "real", maker of (space, evaluate) for a seed).
TASKS = {
    "xgboost-cancer": ((), xgboost_cancer),
    "xgboost-diabetes": (("conditional",), xgboost_diabetes),
    "svm-digits": (("conditional", "mixed"), svm_digits),
    "mlp-digits": (("conditional", "mixed"), mlp_digits),
    "boosting-wine": ((), boosting_wine),
    "forest-diabetes": (("mixed",), forest_diabetes),
    "logistic-digits": (("conditional", "mixed"), logistic_digits),
    "kernel-diabetes": (("conditional", "mixed"), kernel_diabetes),
}


def make(name, seed):
    """(space, evaluate) of the task with the seed's split."""
    space, evaluate = TASKS[name][1](seed)

    def bounded(point):
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                value = float(evaluate(point))
            except (ValueError, FloatingPointError, np.linalg.LinAlgError):
                value = WORST  # diverged: the loss of a training that went wrong
        return value if value < WORST else WORST

    return space, bounded
