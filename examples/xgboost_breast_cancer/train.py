"""XGBoost on scikit-learn's breast cancer data, as a SageMaker script-mode script.

Hyperparameters come as command line options, data as CSV files in the channels train and validation (label first, no header),
and the model goes to SM_MODEL_DIR. Without channels the data comes from scikit-learn itself, so it runs by hand too:

    python3 train.py --eta 0.1 --max_depth 4
"""

import argparse
import os
import pathlib

import numpy as np
import xgboost as xgb


def parse_arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--eta", type=float, default=0.3)
    parser.add_argument("--min_child_weight", type=float, default=1.0)
    parser.add_argument("--alpha", type=float, default=0.0)
    parser.add_argument("--max_depth", type=int, default=6)
    parser.add_argument("--subsample", type=float, default=1.0)
    parser.add_argument("--num_round", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--model_dir", default=os.environ.get("SM_MODEL_DIR", "model"))
    parser.add_argument("--train", default=os.environ.get("SM_CHANNEL_TRAIN"))
    parser.add_argument("--validation", default=os.environ.get("SM_CHANNEL_VALIDATION"))
    return parser.parse_args()


def read_channel(folder):
    """All CSV files of a channel as one matrix."""
    rows = np.vstack([np.loadtxt(path, delimiter=",", ndmin=2) for path in sorted(pathlib.Path(folder).glob("*.csv"))])
    return xgb.DMatrix(rows[:, 1:], label=rows[:, 0])


def load(arguments):
    if arguments.train and arguments.validation:
        return read_channel(arguments.train), read_channel(arguments.validation)
    from sklearn.datasets import load_breast_cancer
    from sklearn.model_selection import train_test_split

    features, labels = load_breast_cancer(return_X_y=True)
    split = train_test_split(features, labels, test_size=0.3, stratify=labels, random_state=arguments.seed)
    return xgb.DMatrix(split[0], label=split[2]), xgb.DMatrix(split[1], label=split[3])


class PrintMetrics(xgb.callback.TrainingCallback):
    """One line per round, flushed, as the metric definitions of job.yaml expect: [7]	train-logloss:0.1	validation-logloss:0.2"""

    def after_iteration(self, model, epoch, evals_log):
        fields = [f"{data}-{metric}:{values[-1]:.6f}" for data, metrics in evals_log.items() for metric, values in metrics.items()]
        print(f"[{epoch}]", *fields, sep="\t", flush=True)
        return False


def main():
    arguments = parse_arguments()
    train, validation = load(arguments)
    model = xgb.train(
        {
            "objective": "binary:logistic",
            "eval_metric": "logloss",
            "eta": arguments.eta,
            "min_child_weight": arguments.min_child_weight,
            "alpha": arguments.alpha,
            "max_depth": arguments.max_depth,
            "subsample": arguments.subsample,
            "seed": arguments.seed,
            "nthread": int(os.environ.get("SM_NUM_CPUS") or os.environ.get("OMP_NUM_THREADS") or 1),
        },
        train,
        num_boost_round=arguments.num_round,
        evals=[(train, "train"), (validation, "validation")],
        verbose_eval=False,
        callbacks=[PrintMetrics()],
    )
    os.makedirs(arguments.model_dir, exist_ok=True)
    model.save_model(os.path.join(arguments.model_dir, "model.json"))


if __name__ == "__main__":
    main()
