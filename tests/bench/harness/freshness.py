"""How old answers are, what it costs to know that, and for how long nobody dates them after a fault."""

import json
import random
import time
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from statistics import median

from harness.gate import Gate
from harness.loads import bench_load
from harness.paired import spread
from harness.processes import BenchError, cpu_seconds, run
from harness.psql import Psql
from harness.world import KEYS, LOCATION, SKU_PREFIX

ALL_LAYERS = "memory,redis,replica,primary"
WITHOUT_MEMORY = "redis,replica,primary"
POLL_MS, IDLE_POLL_MS, IDLE_AFTER_S = 25, 250, 2  # as stockd comes
READS_PER_SECOND = 500  # of each instance
WRITES_PER_SECOND = 500
HOT_KEYS = 10
HANDOVER_LIMIT_S = 20


@dataclass(frozen=True)
class Figure:
    when: str
    what: str
    value: float
    unit: str
    goal: float | None = None
    at_least: bool = False  # the goal; else at most
    spread: float | None = None  # interquartile range, of a value that is a median

    @property
    def met(self):
        if self.goal is None:
            return True
        return self.value >= self.goal if self.at_least else self.value <= self.goal

    def result(self):
        return {**asdict(self), "met": self.met}


def paced(world, readers, *, seconds, reads, writer=None, keys=KEYS):
    """Reads of each of the instances and writes to one, lower keys more often. Every call succeeds."""
    command = [world.program("bench_paced"), "--seconds", seconds, "--reads-per-second", reads,
               "--most-in-flight", 2048,  # so that a second without a processor is made up for
               "--key-prefix", SKU_PREFIX, "--key-count", keys, "--location", LOCATION]
    for reader in readers:
        command += ["--read", reader.address]
    if writer:
        command += ["--write", writer.address, "--writes-per-second", WRITES_PER_SECOND]
    report = json.loads(run(command))
    wanted = seconds * WRITES_PER_SECOND
    if writer and report["writes"]["calls"] < 0.9 * wanted:
        raise BenchError(f"only {report['writes']['calls']} of {wanted:.0f} writes could be sent")
    return [read["layers"] for read in report["reads"]]


def answers_of(layers, name):
    """What an instance answered from there."""
    if name not in layers:
        raise BenchError(f"no answer came from {name}, but from {', '.join(layers) or 'nowhere'}")
    return layers[name]


def ages(when, layer, answers, poll_ms):
    """Of the answers from a layer. The goal is one poll to be waited for, and one under way."""
    def polls(kind, part):
        return answers[kind][part] / 1000 / poll_ms

    unit = f"polls of {poll_ms} ms"
    return [
        Figure(when, f"age from {layer}, median", polls("age_us", "p50"), unit),
        Figure(when, f"age from {layer}, p99", polls("age_us", "p99"), unit, goal=2),
        Figure(when, f"uncertainty from {layer}, p99", polls("uncertainty_us", "p99"), unit),
    ]


class Feed:
    """What an instance's feed costs the primary, from now on."""

    def __init__(self, sql, name, stockd):
        self._stockd = stockd
        found = sql.rows("SELECT pid FROM pg_stat_activity "
                         f"WHERE application_name = 'stockd {name}' "
                         "AND query LIKE '%stock.movement%WHERE xid >= pg_snapshot_xmax($1::pg_snapshot)%'")
        if len(found) != 1:
            raise BenchError(f"{len(found)} sessions of {name} look like its feed's")
        self._backend = int(found[0][0])
        self._began = time.monotonic()
        self._polls, self._cpu = self._counted()

    def _counted(self):
        return self._stockd.metrics().total("stock_feed_polls_total"), cpu_seconds(self._backend)

    def cost(self, when):
        polls, cpu = self._counted()
        seconds = time.monotonic() - self._began
        return [
            Figure(when, "feed's statements, per instance", (polls - self._polls) / seconds, "/s"),
            Figure(when, "feed's backend, per instance", 100 * (cpu - self._cpu) / seconds,
                   "% of a processor"),
        ]


