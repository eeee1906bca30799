"""The arithmetic of bench/quality: hypervolume, log-efficiency, regret, spaces. Run by quality_test.py where numpy is."""

import pathlib
import sys
import tempfile
import unittest

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench" / "quality"))
import hypervolume
import methods
import regret
import space
import synthetic
import tasks

SEEDS = range(3)


class Figures(unittest.TestCase):
    def test_hypervolume_of_two_objectives(self):
        self.assertAlmostEqual(0.84, hypervolume.hypervolume([[0.1, 0.5], [0.5, 0.1], [0.6, 0.6], [2, 0]]))  # by hand
        self.assertEqual(0, hypervolume.hypervolume([[1.2, 0]]))

    def test_hypervolume_of_three_objectives_is_monte_carlos(self):
        rng = np.random.default_rng(5)
        points = rng.uniform(0.2, 1.1, (12, 3))
        drawn = rng.uniform(0, 1.1, (200000, 3))
        share = np.mean(np.any(np.all(points[None] <= drawn[:, None], axis=2), axis=1))
        self.assertAlmostEqual(share * 1.1 ** 3, hypervolume.hypervolume(points), delta=0.01)

    def test_whole_fronts(self):
        self.assertAlmostEqual(1.21 - np.pi / 4, hypervolume.whole(hypervolume.PROBLEMS["dtlz2"]), delta=1e-3)
        self.assertAlmostEqual(1.21 - 1 / 3, hypervolume.whole(hypervolume.PROBLEMS["zdt1"]), delta=1e-3)

    def test_log_efficiency_is_symmetric(self):
        slow = {0: 10.0 ** -np.arange(100)}
        fast = {0: 10.0 ** (-2.0 * np.arange(100))}
        self.assertAlmostEqual(np.log(100 / 51), regret.log_efficiency(fast, slow, 100))
        self.assertAlmostEqual(-np.log(100 / 51), regret.log_efficiency(slow, fast, 100))
        self.assertEqual(0, regret.log_efficiency(slow, slow, 100))

    def test_regret_is_of_the_trial_that_looks_best(self):
        with tempfile.TemporaryDirectory() as folder:
            task = tasks.Task("branin-2-noisy", 0, folder)
            scale, run = task.scale(), {"task": task.name, "seed": 0, "value": [9.0, 3.0, 5.0], "observed": [9.0, 6.0, 4.0]}
            curve = regret.Scales(folder, {}).curve(run)
        expected = (np.array([9, 3, 5]) - scale["optimum"]) / (scale["median"] - scale["optimum"])
        np.testing.assert_allclose(expected, curve)

    def test_ranks_share_ties(self):
        found = {name: {"t": {0: np.array([value])}} for name, value in (("a", 0.1), ("b", 0.1), ("c", 0.5))}
        self.assertEqual({"a": 1.5, "b": 1.5, "c": 3.0}, regret.ranks(found, ["a", "b", "c"], 1))

    def test_no_random_point_is_below_the_optimum(self):
        for name in synthetic.TASKS:
            for seed in SEEDS:
                instance = synthetic.make(name, seed)
                uniform = np.random.default_rng(seed).random
                points = [space.draw(instance.space, uniform) for _ in range(200)]
                self.assertGreaterEqual(min(map(instance.evaluate, points)), instance.optimum - 1e-9, f"{name}, seed {seed}")
                self.assertEqual(points, [space.project(instance.space, point) for point in points], name)

    def test_an_instance_is_a_function_of_its_seed(self):
        for name in synthetic.TASKS:
            uniform = np.random.default_rng(1).random
            points = [space.draw(synthetic.make(name, 0).space, uniform) for _ in range(50)]
            instances = [synthetic.make(name, seed) for seed in (0, 0, 1)]
            values = [[instance.evaluate(point) for point in points] for instance in instances]
            self.assertEqual(values[0], values[1], name)
            self.assertNotEqual(values[0], values[2], name)

    def test_conditions_reach_the_api(self):
        rows = methods.api_parameters(synthetic.make("conditional-layers-8", 0).space)
        layers = next(row for row in rows if row["name"] == "layers")
        self.assertIn({"values": [4], "parameters": [{"name": "units_4", "integer": {"min": 8, "max": 512, "scale": "LOG"}}]}, layers["children"])


if __name__ == "__main__":
    unittest.main()
