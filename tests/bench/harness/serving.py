"""What serving costs beside single calls in plenty: after silence, by two processes, and to watchers."""

import contextlib
import json
import subprocess
import time
from statistics import median

from harness.freshness import Figure
from harness.loads import Burst, bench_load, h2load
from harness.paired import checked, compare, measured, settled, spread
from harness.processes import BenchError, free_port, run
from harness.world import LOCATION, SKU_PREFIX

WATCHERS, WATCHED_KEYS = 100, 1000
# More than can be told to all watchers, and few enough to leave the processors to telling them.
CHANGES_PER_SECOND = 3000


def _time_us(world, stockd, *, rate, seconds):
    """The median of reads at that rate, from memory."""
    report = json.loads(run([
        world.program("bench_paced"), "--read", stockd.address, "--reads-per-second", rate, "--seconds", seconds,
        "--key-prefix", SKU_PREFIX, "--key-count", 1, "--location", LOCATION]))["reads"][0]
    if list(report["layers"]) != ["LAYER_MEMORY"]:
        raise BenchError(f"answers came from {', '.join(report['layers'])}")
    return report["time_us"]["p50"]


def idle_first_call(world, quick):
    """Time of a call after 2 s of silence, against the same call at 100 a second; from memory."""
    with world.stockd("memory,primary") as stockd:
        settled(checked(stockd, lambda: h2load(world, stockd.port, 5000), "memory", 1.0))
        light, idle = [], []
        for _ in range(1 if quick else 7):
            light.append(_time_us(world, stockd, rate=100, seconds=1 if quick else 3))
            # The first one comes right after connecting, and the last one is not answered by the median either.
            idle.append(_time_us(world, stockd, rate=1 / 2.1, seconds=7 if quick else 15))
    ratios = [one / other for one, other in zip(idle, light)]
    return [figure.result() for figure in (
        Figure("at 100 calls/s", "time of a call, median", median(light), "µs", spread=spread(light)),
        Figure("after 2 s of silence", "time of a call, median", median(idle), "µs", spread=spread(idle)),
        Figure("after 2 s of silence", "the same, times that at 100 calls/s", median(ratios), "", goal=3,
               spread=spread(ratios)))]


class Together:
    """Processes that are one service."""

    def __init__(self, *parts):
        self.parts = parts

    def cpu_seconds(self):
        return sum(part.cpu_seconds() for part in self.parts)


def processes(world, pairs, count):
    """One key from memory, by two instances on one port, against two empty services on one port."""
    response = world.folder / "processes.response"
    port, empty_port = free_port(), free_port()

    def load(port):
        return h2load(world, port, count, connections=32)  # the kernel deals them out

    with contextlib.ExitStack() as both:
        ours = Together(*(both.enter_context(world.stockd(
            "memory,primary", name=f"half-{i}", shared_port=port)) for i in range(2)))

        def answered():
            return [one.metrics().total("stock_responses_total", layer="memory") for one in ours.parts]

        def from_memory(load, least):
            """The burst of `load`, answered by the memory of the two, of each at least that often."""
            before = answered()
            burst = measured(ours, load)
            end = time.monotonic() + 5
            # A call is counted when it is over, which is a moment after its answer.
            while sum(answered()) - sum(before) < burst.calls and time.monotonic() < end:
                time.sleep(0.02)
            shares = [now - then for now, then in zip(answered(), before)]
            if sum(shares) != burst.calls or min(shares) < least:
                raise BenchError(f"of {burst.calls} calls, {shares} were answered from the memory of the two")
            return burst

        def ask_ours():
            return from_memory(lambda: load(port), least=1)

        settled(ask_ours)
        from_memory(lambda: bench_load(world, ours.parts[0].address, 1, save_response=response, keys=1), least=0)
        empty = Together(*(both.enter_context(world.empty_service(response, shared_port=empty_port)) for _ in range(2)))
        load(empty_port)  # not counted: first bursts are slower
        result = compare(ask_ours, {"two empty services": lambda: measured(empty, lambda: load(empty_port))}, pairs)
    shares = [one.answered() for one in empty.parts]
    if sum(shares) != count * (pairs + 1) or min(shares) == 0:
        raise BenchError(f"of {count * (pairs + 1)} calls, the two empty services answered {shares}")
    return result


def _watch(world, server, seconds, *, watchers=WATCHERS, save_message=None):
    """What streams of the server were told in that time, and what it spent in it."""
    command = [world.program("bench_watch"), "--address", server.address, "--watchers", watchers, "--seconds", seconds,
               "--key-prefix", SKU_PREFIX, "--key-count", WATCHED_KEYS, "--location", LOCATION]
    if save_message:
        command += ["--save-message", save_message]
    spent = []
    with subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as child:
        said = []
        for line in child.stderr:
            said.append(line)
            if line in ("counting\n", "counted\n"):
                spent.append(server.cpu_seconds())
        report = child.stdout.read()
    if child.returncode != 0 or len(spent) != 2:
        raise BenchError(f"bench_watch ended with {child.returncode}:\n{''.join(said)}")
    told = json.loads(report)
    if not told["changes"]:
        raise BenchError("the watchers were told of no change")
    return told, spent[1] - spent[0]


@contextlib.contextmanager
def _writing(world, address, *, rate):
    """So many changes per second, until the context ends, or for two minutes."""
    command = [world.program("bench_paced"), "--write", address, "--writes-per-second", rate, "--reserve",
               "--seconds", 120, "--most-in-flight", 1024, "--exponent", 0,
               "--key-prefix", SKU_PREFIX, "--key-count", WATCHED_KEYS, "--location", LOCATION]
    child = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
    try:
        yield
        if child.poll() is not None:
            raise BenchError(f"the writes ended with {child.returncode}")
    finally:
        child.kill()
        child.wait()


def watch_fanout(world, pairs, milliseconds):
    """Changes of 1,000 keys told to 100 watchers each, against as many streams of the empty service."""
    world.fill_the_shelves()
    response, message = world.folder / "fanout.response", world.folder / "fanout.message"
    seconds = milliseconds / 1000
    with world.stockd("memory,primary") as stockd:
        bench_load(world, stockd.address, 1, save_response=response)
        with _writing(world, stockd.address, rate=20):  # slow enough for messages of one change
            _watch(world, stockd, 1, watchers=1, save_message=message)
        with world.empty_service(response, message=message) as empty:
            def changes():
                with _writing(world, stockd.address, rate=CHANGES_PER_SECOND):
                    told, spent = _watch(world, stockd, seconds)
                return Burst(told["changes"], told["seconds"], spent)

            def messages():
                told, spent = _watch(world, empty, seconds)
                return Burst(told["messages"], told["seconds"], spent)

            changes()  # not counted: first bursts are slower
            result = compare(changes, {"messages of the empty service": messages}, pairs)
    return {**result, "unit": "changes/s"}