def database_reads(when, who, counted):
    answers = counted.total("stock_responses_total")
    reads = sum(counted.total("stock_layer_reads_total", layer=layer)
                - counted.total("stock_layer_reads_total", layer=layer, outcome="bypassed")
                for layer in ("replica", "primary"))
    if not answers:
        raise BenchError(f"{who} has answered nothing")
    return Figure(when, f"keys read from databases, {who}", 1000 * reads / answers, "per 1,000 answers")


def judged_current(when, counted):
    """Of copies that had not moved on."""
    current = counted.total("stock_copies_total", layer="redis", outcome="current")
    unknown = counted.total("stock_copies_total", layer="redis", outcome="own_stamp")
    if not current + unknown:
        raise BenchError("no copy in redis was judged")
    return Figure(when, "unmoved copies in redis judged current", 100 * current / (current + unknown), "%",
                  goal=99, at_least=True)


def while_reading(world, sql, when, near, far, *, seconds, writer=None):
    """`near` has memory, `far` has not."""
    feed = Feed(sql, "near", near)
    before = near.metrics(), far.metrics()
    of_near, of_far = paced(world, [near, far], seconds=seconds, reads=READS_PER_SECOND, writer=writer)
    near_counted, far_counted = near.metrics().since(before[0]), far.metrics().since(before[1])
    cost = feed.cost(when)
    figures = (ages(when, "memory", answers_of(of_near, "LAYER_MEMORY"), POLL_MS)
               + ages(when, "redis", answers_of(of_far, "LAYER_REDIS"), POLL_MS))
    if writer:
        lag = 1000 * near_counted.quantile("stock_feed_lag_seconds", 0.99)
        figures.append(Figure(when, "feed's lag behind the commit, p99", lag / POLL_MS,
                              f"polls of {POLL_MS} ms", goal=2))
    return figures + cost + [
        judged_current(when, far_counted),
        database_reads(when, "with memory", near_counted),
        database_reads(when, "without", far_counted),
    ]


def hot_keys(world, near, *, seconds):
    when = f"{WRITES_PER_SECOND} writes/s on {HOT_KEYS} keys"
    before = near.metrics()
    paced(world, [near], seconds=seconds, reads=READS_PER_SECOND, writer=near, keys=HOT_KEYS)
    counted = near.metrics().since(before)
    asked = counted.total("stock_layer_reads_total", layer="memory")
    missed = asked - counted.total("stock_layer_reads_total", layer="memory", outcome="hit")
    return [Figure(when, "reads that memory could not answer", 100 * missed / asked, "%")]


def while_nobody_writes(world, sql, near, *, seconds, lone_reads):
    time.sleep(IDLE_AFTER_S + 1)
    feed = Feed(sql, "near", near)
    time.sleep(seconds)
    figures = feed.cost("nobody reads or writes")
    # Each read finds the feed at rest, whenever in its interval. So few have no p99 but their oldest.
    lone = []
    for _ in range(lone_reads):
        time.sleep(IDLE_AFTER_S + random.uniform(0.5, 1))
        [layers] = paced(world, [near], seconds=0.1, reads=10, keys=1)
        lone.append(answers_of(layers, "LAYER_MEMORY"))
    answers = {kind: {"p50": median(one[kind]["p50"] for one in lone),
                      "p99": max(one[kind]["max"] for one in lone)}
               for kind in ("age_us", "uncertainty_us")}
    return figures + ages("lone reads", "memory", answers, IDLE_POLL_MS)


def after_restart(world, writer, *, seconds):
    """Redis is warm, memory is empty, and there are writes."""
    with world.stockd(ALL_LAYERS, name="restarted", flags=[]) as restarted:
        paced(world, [restarted], seconds=seconds, reads=READS_PER_SECOND, writer=writer)
        return [database_reads(f"first {seconds} s after a restart", "with memory", restarted.metrics())]


# ---- Who leads

def kill(stockd, _):
    stockd.kill()


def hang(stockd, _):
    stockd.hang()


def cut(_, gate):
    gate.cut()


def stall(_, gate):
    gate.stall()


FAULTS = {"killed": kill, "hanging": hang, "cut off": cut, "cut off unheard": stall}
QUICK_FAULTS = ["killed", "cut off unheard"]


