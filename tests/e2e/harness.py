"""What the end-to-end tests share: the built programs, a server of their own, and a folder that goes away."""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("TUNER_BUILD_DIR", ROOT / "build"))
BIN = BUILD / "bin"
TUNER = str(BIN / "tuner")
EXAMPLES = ROOT / "examples"
# Everything that an end-to-end test waits for is bounded by this.
PATIENCE = float(os.environ.get("TUNER_TEST_PATIENCE", "120"))


def environment(**extra):
    """The tests' environment without the caller's own settings of tuner, with the venv's Python first."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("TUNER_")}
    venv = ROOT / ".venv" / "bin"
    env["PATH"] = os.pathsep.join([str(venv), str(BIN), env.get("PATH", "/usr/bin:/bin")])
    return {**env, **extra}


def venv_python():
    """The Python with the packages of examples/requirements.txt."""
    python = ROOT / ".venv" / "bin" / "python"
    if not python.exists():
        raise AssertionError("no .venv: run scripts/install-dependencies python")
    return str(python)


def grpcurl():
    path = ROOT / ".cache" / "bin" / "grpcurl"
    found = str(path) if path.exists() else shutil.which("grpcurl")
    if not found:
        raise AssertionError("no grpcurl: run scripts/install-grpcurl")
    return found


def run(*command, check=True, **options):
    """The finished process; a failure shows its whole output."""
    options.setdefault("env", environment())
    result = subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, **options)
    if check and result.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}\nended with {result.returncode}\n{result.stdout}\n{result.stderr}")
    return result


def wait_until(condition, what):
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"waited in vain until {what}")
        time.sleep(0.02)


class Server:
    """`tuner serve` on a unix socket, and on a loopback port that asks for the token of its data folder."""

    def __init__(self, folder, *arguments):
        self.data = folder / "data"
        self.socket = folder / "sock"
        self.endpoint = f"unix:{self.socket}"
        self._command = [TUNER, "serve", "--data", str(self.data), "--listen", self.endpoint, *arguments]
        self._log = folder / "server.log"
        self._process = None

    def start(self):
        with open(self._log, "ab") as log:
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment())
        end = time.monotonic() + PATIENCE
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"the server does not answer:\n{self.log()}")
            time.sleep(0.01)
        return self

    def stop(self):
        """Shuts it down gracefully; the exit code."""
        if self._process is None:
            return None
        if self._process.poll() is None:
            self._process.terminate()
        try:
            return self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise AssertionError(f"the server does not end:\n{self.log()}") from None

    def kill(self):
        """Ends it as a crash would."""
        self._process.kill()
        self._process.wait()

    def log(self):
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def cli(self, *arguments, check=True):
        end = time.monotonic() + PATIENCE
        while True:
            result = run(TUNER, *arguments, "--endpoint", self.endpoint, check=False)
            # It listens before its jobs are loaded.
            if "the server is starting" not in result.stderr or time.monotonic() > end:
                break
            time.sleep(0.02)
        if check and result.returncode != 0:
            raise AssertionError(f"{' '.join(map(str, arguments))}\nended with {result.returncode}\n{result.stdout}\n{result.stderr}")
        return result

    def json(self, *arguments):
        return json.loads(self.cli(*arguments, "--output", "json").stdout)

    def await_job(self, job):
        """The job once it has ended."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            shown = self.json("show", job)
            if shown["state"] in ("COMPLETED", "STOPPED", "FAILED"):
                return shown
            time.sleep(0.05)
        raise AssertionError(f"{job} does not end: {json.dumps(shown)[:2000]}")

    def _answers(self):
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(str(self.socket))
            except OSError:
                return False
            return True


class EndToEnd(unittest.TestCase):
    """Gives each test a folder, with a path short enough for a socket."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tuner-e2e-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def serve(self, *arguments):
        server = Server(self.folder, *arguments)
        self.addCleanup(server.stop)
        return server.start()


def main():
    unittest.main(argv=sys.argv[:1], verbosity=2)
