"""What comparing the layers with the ledger costs, and how soon a lie is found."""

import concurrent.futures
import contextlib
import socket
import threading
import time
from statistics import median, quantiles

from harness.freshness import ALL_LAYERS, READS_PER_SECOND, Figure, await_result, paced
from harness.loads import Burst, bench_load, h2load, redis_mget, select_by_thousands
from harness.paired import checked, compare, settled, spread
from harness.processes import BenchError, run
from harness.psql import Psql
from harness.world import KEYS, LOCATION, PATIENT, SKU_PREFIX

AT_ONCE = 1000  # keys of a step of the auditor
MGETS, SELECTS = 1000, 250  # so many that starting up and preparing do not count
LYING_KEYS = 10  # each is read more than ten times a second


def command(*words):
    """As Redis is sent it."""
    words = [word.encode() for word in words]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


class Redis:
    """A connection; a context manager."""

    def __init__(self, port):
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._in = self._socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def ask(self, *words):
        """The answer, of one line."""
        self._socket.sendall(command(*words))
        return self._in.readline().rstrip()[1:].decode()


def names_in(world):
    """The names of the copies in Redis."""
    return run(["redis-cli", "-p", world.redis_port, "--scan", "--pattern",
                f"*{LOCATION}:{SKU_PREFIX}*"]).split()


def leads(stockd):
    return stockd.metrics().total("stock_leader") == 1 or None


def audit_round(world, pairs, _):
    """Keys of a whole round of the auditor, against MGET and SELECT of the same alone."""
    [levels] = run(["psql", "-qXAt", world.database_url("postgres"), "-c", "SELECT count(*) FROM stock.level"]).split()
    if int(levels) != KEYS:
        raise BenchError(f"a round is of {levels} keys, not of {KEYS}: measure this before import")
    with world.stockd("redis,primary", flags=[*PATIENT, "--audit-budget", "100%"]) as stockd:
        bench_load(world, stockd.address, KEYS)  # so that Redis holds each
        names = names_in(world)
        if len(names) < KEYS:
            raise BenchError(f"redis holds {len(names)} copies")

        def await_rounds(more):
            """What is counted, and spent, so many rounds later."""
            wanted = stockd.metrics().total("stock_audit_rounds_total") + more

            def later():
                counted = stockd.metrics()
                return (counted, stockd.cpu_seconds()) if counted.total("stock_audit_rounds_total") >= wanted else None

            # Of some rounds: to be asked for metrics takes a part of one.
            return await_result("a round", later, pause=0.25)

        def ours():
            # Whoever has been held up has lost the lead, and without it asks no layer that all share.
            await_result("the lead", lambda: leads(stockd), pause=0.02)
            # The one under way may have begun before. Of the next two at least one has to be seen whole.
            (begun, spent), (ended, spent_later) = await_rounds(1), await_rounds(2)
            grown = ended.since(begun)
            rounds = grown.total("stock_audit_rounds_total")
            for layer in ("redis", "primary"):
                current = grown.total("stock_divergence_checks_total", layer=layer, verdict="current")
                if current < (rounds - 1) * KEYS:
                    raise BenchError(f"in {rounds:.0f} rounds, {layer} was seen to be current {current:.0f} times")
            if ended.total("stock_leader") != 1:
                raise BenchError("the lead was lost in a round")
            return Burst(KEYS, ended.total("stock_audit_round_seconds"), (spent_later - spent) / rounds)

        def bare():
            stockd.hang()  # so that it does not disturb
            try:
                asked = redis_mget(world, 1, names[:AT_ONCE], MGETS)
                selected = select_by_thousands(world, AT_ONCE, SELECTS)
                return Burst(KEYS, KEYS / asked.rate + KEYS / selected.rate)
            finally:
                stockd.go_on()

        settled(ours)
        bare()
        return {**compare(lambda: settled(ours), {"MGET + SELECT": bare}, pairs), "unit": "keys/s"}


