"""Compares a scenario with its references in turns, so that a busy machine disturbs both alike."""

from statistics import median, quantiles

from harness.loads import Burst
from harness.processes import BenchError
from harness.world import CountedCalls


def measured(server, burst):
    """The burst that `burst` makes, with what it cost the server."""
    before = server.cpu_seconds()
    done = burst()
    return Burst(done.calls, done.seconds, server.cpu_seconds() - before)


def checked(stockd, load, layer=None, share=0, **calls):
    """A function that makes the burst of `load`, measured. It has to be what it seems, by stockd's own counters."""
    def burst():
        counters = CountedCalls(stockd, layer, share, **calls)
        done = measured(stockd, load)
        counters.check(done.calls)
        return done
    return burst


def settled(burst):
    """The first burst that is what it is to be: what moved lately is kept only once the feed of a new instance has
    loaded that, and whoever was held up has lost the lead."""
    for _ in range(20):
        try:
            return burst()
        except BenchError as error:
            last = error
    raise last


def spread(values):
    """Their interquartile range; None: there is one value."""
    if len(values) < 2:
        return None
    quartiles = quantiles(values, n=4, method="inclusive")
    return quartiles[2] - quartiles[0]


def compare(subject, references, pairs):
    """`subject` and each of `references` ({name: function}) make bursts in turn, `pairs` times (odd).

    The reference that counts is the one with the lower rate. The result shows the pair whose ratio is
    the median: rates of different pairs may be those of a busy and of an idle machine. The spread is
    the interquartile range of the ratios.
    """
    bursts = []
    others = {name: [] for name in references}
    for _ in range(pairs):
        bursts.append(subject())
        for name, reference in references.items():
            others[name].append(reference())

    def cpu_us(some):
        costs = [burst.cpu_us for burst in some]
        return None if None in costs else median(costs)

    name = min(others, key=lambda name: median(burst.rate for burst in others[name]))
    ratios = [one.rate / other.rate for one, other in zip(bursts, others[name])]
    middle = ratios.index(median(ratios))
    return {
        "value": bursts[middle].rate,
        "unit": "calls/s",
        "reference": others[name][middle].rate,
        "reference_name": name,
        "ratio": ratios[middle],
        "spread": spread(ratios),
        "ratios": ratios,
        "cpu_us": cpu_us(bursts),
        "reference_cpu_us": cpu_us(others[name]),
        "calls_per_burst": bursts[0].calls,
    }
