"""What becomes of the answers when three times as much is asked for as the database can bear."""

import contextlib
import json
import subprocess
import threading
import time
from dataclasses import dataclass
from statistics import median

from harness.freshness import Figure
from harness.gate import Gate
from harness.loads import bench_load, bench_reserve
from harness.paired import measured, spread
from harness.processes import BenchError
from harness.world import KEYS, LOCATION, PATIENT, SKU_PREFIX

# So far away, for one lane and one connection, that it is what there is too little of, and not the processors that the
# load shares.
EACH_WAY_S = 0.025
TIMES_THE_PEAK = 3
ONE_CONNECTION = ["--primary-connections", "1", "--write-lanes", "1"]
IN_FLIGHT = 512  # of the peak: a batch under way and one that waits


@dataclass(frozen=True)
class Kind:
    name: str
    closed: object  # (world, address, count): a burst in a closed loop
    address: str  # options of bench_paced
    rate: str
    more: tuple = ()


def paced(world, stockd, kind, rate, seconds, *, all_sent=True):
    """The report on calls at that rate, in an open loop. Where not `all_sent` have to be, what the client could not send,
    with 20,000 calls waiting for their answers, has not succeeded."""
    command = [world.program("bench_paced"), kind.address, stockd.address, kind.rate, rate, "--seconds", seconds, *kind.more,
               "--may-refuse", "--connections", 8, "--most-in-flight", 20_000, "--exponent", 0,
               "--key-prefix", SKU_PREFIX, "--key-count", KEYS, "--location", LOCATION]
    before = stockd.cpu_seconds()
    # Calls that were given up are part of what is measured, so that exit code 1 is none.
    done = subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=seconds + 60, check=False)
    if not done.stdout:
        raise BenchError(f"bench_paced ended with {done.returncode}:\n{done.stderr}")
    spent = stockd.cpu_seconds() - before
    report = json.loads(done.stdout)
    calls = report["writes"] or report["reads"][0]
    if all_sent and calls["left_out"]:
        raise BenchError(f"{calls['left_out']} of the {kind.name} could not be sent")
    if not calls["succeeded"]:
        raise BenchError(f"none of the {kind.name} succeeded:\n{done.stderr}")
    return {**calls, "rate": calls["in_time"] / seconds, "cpu_us": spent / calls["succeeded"] * 1e6}


class Watched:
    """Asks an instance whether it serves, all the time; a context manager."""

    def __init__(self, stockd):
        self._stockd = stockd
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self.yes = self.asked = 0

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()

    def _ask(self):
        while not self._ended.wait(0.1):
            self.asked += 1
            with contextlib.suppress(OSError):
                self.yes += bool(self._stockd._ready())


def overloaded(world, kind, gate, *, pairs, seconds, patiently):
    """Bursts at the peak and at three times as much take turns; `patient` never refuses for the sake of time. The
    same load on that one too, where it is to be measured `patiently`."""
    floods, afters, withouts, peaks = [], [], [], []
    gate.delay(EACH_WAY_S)
    with (world.stockd("primary", name="patient", flags=[*PATIENT, *ONE_CONNECTION], primary_port=gate.port) as patient,
          world.stockd("primary", name="as-it-comes", flags=ONE_CONNECTION, primary_port=gate.port) as stockd):
        def peak(count):
            return measured(patient, lambda: kind.closed(world, patient.address, count))

        peak(4 * IN_FLIGHT)  # not counted: first bursts are slower
        with Watched(stockd) as health:
            for _ in range(pairs):
                peaks.append(peak(seconds * 4 * IN_FLIGHT))
                rate = peaks[-1].rate
                floods.append(paced(world, stockd, kind, TIMES_THE_PEAK * rate, seconds))
                afters.append(paced(world, stockd, kind, rate / 2, 2))
                if patiently:
                    withouts.append(paced(world, patient, kind, TIMES_THE_PEAK * rate, seconds, all_sent=False))

    when = f"{kind.name} at {TIMES_THE_PEAK} x the peak of {median(peak.rate for peak in peaks):.0f}/s"

    def middle(what, values, unit, **goal):
        return Figure(when, what, median(values), unit, spread=spread(values), **goal)

    def goodputs(reports):
        return [report["rate"] / peak.rate for report, peak in zip(reports, peaks)]

    def p99s_ms(reports):
        return [report["time_us"]["p99"] / 1000 for report in reports]

    figures = [
        middle("goodput, of the peak", goodputs(floods), "", goal=0.85, at_least=True),
        middle("time of those that succeeded, p99", p99s_ms(floods), "ms", goal=1000),
        middle("refused", [100 * flood["refused"] / flood["calls"] for flood in floods], "%"),
        Figure(when, "failed otherwise", sum(report["errors"] for report in floods + afters), "calls", goal=0),
        Figure(when, "until nothing is refused any more, at half of the peak",
               max(after["last_refused_s"] for after in afters), "s", goal=2),
        middle("processor time of a call that succeeded", [flood["cpu_us"] for flood in floods], "µs"),
        middle("processor time of a call at the peak", [peak.cpu_us for peak in peaks], "µs"),
        Figure(when, "answers of /readyz that it is ready", 100 * health.yes / max(health.asked, 1), "%", goal=100,
               at_least=True),
    ]
    if patiently:
        figures += [middle("goodput without admission control, of the peak", goodputs(withouts), ""),
                    middle("time of those that succeeded without it, p99", p99s_ms(withouts), "ms")]
    return figures


def overload(world, quick):
    """Three times as many reservations, and reads of the primary, as a database far away can bear. Quick: one burst of
    each, and none without admission control."""
    world.fill_the_shelves()
    kinds = (
        Kind("reservations", lambda world, address, count: bench_reserve(world, address, count, keys=KEYS, in_flight=IN_FLIGHT),
             "--write", "--writes-per-second", ("--reserve",)),
        Kind("reads of the primary", lambda world, address, count: bench_load(world, address, count, in_flight=IN_FLIGHT),
             "--read", "--reads-per-second"))
    figures = []
    with Gate(world.postgres_port) as gate:
        for kind in kinds:
            figures += overloaded(world, kind, gate, pairs=1 if quick else 7, seconds=3 if quick else 8,
                                  patiently=not quick)
    return [figure.result() for figure in figures]