def tax_audit(world, pairs, count):
    """One key in memory, with the auditor as it comes, against --audit-budget 0%."""
    def reading(*flags):
        def burst():
            with world.stockd("memory,redis,primary", flags=[*PATIENT, *flags]) as stockd:
                bench_load(world, stockd.address, KEYS)
                await_result("the lead", lambda: leads(stockd), pause=0.1)
                read = checked(stockd, lambda: h2load(world, stockd.port, count), "memory", 1.0)
                settled(read)
                return read()
        return burst

    return compare(reading(), {"no auditor": reading("--audit-budget", "0%")}, pairs)


@contextlib.contextmanager
def being_read(world, stockd):
    """The first keys, by READS_PER_SECOND reads a second, until the end of the block."""
    over = threading.Event()

    def read():
        while not over.is_set():
            paced(world, [stockd], seconds=1, reads=READS_PER_SECOND, keys=LYING_KEYS)

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read)
        try:
            yield
        finally:
            over.set()
        reading.result()


def detection(world, quick):
    """How soon a lie in Redis about a key in use is found; and what the self-test found."""
    trials = 7 if quick else 200
    with (world.replica(), Psql(world.database_url("postgres")) as sql, Redis(world.redis_port) as redis,
          world.stockd(ALL_LAYERS, name="near", flags=[]) as near):
        bench_load(world, near.address, KEYS)
        name_of = {name.rsplit(":", 1)[1]: name for name in names_in(world)}
        lies = [name_of.get(f"{SKU_PREFIX}{i}", "") for i in range(LYING_KEYS)]
        for name in lies:
            if redis.ask("COPY", name, f"old:{name}") != "1":
                raise BenchError(f"no copy of {name}")
        # Behind the back of the service: the copies in Redis are those of before.
        sql.rows(f"UPDATE stock.level SET on_hand = on_hand + 1 WHERE location = '{LOCATION}' AND sku IN ("
                 + ", ".join(f"'{SKU_PREFIX}{i}'" for i in range(LYING_KEYS)) + ")")
        for name in lies:
            redis.ask("DEL", name)

        def found():
            counted = near.metrics()
            return sum(counted.total("stock_divergence_checks_total", layer="redis", verdict=verdict)
                       for verdict in ("stale", "misdated"))

        def divergent():
            return near.metrics().total("stock_divergent_keys", layer="redis")

        def from_memory():
            return near.metrics().total("stock_layer_reads_total", layer="memory", outcome="hit")

        seconds = []

        with being_read(world, near):
            # A reader that finds an old copy in Redis rejects and replaces it, before the auditor has come.
            hits = from_memory()
            await_result("answers from memory",
                         lambda: True if from_memory() > hits + READS_PER_SECOND else None, pause=0.1)
            await_result("peace", lambda: True if divergent() == 0 else None, pause=0.02)
            begun = near.metrics()
            for trial in range(trials):
                name, before = lies[trial % LYING_KEYS], found()
                began = time.monotonic()
                redis.ask("COPY", f"old:{name}", name, "REPLACE")
                await_result(f"the finding about {name}",
                             lambda before=before: True if found() > before else None, pause=0.02)
                seconds.append(time.monotonic() - began)
                # A pass tells what diverges when it is over. Until one has told that again, it may still find this one.
                await_result("the divergence", lambda: True if divergent() > 0 else None, pause=0.02)
                redis.ask("DEL", name)
                await_result("peace", lambda: True if divergent() == 0 else None, pause=0.02)
            counted = near.metrics()
        if asked := counted.since(begun).total("stock_layer_reads_total", layer="redis"):
            raise BenchError(f"readers asked redis for {asked:.0f} keys, and may have met a lie before the auditor")
    when = f"{trials} old copies put back, keys in use"
    return [figure.result() for figure in (
        Figure(when, "time to the finding, median", median(seconds), "s", spread=spread(seconds)),
        Figure(when, "time to the finding, p99", quantiles(seconds, n=100, method="inclusive")[98], "s",
               goal=1),
        Figure("self-test", "lies found",
               counted.total("stock_selftest_lies_total", outcome="found"), ""),
        Figure("self-test", "lies missed",
               counted.total("stock_selftest_lies_total", outcome="missed"), "", goal=0),
        Figure("self-test", "false accusations",
               counted.total("stock_selftest_false_accusations_total"), "", goal=0),
        Figure("self-test", "time to the finding, p99",
               counted.quantile("stock_selftest_detection_seconds", 0.99), "s", goal=1),
    )]
