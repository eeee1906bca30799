"""Python environments of the harness and of each peer, kept outside of the checkout.

    environments.py [NAME...]      makes those that are missing (all by default); a failure is told and the others go on

Folder: $TUNER_BENCH_CACHE, else $XDG_CACHE_HOME/tuner-bench, else ~/.cache/tuner-bench.
"""

import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
REQUIREMENTS = HERE / "requirements"


def cache():
    base = os.environ.get("TUNER_BENCH_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "tuner-bench")
    return pathlib.Path(base) / "quality"


def names():
    return sorted(path.stem for path in REQUIREMENTS.glob("*.txt"))


def python(name):
    """The environment's interpreter."""
    return cache() / name / "bin" / "python"


def missing(name):
    """Why the environment cannot be used, in a sentence; empty if it can."""
    if not name:
        return ""
    failed = cache() / f"{name}.failed"
    if (cache() / name / "installed-requirements.txt").exists():
        return ""
    return failed.read_text() if failed.exists() else f"no environment {name}: run bench/quality/environments.py {name}"


def make(name):
    """Installs the environment unless it is there. A sentence on failure, else empty."""
    wanted, folder, failed = REQUIREMENTS / f"{name}.txt", cache() / name, cache() / f"{name}.failed"
    installed = folder / "installed-requirements.txt"
    if installed.exists() and installed.read_text() == wanted.read_text():
        return ""
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    system = "/usr/bin/python3" if os.access("/usr/bin/python3", os.X_OK) else sys.executable
    log = cache() / f"{name}.log"
    with open(log, "wb") as output:
        for command in ([system, "-m", "venv", folder], [python(name), "-m", "pip", "install", "--no-input", "--disable-pip-version-check", "-r", wanted]):
            if subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output).returncode != 0:
                last = log.read_text(errors="replace").strip().splitlines()[-1:]
                failed.write_text(f"{name} cannot be installed: {' '.join(last)[:300]} (whole output: {log})")
                return failed.read_text()
    failed.unlink(missing_ok=True)
    shutil.copy(wanted, installed)
    return ""


def stubs():
    """The folder of the API's generated Python modules, made anew when the proto files changed."""
    found = importlib.util.spec_from_file_location("make_stubs", ROOT / "examples" / "ask_tell_python" / "make_stubs.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module.make_stubs(pathlib.Path(os.environ.get("TUNER_STUBS") or cache() / "stubs"))


def main():
    for name in sys.argv[1:] or names():
        print(f"{name}: {make(name) or python(name)}", flush=True)


if __name__ == "__main__":
    main()
