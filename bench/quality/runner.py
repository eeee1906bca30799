"""Runs one method on one instance, in a child process that is cut when it takes too long.

Time limits are in seconds of processor time, so that other work on the machine changes no result.
"""

import contextlib
import multiprocessing
import os
import pathlib
import random
import signal
import time

import methods
import tasks

# What a run's line holds for each trial, in the order in which results came.
COLUMNS = ("trial", "value", "observed", "ask_seconds", "tell_seconds", "basis", "point")

POLL_SECONDS = 0.5
# A method that answers nothing for this many times its limit hangs.
HANG_FACTOR = 20


def processor_seconds(session):
    """Processor time of all processes of a session: the child and its method."""
    total = 0
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == session:
                total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def optimise(study, task, parallel, budget):
    """Yields one row of COLUMNS for each finished trial. `parallel` trials are pending at any time; which ends next is drawn."""
    study.start(task.space, task.seed, parallel, budget)
    order, pending, asked = random.Random(f"{task.name}/{task.seed}/{parallel}"), [], 0
    while asked < budget or pending:
        while len(pending) < parallel and asked < budget:
            handle, point, seconds, basis = study.ask()
            pending.append((asked, handle, point, seconds, basis))
            asked += 1
        trial, handle, point, seconds, basis = pending.pop(order.randrange(len(pending)))
        value = task.value(point)
        observed = task.observed(value, trial)
        told = study.tell(handle, observed)
        yield trial, value, observed, round(seconds, 6), round(told, 6), basis, point


def perform(study, run, folder):
    """Yields the messages of one run: ("begin", None) once time counts, then ("row", columns) for each trial."""
    task = tasks.Task(run["task"], run["seed"], folder)
    task.scale()
    yield "begin", None
    for row in optimise(study, task, run["parallel"], run["budget"]):
        yield "row", row


def work(pipe, folder, program_options, open_method, perform):
    """The child: runs what comes through the pipe, keeping the method's process between runs."""
    os.setsid()  # so that the parent ends this process and its method together
    os.environ.update(methods.one_thread())
    study, opened, log = None, None, open(pathlib.Path(folder) / "methods.log", "ab")
    while True:
        try:
            method, run = pipe.recv()
        except (EOFError, OSError):  # the parent has gone
            break
        try:
            if study is None or opened != method:
                if study is not None:
                    study.close()
                study, opened = None, method
                options = {} if method.script else program_options
                study = open_method(method, log, **options)
            for message in perform(study, run, folder):
                pipe.send(message)
            pipe.send(("end", "done"))
        except Exception as error:  # a peer's failure is a result too
            with contextlib.suppress(Exception):
                study.close()
            study = None
            try:
                pipe.send(("end", f"failed: {methods.reason(error)}"))
            except OSError:
                break
    if study is not None:
        study.close()


class Worker:
    """A child process for one run after another. Not for several threads.

    open_method, perform, columns: how a method is opened, what a run does (functions of a module, as the child imports them), and
    the columns of its rows; another benchmark has its own.
    """
    open_method, perform, columns = staticmethod(methods.open_method), staticmethod(perform), COLUMNS

    def __init__(self, folder, program_options):
        self._folder, self._options, self._process = folder, program_options, None

    def run(self, method, run, limit):
        """The run's line: `run` with status ("done", "timeout ...", "failed ..."), what else its messages tell, and the columns of the
        trials that ended."""
        if self._process is None:
            context = multiprocessing.get_context("spawn")
            self._pipe, theirs = context.Pipe()
            self._process = context.Process(target=work, args=(theirs, self._folder, self._options, self.open_method, self.perform), daemon=False)
            self._process.start()
            theirs.close()
        self._pipe.send((method, run))
        rows, more, status, begin, idle, looked = [], {}, "", None, 0.0, 0.0
        while not status:
            try:
                if self._pipe.poll(POLL_SECONDS):
                    kind, content = self._pipe.recv()
                    idle = 0.0
                else:
                    kind, content, idle = "", None, idle + POLL_SECONDS
            except (EOFError, OSError):
                status = "failed: the method's process ended"
                break
            if kind == "row":
                rows.append(content)
            elif kind == "more":
                more.update(content)
            elif kind == "begin":
                begin = processor_seconds(self._process.pid)
            elif kind == "end":
                status = content
            if not status and begin is not None and time.monotonic() - looked > POLL_SECONDS:
                looked = time.monotonic()
                if processor_seconds(self._process.pid) - begin > limit:
                    status = f"timeout after {limit:.0f} s of processor time"
                elif idle > HANG_FACTOR * limit:
                    status = f"timeout after {idle:.0f} s without a result"
        if status.startswith("timeout") or status.endswith("ended"):
            self.kill()
        return {**run, "status": status, **more, **{name: [row[i] for row in rows] for i, name in enumerate(self.columns)}}

    def kill(self):
        """Ends the child and its method at once."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.join()
            self._process = None

    def close(self):
        """Lets the child end its method."""
        if self._process is not None:
            self._pipe.close()
            self._process.join(60)
            self.kill()
