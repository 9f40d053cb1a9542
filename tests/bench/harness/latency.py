"""How long calls take at a given part of the peak."""

import json
from dataclasses import dataclass
from statistics import median

from harness.freshness import Figure, answers_of
from harness.loads import bench_load, bench_reserve
from harness.paired import checked, settled, spread
from harness.processes import BenchError, run
from harness.world import KEYS, LOCATION, NO_ROOM, PATIENT, SKU_PREFIX

PARTS_OF_THE_PEAK = (0.5, 0.7, 0.9)
IN_FLIGHT = 256  # of the peak of reads
MANY_IN_FLIGHT = 1024  # of that of reservations


@dataclass(frozen=True)
class Kind:
    name: str
    layers: str
    answering: str | None  # reads: the layer that all answers come from
    flags: tuple
    peak_calls: int  # of a burst in a closed loop


KINDS = (
    Kind("reads from memory", "memory,primary", "memory", (), 40_000),
    Kind("reads from redis", "memory,redis,primary", "redis", tuple(NO_ROOM), 40_000),
    Kind("reads from the primary", "memory,primary", "primary", tuple(NO_ROOM), 20_000),
    Kind("reservations", "memory,primary", None, (), 40_000))


def _paced(world, stockd, kind, rate, seconds):
    """The report on calls at that rate in an open loop, and what each cost the server, in µs."""
    if kind.answering:
        calls = ["--read", stockd.address, "--reads-per-second", rate]
    else:
        calls = ["--write", stockd.address, "--writes-per-second", rate, "--reserve"]
    before = stockd.cpu_seconds()
    report = json.loads(run([
        world.program("bench_paced"), *calls, "--seconds", seconds, "--connections", 4, "--most-in-flight", 20_000,
        "--exponent", 0, "--key-prefix", SKU_PREFIX, "--key-count", KEYS, "--location", LOCATION]))
    spent = stockd.cpu_seconds() - before
    report = report["writes"] or report["reads"][0]
    if report["left_out"]:
        raise BenchError(f"{report['left_out']} of the {kind.name} could not be sent at {rate:.0f}/s")
    if kind.answering:
        answers = answers_of(report["layers"], f"LAYER_{kind.answering.upper()}")["answers"]
        if answers < 0.99 * report["calls"]:
            raise BenchError(f"{answers} of {report['calls']} {kind.name} were answered from there")
    return report, spent / report["calls"] * 1e6


def _latency(world, kind, *, rounds, seconds, peak_calls):
    with world.stockd(kind.layers, flags=[*PATIENT, *kind.flags]) as stockd:
        bench_load(world, stockd.address, KEYS)  # every key once, so that a cache holds it
        if kind.answering:
            peak = checked(stockd, lambda: bench_load(world, stockd.address, peak_calls, in_flight=IN_FLIGHT),
                           kind.answering, 0.99)
        else:
            peak = checked(stockd, lambda: bench_reserve(world, stockd.address, peak_calls, keys=KEYS,
                                                         in_flight=MANY_IN_FLIGHT), method="CreateReservation")
        settled(peak)
        peaks, reports = [], {part: [] for part in PARTS_OF_THE_PEAK}
        for _ in range(rounds):
            peaks.append(peak().rate)
            for part, done in reports.items():
                done.append(_paced(world, stockd, kind, part * peaks[-1], seconds))
    figures = []
    for part, done in reports.items():
        when = f"{kind.name} at {part:.0%} of the peak of {median(peaks):.0f}/s"

        def middle(what, values, unit, when=when):
            return Figure(when, what, median(values), unit, spread=spread(values))

        figures += [
            middle("time of a call, median", [report["time_us"]["p50"] / 1000 for report, _ in done], "ms"),
            middle("time of a call, p99", [report["time_us"]["p99"] / 1000 for report, _ in done], "ms"),
            middle("how late a call was sent, p99", [report["late_us"]["p99"] / 1000 for report, _ in done], "ms"),
            middle("processor time of a call", [cost_us for _, cost_us in done], "µs")]
    return figures


def latency(world, quick):
    """Time of reads from memory, redis and the primary, and of reservations of 10,000 SKUs, at 50, 70 and 90 % of the
    peak of a closed loop, in an open loop. Quick: one burst of a second each."""
    world.fill_the_shelves()
    return [figure.result() for kind in KINDS for figure in _latency(
        world, kind, rounds=1 if quick else 7, seconds=1 if quick else 3,
        peak_calls=kind.peak_calls // 4 if quick else kind.peak_calls)]
