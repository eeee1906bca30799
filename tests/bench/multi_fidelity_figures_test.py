"""The simulated cluster, curves and arithmetic of bench/multi_fidelity. Run by multi_fidelity_test.py where numpy is."""

import json
import pathlib
import sys
import tempfile
import types
import unittest

import numpy as np

BENCH = pathlib.Path(__file__).resolve().parents[2] / "bench"
sys.path[:0] = [str(BENCH / "multi_fidelity"), str(BENCH / "quality")]
import cluster  # noqa: E402
import contenders  # noqa: E402
import curves  # noqa: E402
import instances  # noqa: E402
import median  # noqa: E402
import space as spaces  # noqa: E402
import speed  # noqa: E402


class Table:
    """A task whose curves are written down: point is the name of a curve."""

    def __init__(self, costs=None, **rows):
        self._rows, self._costs, self.resource = rows, costs or {}, len(next(iter(rows.values())))

    def begin(self, point):
        return curves.Training(np.array(self._rows[point]), np.array(self._rows[point]), self._costs.get(point, 1.0))


class Script:
    """A study that hands out (trial, epochs to train) in the order written, then nothing."""

    def __init__(self, *handed):
        self._handed, self.told, self._until = list(handed), [], {}

    def next(self, worker):
        if not self._handed:
            return None
        trial, self._until[trial] = self._handed.pop(0)
        return trial, trial

    def report(self, worker, trial, epoch, value):
        self.told.append((trial, epoch, value))
        return epoch < self._until[trial]

    def end(self, worker, trial, epoch, value):
        self.told.append((trial, "end"))


def run(study, task, workers=1, budget_time=100.0, target=-1.0, **more):
    outcome = cluster.Outcome()
    return list(cluster.simulate(study, task, workers, budget_time, target, outcome, **more)), outcome


class Cluster(unittest.TestCase):
    def test_workers_run_side_by_side_and_costs_count(self):
        task = Table(a=[3, 2, 1], b=[9, 8, 0], costs={"b": 0.5})
        rows, outcome = run(Script(("a", 3), ("b", 3)), task, workers=2, target=5)
        changes = [row for i, row in enumerate(rows) if not i or row[-1] < rows[i - 1][-1]]
        self.assertEqual([(0.5, "b", 1, 9, 9), (1.0, "a", 1, 3, 3), (1.5, "b", 3, 0, 0)], changes)
        self.assertEqual((3.0, 6), (outcome.time, outcome.epochs))

    def test_a_promoted_trial_goes_on_where_it_was(self):
        study = Script(("a", 1), ("b", 1), ("a", 3), ("b", 2))
        _, outcome = run(study, Table(a=[3, 2, 1], b=[5, 4, 4]))
        self.assertEqual([("a", 1, 3), ("a", "end"), ("b", 1, 5), ("b", "end"), ("a", 2, 2), ("a", 3, 1), ("a", "end"), ("b", 2, 4), ("b", "end")], study.told)
        self.assertEqual((5.0, 5), (outcome.time, outcome.epochs))
        self.assertEqual([[3, False, 1, 1], [2, True, 4, 4]], outcome.trials)

    def test_it_goes_on_until_the_target_is_reached(self):
        endless = [(f"t{i}", 2) for i in range(100)]
        task = {f"t{i}": [9, 9 - i] for i in range(100)}
        for target, end in ((9, 4), (4, 12), (-1000, 16)):  # within the budget, after it, not in four times the budget
            rows, outcome = run(Script(*endless), Table(**task), budget_time=4.0, target=target)
            self.assertEqual(end, outcome.time, target)
            self.assertEqual(end, rows[-1][0] if target != 9 else end)
        self.assertEqual(1, run(Script(*endless), Table(**task), budget_time=4.0, target=9, to_target=True)[1].time)

    def test_a_job_of_so_many_trials_ends_with_them(self):
        _, outcome = run(Script(*((f"t{i}", 2) for i in range(9))), Table(**{f"t{i}": [2, 1] for i in range(9)}), workers=2, budget_time=1.0, trials=5)
        self.assertEqual((5, 10), (len(outcome.trials), outcome.epochs))

    def test_what_looks_best_is_what_was_seen(self):
        task = Table(a=[5.0, 4.0])
        task.begin = lambda point: curves.Training([5.0, 1.0], [2.0, 3.0], 1.0)
        rows, _ = run(Script(("a", 2)), task, budget_time=2.0)
        self.assertEqual({(5.0, 2.0)}, {row[3:] for row in rows})


