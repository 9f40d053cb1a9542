"""What is measured. A scenario starts what it needs beside the world's servers, and returns a result."""

import time

from harness.auditing import audit_round, tax_audit
from harness.batches import batch_100, batch_100_primary, batch_100_redis
from harness.loads import Burst, bench_load, bench_reserve, best_pgbench, h2load, hot_reserve, naive_reserve
from harness.paired import checked, compare, measured, settled
from harness.processes import run
from harness.serving import processes, watch_fanout
from harness.testifying import tax_testimony
from harness.world import KEYS, NO_ROOM, PATIENT, SKU_PREFIX


def _against_empty(world, pairs, layers, load, *, answering, share, flags=(), keys=KEYS, more=None):
    """Compares stockd with the empty service (and `more` references) under `load(server)`, which asks for `keys`.

    At least `share` of stockd's answers have to come from the layer that is `answering`.
    """
    response = world.folder / f"{answering}.response"
    with world.stockd(layers, flags=[*PATIENT, *flags]) as stockd:
        bench_load(world, stockd.address, KEYS)  # every key once, so that a cache holds it
        ask_stockd = checked(stockd, lambda: load(stockd), answering, share)
        settled(ask_stockd)
        # One more answer, as the layer gives it; half of the keys away from those of before.
        checked(stockd, lambda: bench_load(world, stockd.address, 1, save_response=response, keys=keys, skip=keys // 2),
                answering, 1.0)()
        with world.empty_service(response) as empty:
            def ask_empty():
                burst = measured(empty, lambda: load(empty))
                empty.counted += burst.calls
                return burst

            ask_empty()
            return compare(ask_stockd, {"empty service": ask_empty, **(more or {})}, pairs)


def read_memory(world, pairs, count):
    """One key, in stockd's memory."""
    return _against_empty(world, pairs, "memory,primary", lambda server: h2load(world, server.port, count),
                          answering="memory", share=1.0, keys=1)


def read_redis(world, pairs, count):
    """Distinct keys, none of them in memory, all of them in Redis."""
    return _against_empty(world, pairs, "memory,redis,primary", lambda server: bench_load(world, server.address, count),
                          answering="redis", share=0.99, flags=NO_ROOM)


def read_primary(world, pairs, count):
    """Distinct keys, none of them in memory, from the database."""
    name, select = best_pgbench(world, count)
    return _against_empty(world, pairs, "memory,primary", lambda server: bench_load(world, server.address, count),
                          answering="primary", share=0.99, flags=NO_ROOM, more={name: select})


def _against_naive(world, pairs, count, *, keys, in_flight, clients, naive_count):
    """Reservations through gRPC, against the same by plain SQL with so many clients."""
    world.fill_the_shelves()
    with world.stockd("memory,primary") as stockd:
        def load():
            if keys > 1:
                return bench_reserve(world, stockd.address, count, keys=keys, in_flight=in_flight)
            return hot_reserve(world, stockd.port, count, in_flight=in_flight)

        def naive(clients):
            return lambda: naive_reserve(world, clients, max(naive_count, clients * 2), keys=keys)

        ours = checked(stockd, load, method="CreateReservation")
        ours()  # not counted: first bursts are slower
        trials = {number: naive(number)() for number in clients}
        best = max(trials, key=lambda number: trials[number].rate)
        return compare(ours, {f"pgbench -c {best}": naive(best)}, pairs)


def reserve_hot(world, pairs, count):
    """One SKU that everybody wants, against the best of 1, 16 and 64 clients of SQL."""
    return _against_naive(world, pairs, count, keys=1, in_flight=1024, clients=(1, 16, 64),
                          naive_count=count // 40)


def reserve_crowd(world, pairs, count):
    """The same, against 64 clients of SQL."""
    return _against_naive(world, pairs, count, keys=1, in_flight=1024, clients=(64,),
                          naive_count=count // 100)


def reserve_spread(world, pairs, count):
    """10,000 SKUs, against the best of 1, 16 and 64 clients of SQL."""
    return _against_naive(world, pairs, count, keys=KEYS, in_flight=1024, clients=(1, 16, 64),
                          naive_count=count // 10)


def reserve_lone(world, pairs, count):
    """One reservation at a time, against one client of SQL."""
    return _against_naive(world, pairs, count, keys=KEYS, in_flight=1, clients=(1,),
                          naive_count=count)


# The same rows, and all that keeps them: primary keys, indexes and checks, but for triggers and foreign keys.
COPY_TABLES = """\
CREATE TABLE copied_level (LIKE stock.level INCLUDING ALL);
CREATE TABLE copied_movement (LIKE stock.movement INCLUDING ALL);
"""


def import_levels(world, pairs, count):
    """A file of new levels by stockctl, against a bare COPY of the rows that come of it."""
    psql = ["psql", "-qX", "-v", "ON_ERROR_STOP=1", world.database_url("postgres")]
    run([*psql, "-c", COPY_TABLES])
    # Written and read by the server.
    folder = world.folder / "copy"
    folder.mkdir()
    folder.chmod(0o777)
    locations = iter(range(1000))
    with world.stockd("memory,primary") as stockd:
        stockctl = [world.program("stockctl"), "--address", stockd.address]

        def ours():
            location = f"import-{next(locations)}"
            run([*stockctl, "locations", "create", location])
            file = world.folder / f"{location}.csv"
            with file.open("w", encoding="utf-8") as rows:
                rows.write("SKU,Location,OnHand,SafetyStock\n")
                rows.writelines(f"{SKU_PREFIX}{i},{location},{100 + i % 900},5\n" for i in range(count))

            def burst():
                begun = time.monotonic()
                run([*stockctl, "import", file])
                return Burst(count, time.monotonic() - begun)

            result = measured(stockd, burst)
            for table in ("level", "movement"):
                run([*psql, "-c", f"COPY (SELECT * FROM stock.{table} WHERE location = '{location}') "
                                  f"TO '{folder}/{table}'"])
            return result

        def copy():
            run([*psql, "-c", "TRUNCATE copied_level, copied_movement", "-c", "CHECKPOINT"])
            begun = time.monotonic()
            for table in ("level", "movement"):
                run([*psql, "-c", f"COPY copied_{table} FROM '{folder}/{table}'"])
            return Burst(count, time.monotonic() - begun)

        ours()  # not counted: first bursts are slower
        return compare(ours, {"COPY": copy}, pairs)


# name: (function, goal for the ratio, calls per burst (of watch_fanout: milliseconds), the same of a quick run)
SCENARIOS = {
    "read_memory": (read_memory, 0.95, 60_000, 20_000),
    "processes": (processes, 0.95, 60_000, 20_000),
    "read_redis": (read_redis, 0.75, 50_000, 20_000),
    "read_primary": (read_primary, 0.70, 30_000, 10_000),
    "batch_100": (batch_100, 25, 6_000, 2_000),
    "batch_100_redis": (batch_100_redis, 0.4, 3_000, 1_000),
    "batch_100_primary": (batch_100_primary, 3, 2_000, 600),
    "watch_fanout": (watch_fanout, 0.8, 3000, 1000),
    "reserve_hot": (reserve_hot, 15, 40_000, 15_000),
    "reserve_crowd": (reserve_crowd, 100, 40_000, 12_000),
    "reserve_spread": (reserve_spread, 5, 40_000, 10_000),
    "reserve_lone": (reserve_lone, 0.77, 1_000, 300),
    "audit_round": (audit_round, 0.5, 0, 0),
    "tax_audit": (tax_audit, 0.98, 60_000, 15_000),
    "tax_testimony": (tax_testimony, 0.9, 120_000, 60_000),
    "import": (import_levels, 0.50, 100_000, 30_000),
}
