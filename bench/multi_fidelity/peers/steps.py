"""What the adapters of this benchmark share: the loop over its messages. Neutral spaces and the loop itself are those of bench/quality.

start {space, seed, workers, resource, eta, ...}, next {} -> {trial, values of a new one} or {trial: null},
report {trial, epoch, value} -> {goes_on}, end {trial, epoch, value}.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "quality" / "peers"))
import adapter  # noqa: E402


def serve(make_study):
    """make_study(space, seed, workers, resource, eta, **options) makes an object with next() -> (trial number, values or None if the
    trial is known) or None, report(trial, epoch, value) -> whether it goes on, and end(trial, epoch, value)."""
    study = None

    def handle(kind, message):
        nonlocal study
        if kind == "start":
            study = make_study(adapter.spaces.from_json(message.pop("space")), **message)
        elif kind == "next":
            trial, values = study.next() or (None, None)
            return {"trial": trial, **({"values": {name: adapter.plain(value) for name, value in values.items()}} if values else {})}
        elif kind == "report":
            return {"goes_on": bool(study.report(**message))}
        else:
            study.end(**message)
        return {}

    adapter.answer(handle)