class Curves(unittest.TestCase):
    def test_a_curve_depends_on_task_seed_and_point_alone(self):
        for name in curves.TASKS:
            task, again, other = instances.make(name, 3), instances.make(name, 3), instances.make(name, 4)
            point = spaces.draw(task.space, np.random.default_rng(1).random)
            values = [[training.advance() for _ in range(task.resource)] for training in (t.begin(point) for t in (task, again, other))]
            self.assertEqual(values[0], values[1], name)
            self.assertNotEqual(values[0], values[2], name)
            self.assertEqual(values[0][-1], task.begin(point).full())
            self.assertTrue(all(np.isfinite(v).all() for v in values), name)

    def test_the_optimum_is_the_least_value(self):
        for name in curves.TASKS:
            surrogate = curves.TASKS[name](np.random.default_rng(7))
            uniform = np.random.default_rng(2).random
            for _ in range(200):
                curve = surrogate.curve(spaces.draw(surrogate.space, uniform))
                self.assertGreater(min(curve), 0, name)
            if isinstance(surrogate.final, curves.Bowl):
                bowl = surrogate.final
                best = {p.name: p.from_unit(bowl.at[p.name]) if p.numeric else min(bowl._cost[p.name], key=bowl._cost[p.name].get) for p in surrogate.space}
                self.assertAlmostEqual(0, surrogate.curve(best)[-1], places=9)

    def test_the_best_learn_slowly_where_curves_cross(self):
        task = instances.make("crossing-5", 0)
        uniform = np.random.default_rng(5).random
        rows = np.array([[v for v, _ in (training.advance() for _ in range(task.resource))] for training in
                         (task.begin(spaces.draw(task.space, uniform)) for _ in range(200))])
        final = np.argsort(rows[:, -1])
        self.assertGreater(np.mean(np.argsort(np.argsort(rows[:, 0]))[final[:10]]), 20, "the best ten are not the first ten after an epoch")


class Ours(unittest.TestCase):
    """The adapter against answers written down."""

    def setUp(self):
        self.calls, self.answers = [], []
        self.tuner = contenders.Tuner.__new__(contenders.Tuner)
        self.tuner.job, self.tuner._deadline, self.tuner._resource, self.tuner._held = "tuningJobs/j", 10.0, 9, {}
        self.tuner.next_seconds, self.tuner.basis, self.tuner._space = 0.0, {}, [spaces.double("x", 0, 1)]

        class Request(types.SimpleNamespace):
            def __init__(self, **fields):
                super().__init__(**fields)
                self.deadline = types.SimpleNamespace(FromNanoseconds=lambda n: None)
                self.measurements = types.SimpleNamespace(add=lambda **m: self.__dict__.update(measurement=m))

        self.tuner._service = types.SimpleNamespace(SuggestTrialsRequest=Request, ReportMeasurementsRequest=Request, CompleteTrialRequest=Request)
        self.tuner.stub = types.SimpleNamespace(**{name: self.call(name) for name in ("SuggestTrials", "ReportMeasurements", "CompleteTrial")})

    def call(self, name):
        def made(request):
            fields = {key: value for key, value in request.__dict__.items() if key in ("attempt", "worker_id", "name", "measurement")}
            self.calls.append((name, fields))
            return self.answers.pop(0) if self.answers else types.SimpleNamespace(should_stop=False, trials=[])
        return made

    def trial(self, attempt, resource):
        value = types.SimpleNamespace(WhichOneof=lambda field: "number_value", number_value=0.5)
        basis = types.SimpleNamespace(kind=1, Kind=types.SimpleNamespace(Name=lambda kind: "FRESH"))
        attempts = [types.SimpleNamespace(number=i + 1) for i in range(attempt)]
        return types.SimpleNamespace(trials=[types.SimpleNamespace(name="t", attempts=attempts, resource=resource, parameters={"x": value}, basis=basis)])

    def test_a_rung_ends_by_its_resource_and_the_promotion_is_another_attempt(self):
        task = Table(t=[9, 8, 7, 6, 5, 4, 3, 2, 1])
        task.begin = lambda point: curves.Training(range(9, 0, -1), range(9, 0, -1), 1.0)
        go_on, stop = types.SimpleNamespace(should_stop=False), types.SimpleNamespace(should_stop=True)
        # First rung: told to stop. Second: not told, but it has its resource. Third: the full training.
        self.answers = [self.trial(1, 1), stop, None, self.trial(2, 3), go_on, go_on, None, self.trial(3, 9), *[go_on] * 6, None]
        _, outcome = run(self.tuner, task, budget_time=100.0)
        told = [(fields.get("attempt"), fields["measurement"]["step"]) for name, fields in self.calls if name == "ReportMeasurements"]
        self.assertEqual([(1, 1), (2, 2), (2, 3)] + [(3, step) for step in range(4, 10)], told)
        self.assertEqual([1, 2, 3], [fields["attempt"] for name, fields in self.calls if name == "CompleteTrial"])
        self.assertEqual([9, False], outcome.trials[0][:2])
        self.assertEqual({"FRESH": 1}, self.tuner.basis)

    def test_an_early_stopped_trial_is_cut(self):
        task = Table(t=[9, 8, 7])
        task.begin = lambda point: curves.Training([9, 8, 7], [9, 8, 7], 1.0)
        self.tuner._resource = 3
        self.answers = [self.trial(1, 0), types.SimpleNamespace(should_stop=False), types.SimpleNamespace(should_stop=True), None]
        _, outcome = run(self.tuner, task)
        self.assertEqual([[2, True, 7.0, 7.0]], outcome.trials)


