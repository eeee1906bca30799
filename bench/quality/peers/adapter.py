"""What every adapter shares: a loop over the harness's messages, and conversions of the neutral space.

An adapter is run with its peer's Python; it reads one JSON message a line from standard input and answers each with one. Those of
bench/quality: start {space, seed, parallel, budget, ...}, ask {}, tell {handle, value}, tell_many {points, values}. Only the peer's own
work is inside the seconds that it answers.
"""

import json
import os
import pathlib
import sys
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import space as spaces  # noqa: E402


def answer(handle):
    """Answers until standard input ends: handle(kind, message) makes the answer to {kind: message}."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a peer prints must not come between the answers
    for line in sys.stdin:
        try:
            (kind, message), = json.loads(line).items()
            begin = time.perf_counter()
            made = handle(kind, message)
            made["seconds"] = time.perf_counter() - begin
        except Exception as error:  # the harness reports it as the run's end
            traceback.print_exc()
            made = {"error": f"{type(error).__name__}: {error}"[:500]}
        answers.write(json.dumps(made) + "\n")
        answers.flush()


def serve(make_study):
    """Answers the messages of bench/quality.

    make_study(space, seed, parallel, budget, **options) makes an object with ask() -> (handle object, values of all parameters,
    inactive ones too unless the peer knows conditions), tell(handle object, value) and tell_many(points, values).
    """
    study, handles, count = None, {}, 0

    def handle(kind, message):
        nonlocal study, handles, count
        if kind == "start":
            space = spaces.from_json(message.pop("space"))
            study, handles, count = make_study(space, **message), {}, 0
        elif kind == "ask":
            count += 1
            handles[count], values = study.ask()
            return {"handle": count, "values": {name: plain(value) for name, value in values.items()}}
        elif kind == "tell":
            study.tell(handles.pop(message["handle"]), message["value"])
        else:
            study.tell_many(message["points"], message["values"])
        return {}

    answer(handle)


def plain(value):
    """The value as JSON knows it; numpy's own types have item()."""
    return value.item() if hasattr(value, "item") else value


def filled(space, point):
    """The point with a value for inactive parameters too: the middle of their range, as peers without conditions need one."""
    return {p.name: point.get(p.name, p.from_unit(0.5)) for p in space}


class UnitCube:
    """Points as numbers in [0, 1], for peers that know nothing else: one column per number, one per category."""

    def __init__(self, space):
        self._space = space
        self.columns = sum(1 if p.numeric else len(p.choices) for p in space)

    def encode(self, point):
        row = []
        for p in self._space:
            value = filled(self._space, point)[p.name]
            row += [p.to_unit(value)] if p.numeric else [float(value == choice) for choice in p.choices]
        return row

    def decode(self, row):
        values, at = {}, 0
        for p in self._space:
            if p.numeric:
                values[p.name], at = p.from_unit(float(row[at])), at + 1
            else:
                part = [float(x) for x in row[at:at + len(p.choices)]]
                values[p.name], at = p.choices[part.index(max(part))], at + len(p.choices)
        return values