class Candidate:
    """An instance that may lead, with a gate to the primary, both made anew after a fault."""

    def __init__(self, world, name):
        self._world, self._name = world, name
        self._exits = ExitStack()
        self.start()

    def start(self):
        self.gate = self._exits.enter_context(Gate(self._world.postgres_port))
        self.stockd = self._exits.enter_context(self._world.stockd(
            "primary", name=self._name, flags=[], primary_port=self.gate.port))

    def end(self):
        self.stockd.go_on()
        self.gate.open()
        self._exits.close()


@contextmanager
def candidates(world, count):
    made = []
    try:
        for i in range(count):
            made.append(Candidate(world, f"candidate-{i}"))
        yield made
    finally:
        for candidate in made:
            candidate.end()


def leader_of(some):
    leading = [one for one in some if one.stockd.metrics().total("stock_leader") == 1]
    return leading[0] if len(leading) == 1 else None


def await_result(what, ask, pause=0.002):
    end = time.monotonic() + HANDOVER_LIMIT_S
    while (result := ask()) in (None, []):
        if time.monotonic() > end:
            raise BenchError(f"{what}: not in {HANDOVER_LIMIT_S} s")
        time.sleep(pause)
    return result


def handover(sql, some, fault):
    """Seconds from the fault to the next heartbeat that another instance has written."""
    leader = await_result("one leader", lambda: leader_of(some), pause=0.05)
    time.sleep(random.uniform(0.6, 1.0))  # whenever it may be in the others' pulse
    [[number, backend]] = sql.rows(
        "SELECT number, backend FROM stock.heartbeat ORDER BY number DESC LIMIT 1")
    began = time.monotonic()
    FAULTS[fault](leader.stockd, leader.gate)
    await_result("a heartbeat of another leader", lambda: sql.rows(
        f"SELECT number FROM stock.heartbeat WHERE number > {number} AND backend <> {backend} LIMIT 1"))
    seconds = time.monotonic() - began
    leader.end()
    leader.start()
    return seconds


def handovers(world, sql, *, faults, trials):
    # Who wrote a heartbeat; the service neither knows nor minds this column.
    sql.rows("ALTER TABLE stock.heartbeat ADD COLUMN backend integer DEFAULT pg_backend_pid()")
    figures = []
    with candidates(world, 3) as some:
        for fault in faults:
            seconds = [handover(sql, some, fault) for _ in range(trials)]
            when = f"leader {fault}, {trials} times"
            figures += [Figure(when, "next heartbeat of another, median", median(seconds), "s", spread=spread(seconds)),
                        Figure(when, "next heartbeat of another, slowest", max(seconds), "s", goal=1)]
    return figures


def freshness(world, quick):
    """Ages of answers, what the feed costs, and handovers of the lead. Quick: after one fault of two kinds, and not
    after a leader that hangs or whose connections are closed; one lone read."""
    seconds = 2 if quick else 20
    figures = []
    with world.replica(), Psql(world.database_url("postgres")) as sql:
        with (world.stockd(ALL_LAYERS, name="near", flags=[]) as near,
              world.stockd(WITHOUT_MEMORY, name="far", flags=[]) as far):
            for instance in (near, far):  # every key once, so that the caches hold it
                bench_load(world, instance.address, KEYS)
            figures += while_reading(world, sql, "no writes", near, far, seconds=seconds)
            # Not counted: how many copies have moved on settles.
            paced(world, [near, far], seconds=seconds / 2, reads=READS_PER_SECOND, writer=near)
            figures += while_reading(world, sql, f"{WRITES_PER_SECOND} writes/s", near, far,
                                     seconds=seconds, writer=near)
            figures += after_restart(world, far, seconds=2 if quick else 10)
            figures += hot_keys(world, near, seconds=seconds / 2)
            figures += while_nobody_writes(world, sql, near, seconds=seconds,
                                           lone_reads=1 if quick else 12)
        if quick:
            figures += handovers(world, sql, faults=QUICK_FAULTS, trials=1)
        else:
            figures += handovers(world, sql, faults=FAULTS, trials=7)
    return [figure.result() for figure in figures]