class Figures(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def line(self, method, seed, time, value, status="done", task="short-3"):
        return {"method": method, "task": task, "seed": seed, "parallel": 4, "budget": 64, "status": status, "budget_time": 10.0, "target": 0.5,
                "time": time, "value": value, "observed": value}

    def store(self, *lines):
        for line in lines:
            with open(self.folder / f"{line['method']}.jsonl", "a") as file:
                file.write(json.dumps(line) + "\n")
            instances.scale(self.folder, line["task"], line["seed"])

    def test_time_to_the_target(self):
        self.assertEqual((0.4, True), speed.hit(self.line("random", 0, [1, 4, 6], [0.9, 0.5, 0.1])))
        self.assertEqual((4.0, False), speed.hit(self.line("random", 0, [1, 40], [0.9, 0.6])))
        runs = speed.Runs(self.folder, 4, 64)
        instances.scale(self.folder, "short-3", 0)
        cut = {**self.line("random", 0, [1, 5], [0.9, 0.4]), "to_target": True}
        self.assertEqual([True, True, False], [runs.regret(cut, share) is None for share in (1.0, 0.6, 0.5)], "after its target nothing is known")
        self.assertIsNone(speed.hit(self.line("random", 0, [1, 5], [0.9, 0.6], "timeout after 9 s")), "what would have come is not known")
        self.assertEqual((0.5, True), speed.hit(self.line("random", 0, [1, 5], [0.9, 0.4], "timeout after 9 s")))

    def test_ratio_is_the_geometric_mean_of_ratios_of_means(self):
        slow, fast = {"a": np.array([2.0, 6.0]), "b": np.array([1.0])}, {"a": np.array([1.0, 1.0]), "b": np.array([1.0, 1.0])}
        self.assertAlmostEqual(2.0, speed.ratio(slow, fast))
        middle, low, high = speed.with_interval(slow, fast)
        self.assertTrue(low < middle < high)

    def test_comparison(self):
        self.store(self.line("random", 0, [8.0], [0.4]), self.line("random", 1, [12.0], [0.4]), self.line("syne-asha", 0, [2.0], [0.4]),
                   self.line("syne-asha", 1, [2.0], [0.4]), self.line("tuner-hyperband", 0, [1.0], [0.3]), self.line("tuner-hyperband", 1, [1.0, 30.0], [0.9, 0.8]))
        shown = speed.text(self.folder, 4, 64)
        self.assertRegex(shown, r"Syne Tune ASHA \| 1 \| 2 \| 5\.00")
        self.assertRegex(shown, r"Hyperband, random \(tuner\) \| Syne Tune ASHA \| 1 \| 2 \| 0\.10")  # (0.2 + 0.2) / (0.1 + 4)
        self.assertRegex(shown, r"Hyperband, random \(tuner\) \| 1 \| 2 \| [^|]*\| [^|]*\| 0\.50 \|")

    def test_what_a_stopping_rule_saves_and_costs(self):
        def line(method, epochs, trials):
            return {**self.line(method, 0, [1.0], [0.4]), "budget": 3, "epochs": epochs, "trials": trials}
        # With the rule the best of all (0.1) is stopped, and the job ends with 0.3.
        self.store(line("without", 81, [[27, False, 0.5, 0.5], [27, False, 0.1, 0.1], [27, False, 0.3, 0.3]]),
                   line("with", 54, [[27, False, 0.5, 0.5], [5, True, 0.1, 0.1], [22, False, 0.3, 0.3]]))
        scale = instances.scale(self.folder, "short-3", 0)
        shown = median.text(self.folder, "with", "without", 4, 3)
        self.assertIn("| short-3 | 1 | 33.3% |", shown)
        self.assertIn("1 of 1", shown)
        self.assertIn(f"{0.2 / scale['median']:+.4f}", shown)


if __name__ == "__main__":
    unittest.main()
