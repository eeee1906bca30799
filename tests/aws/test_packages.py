"""Runs a test with the packages of tests/requirements.txt, which scripts/install-dependencies puts into .venv-tests."""

import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv-tests"
SKIPPED = 77  # what CTest takes for it


def enter():
    """Starts the calling script anew in the venv, unless it is there already."""
    if pathlib.Path(sys.prefix).resolve() == VENV.resolve():
        return
    python = VENV / "bin" / "python"
    if not python.exists():
        print("SKIPPED: no .venv-tests; run scripts/install-dependencies test", flush=True)
        sys.exit(1 if os.environ.get("CI") == "true" else SKIPPED)
    os.execv(python, [str(python), *sys.argv])
