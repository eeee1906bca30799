"""A small network on scikit-learn's handwritten digits, an epoch at a time, that goes on from its checkpoint.

Hyperparameters come as command line options. With --epochs N it trains until epoch N and saves its state after each; started again
with a larger N it goes on where it was. By hand:

    python3 train.py --learning_rate 0.01 --epochs 5
"""

import argparse
import os
import pathlib
import pickle

import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier


def parse_arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--learning_rate", type=float, default=1e-3)
    parser.add_argument("--alpha", type=float, default=1e-4, help="L2 penalty")
    parser.add_argument("--units", type=int, default=64)
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=27)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--checkpoint_dir", default=os.environ.get("SM_CHECKPOINT_DIR"))
    parser.add_argument("--model_dir", default=os.environ.get("SM_MODEL_DIR", "model"))
    return parser.parse_args()


def load(seed):
    features, labels = load_digits(return_X_y=True)
    return train_test_split(features / 16.0, labels, test_size=0.3, stratify=labels, random_state=seed)


def save(path, state):
    """Whole or not at all: a trial may be ended at any time."""
    part = path.with_suffix(".part")
    part.write_bytes(pickle.dumps(state))
    part.replace(path)


def main():
    arguments = parse_arguments()
    train_x, validation_x, train_y, validation_y = load(arguments.seed)
    classes = np.unique(train_y)
    checkpoint = pathlib.Path(arguments.checkpoint_dir) / "state.pickle" if arguments.checkpoint_dir else None
    if checkpoint and checkpoint.exists():
        model, done = pickle.loads(checkpoint.read_bytes())
        print(f"goes on after epoch {done}, to epoch {arguments.epochs}", flush=True)
    else:
        model = MLPClassifier((arguments.units,), learning_rate_init=arguments.learning_rate, alpha=arguments.alpha,
                              batch_size=arguments.batch_size, random_state=arguments.seed)
        done = 0
        print(f"starts, to epoch {arguments.epochs}", flush=True)
    for epoch in range(done + 1, arguments.epochs + 1):
        model.partial_fit(train_x, train_y, classes=classes)
        loss = log_loss(validation_y, model.predict_proba(validation_x), labels=classes)
        if checkpoint:
            save(checkpoint, (model, epoch))
        print(f"[{epoch}] train:loss={model.loss_:.6f} validation:loss={loss:.6f}", flush=True)
    os.makedirs(arguments.model_dir, exist_ok=True)
    (pathlib.Path(arguments.model_dir) / "model.pickle").write_bytes(pickle.dumps(model))


if __name__ == "__main__":
    main()
