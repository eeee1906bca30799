"""A cluster of W workers with a simulated clock: nothing here waits, and no wall-clock time enters a result.

A study (contenders.py) hands out trials; a worker trains one, an epoch at a time, and reports each. What a trial has been trained stays
with it: one that is handed out again goes on from there, as with a checkpoint that costs nothing to load.
"""

import collections
import dataclasses
import heapq

# A run that has not reached the target goes on for this many times the budget.
PATIENCE = 4
# A row is told at least so many times in the budget, so that a run that is cut tells how far it came.
MARKS = 20


@dataclasses.dataclass
class Slot:
    """What is known of a trial: how far it was trained, and whether it was left before the end of the full training."""
    training: object
    epochs: int = 0
    cut: bool = False


@dataclasses.dataclass
class Outcome:
    """What a run leaves beside its rows: the time of its end, the epochs of all trials, and of each trial [epochs, whether it was cut,
    the value of its full training without noise, the same as seen], the last two null where they are not known."""
    time: float = 0.0
    epochs: int = 0
    trials: list = dataclasses.field(default_factory=list)


def simulate(study, task, workers, budget_time, target, outcome, trials=None, to_target=False):
    """Yields (time, trial, epoch, true value, seen value) of the trial that looks best, by the least value seen at any epoch, whenever
    that changes. Fills outcome.

    It ends at budget_time if by then the value of the trial that looks best was `target` or less; otherwise as soon as it is, at the
    latest at PATIENCE times the budget. trials: it ends instead when so many trials have been handed out, and have ended. to_target: it
    ends as soon as the target is reached.
    """
    slots, events, idle, order = {}, [], collections.deque(range(workers)), 0
    reached, mark, row = False, 0.0, (0.0, None, 0, None, float("inf"))
    while True:
        while idle and (trials is None or len(slots) < trials):
            handed = study.next(idle[0])
            if handed is None:  # nothing to do until another trial reports
                break
            worker, (trial, point) = idle.popleft(), handed
            if trial not in slots:
                slots[trial] = Slot(task.begin(point))
            order += 1
            heapq.heappush(events, (outcome.time + slots[trial].training.cost, order, worker, trial))
        over = (reached and (to_target or outcome.time >= budget_time)) or outcome.time >= PATIENCE * budget_time
        if not events or (trials is None and over):
            break
        outcome.time, _, worker, trial = heapq.heappop(events)
        slot = slots[trial]
        true, seen = slot.training.advance()
        slot.epochs += 1
        outcome.epochs += 1
        if seen < row[-1] or outcome.time >= mark:
            mark = max(mark, outcome.time + budget_time / MARKS)
            row = (outcome.time, trial, slot.epochs, true, seen) if seen < row[-1] else (outcome.time, *row[1:])
            reached = reached or row[3] <= target
            yield row
        goes_on = study.report(worker, trial, slot.epochs, seen)
        slot.cut = not goes_on and slot.epochs < task.resource
        if slot.cut or slot.epochs == task.resource:
            study.end(worker, trial, slot.epochs, seen)
            idle.append(worker)
        else:
            order += 1
            heapq.heappush(events, (outcome.time + slot.training.cost, order, worker, trial))
    outcome.trials = [[slot.epochs, slot.cut, *(slot.training.full() or (None, None))] for slot in slots.values()]
