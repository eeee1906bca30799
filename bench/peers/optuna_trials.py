"""No-op trials under Optuna: random search, its SQLite storage, each trial a process. Prints the seconds that they took.

    optuna_trials.py TRIALS PARALLEL FOLDER COMMAND...
"""

import pathlib
import subprocess
import sys
import time

import optuna

trials, parallel, folder, command = int(sys.argv[1]), int(sys.argv[2]), pathlib.Path(sys.argv[3]), sys.argv[4:]
optuna.logging.set_verbosity(optuna.logging.ERROR)


def objective(trial):
    values = [trial.suggest_float(f"x{i}", 0, 1) for i in range(5)]
    subprocess.run([*command, *map(str, values)], check=True, stdout=subprocess.DEVNULL)
    return 1.0


study = optuna.create_study(storage=f"sqlite:///{folder}/optuna.db", sampler=optuna.samplers.RandomSampler(seed=1))
begin = time.monotonic()
study.optimize(objective, n_trials=trials, n_jobs=parallel)
print("seconds", time.monotonic() - begin)
assert len(study.trials) == trials
