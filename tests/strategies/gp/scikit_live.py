"""Compares with scikit-learn on fresh random data: scikit_live.py GP_TEST. Exit code 77: scikit-learn is not there."""

import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

try:
    import sklearn
except ImportError:
    other = shutil.which("python3")  # of an environment that is active, as in scripts/test
    if other and other != sys.executable and "TUNER_SECOND_PYTHON" not in os.environ:
        os.execve(other, [other, *sys.argv], {**os.environ, "TUNER_SECOND_PYTHON": "1"})
    print("scikit-learn is not installed")
    sys.exit(77)

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")  # before scikit-learn loads its libraries, for what it starts
seed = int(os.environ.get("TUNER_SEED", random.randrange(2**31)))
print(f"seed {seed} (TUNER_SEED sets it), scikit-learn {sklearn.__version__}", flush=True)
with tempfile.TemporaryDirectory() as folder:
    reference = pathlib.Path(folder, "reference.txt")
    with reference.open("w") as out:
        make = pathlib.Path(__file__).with_name("make_reference.py")
        subprocess.run([sys.executable, str(make), str(seed), "15"], stdout=out, check=True)
    result = subprocess.run([sys.argv[1], "--gtest_filter=ScikitTest.*"], env={**os.environ, "TUNER_GP_REFERENCE": str(reference)})
    sys.exit(result.returncode)
