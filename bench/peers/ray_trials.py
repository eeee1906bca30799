"""No-op trials under Ray Tune: random search, each trial a process. Prints the seconds that they took, Ray's own start not
counted.

    ray_trials.py TRIALS PARALLEL FOLDER COMMAND...
"""

import os
import subprocess
import sys
import time

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["RAY_AIR_NEW_OUTPUT"] = "0"
os.environ["RAY_memory_monitor_refresh_ms"] = "0"  # else it kills trials when others fill the machine's memory

import ray
from ray import tune

trials, parallel, folder, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:]


def trainable(config):
    subprocess.run([*command, *map(str, config.values())], check=True, stdout=subprocess.DEVNULL)
    return {"loss": 1.0}


ray.init(num_cpus=parallel, include_dashboard=False, _node_ip_address="127.0.0.1", log_to_driver=False)
tuner = tune.Tuner(
    trainable,
    param_space={f"x{i}": tune.uniform(0, 1) for i in range(5)},
    tune_config=tune.TuneConfig(num_samples=trials, max_concurrent_trials=parallel, metric="loss", mode="min"),
    run_config=tune.RunConfig(storage_path=folder, name="noop", verbose=0),
)
begin = time.monotonic()
results = tuner.fit()
seconds = time.monotonic() - begin
assert len(results) == trials and not results.errors, results.errors
print("seconds", seconds)
ray.shutdown()
