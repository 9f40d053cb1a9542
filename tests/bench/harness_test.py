#!/usr/bin/env python3
"""What the bench makes of what it reads: of pages of /metrics, and of goals."""

import sys
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness.freshness import Figure, answers_of, database_reads, judged_current  # noqa: E402
from harness.gate import Line  # noqa: E402
from harness.paired import settled, spread  # noqa: E402
from harness.processes import BenchError  # noqa: E402
from harness.world import Metrics  # noqa: E402

PAGE = """\
# HELP stock_layer_reads_total Keys that a layer was asked for.
stock_leader 1
stock_responses_total{layer="memory"} 900
stock_responses_total{layer="primary"} 100
stock_layer_reads_total{layer="memory",outcome="hit"} 900
stock_layer_reads_total{layer="replica",outcome="bypassed"} 7
stock_layer_reads_total{layer="replica",outcome="miss"} 30
stock_layer_reads_total{layer="primary",outcome="hit"} 100
stock_copies_total{layer="redis",outcome="current"} 99
stock_copies_total{layer="redis",outcome="own_stamp"} 1
stock_copies_total{layer="redis",outcome="superseded"} 50
lag_bucket{le="0.01"} 10
lag_bucket{le="0.025"} 90
lag_bucket{le="0.05"} 90
lag_bucket{le="+Inf"} 100
"""


class MetricsTest(unittest.TestCase):
    def test_series_are_summed_over_the_labels_that_are_not_named(self):
        page = Metrics(PAGE)
        self.assertEqual(page.total("stock_leader"), 1)
        self.assertEqual(page.total("stock_responses_total"), 1000)
        self.assertEqual(page.total("stock_responses_total", layer="memory"), 900)
        self.assertEqual(page.total("stock_unknown_total"), 0)

    def test_what_was_counted_before_does_not_count(self):
        before = Metrics('stock_responses_total{layer="memory"} 800\n')
        self.assertEqual(Metrics(PAGE).since(before).total("stock_responses_total"), 200)

    def test_a_quantile_lies_between_the_bounds_of_its_bucket(self):
        page = Metrics(PAGE)
        self.assertAlmostEqual(page.quantile("lag", 0.05), 0.005)
        self.assertAlmostEqual(page.quantile("lag", 0.5), 0.0175)
        self.assertAlmostEqual(page.quantile("lag", 0.9), 0.025)
        self.assertAlmostEqual(page.quantile("lag", 0.99), 0.05)  # more is not known
        with self.assertRaises(BenchError):
            page.quantile("stock_unknown", 0.5)


class FigureTest(unittest.TestCase):
    def test_a_goal_is_a_limit_above_or_below(self):
        self.assertTrue(Figure("", "", 2, "", goal=2).met)
        self.assertFalse(Figure("", "", 2.1, "", goal=2).met)
        self.assertFalse(Figure("", "", 98, "", goal=99, at_least=True).met)
        self.assertTrue(Figure("", "", 1e9, "").met)

    def test_a_database_that_was_passed_by_was_not_read(self):
        self.assertEqual(database_reads("", "", Metrics(PAGE)).value, 130)

    def test_copies_that_moved_on_say_nothing_about_the_others(self):
        self.assertEqual(judged_current("", Metrics(PAGE)).value, 99)


    def test_answers_that_came_from_elsewhere_are_no_figure(self):
        layers = {"LAYER_PRIMARY": {"answers": 3}}
        self.assertEqual(answers_of(layers, "LAYER_PRIMARY"), {"answers": 3})
        with self.assertRaisesRegex(BenchError, "LAYER_PRIMARY"):
            answers_of(layers, "LAYER_MEMORY")


class Clock:
    """One that stands still, but for whoever sleeps."""

    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


class LineTest(unittest.TestCase):
    def test_what_comes_in_many_pieces_is_no_later_than_what_comes_in_one(self):
        clock = Clock()
        line = Line(clock)
        for piece in range(10):
            line.put(piece, 0.025)
        self.assertEqual([line.get() for _ in range(10)], list(range(10)))
        self.assertAlmostEqual(clock.now, 100.025)


class PairedTest(unittest.TestCase):
    def test_a_burst_that_is_not_what_it_is_to_be_is_made_again(self):
        answers = iter([BenchError("another layer"), BenchError("another layer"), "a burst", "another burst"])

        def burst():
            answer = next(answers)
            if isinstance(answer, BenchError):
                raise answer
            return answer

        self.assertEqual(settled(burst), "a burst")

    def test_what_never_is_what_it_is_to_be_is_no_figure(self):
        def burst():
            raise BenchError("another layer")

        with self.assertRaisesRegex(BenchError, "another layer"):
            settled(burst)

    def test_the_spread_is_between_the_quartiles(self):
        self.assertEqual(spread([1, 2, 3, 4, 100]), 2)
        self.assertIsNone(spread([1]))


if __name__ == "__main__":
    unittest.main()
