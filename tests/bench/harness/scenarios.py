"""What is measured. A scenario starts what it needs beside the world's servers, and returns a result."""

from harness.loads import bench_load, h2load, pgbench
from harness.paired import compare, measured
from harness.world import KEYS, CountedCalls


def _against_empty(world, pairs, layers, load, *, share, more=None):
    """Compares stockd with the empty service (and `more` references) under `load(server)`.

    At least `share` of stockd's answers have to come from the first of `layers`.
    """
    first = layers.split(",")[0]
    response = world.folder / f"{first}.response"
    with world.stockd(layers) as stockd:
        # Every key once, so that a cache holds it; then one more answer, as the layer gives it.
        bench_load(world, stockd.address, KEYS)
        bench_load(world, stockd.address, 1, save_response=response)
        with world.empty_service(response) as empty:
            def ask_stockd():
                counted = CountedCalls(stockd, first, share)
                burst = measured(stockd, lambda: load(stockd))
                counted.check(burst.calls)
                return burst

            def ask_empty():
                burst = measured(empty, lambda: load(empty))
                empty.counted += burst.calls
                return burst

            ask_stockd()  # not counted: first bursts are slower
            ask_empty()
            return compare(ask_stockd, {"empty service": ask_empty, **(more or {})}, pairs)


def read_memory(world, pairs, count):
    """One key, in stockd's memory."""
    return _against_empty(world, pairs, "memory,primary",
                          lambda server: h2load(world, server.port, count), share=1.0)


def read_redis(world, pairs, count):
    """Distinct keys, all of them in Redis."""
    return _against_empty(world, pairs, "redis,primary",
                          lambda server: bench_load(world, server.address, count), share=0.99)


def read_primary(world, pairs, count):
    """Distinct keys, from the database."""
    trials = {clients: pgbench(world, clients, count) for clients in (4, 8, 16)}
    clients = max(trials, key=lambda clients: trials[clients].rate)
    return _against_empty(world, pairs, "primary",
                          lambda server: bench_load(world, server.address, count), share=0.99,
                          more={f"pgbench -c {clients}": lambda: pgbench(world, clients, count)})


# name: (function, goal for the ratio, calls per burst, calls per burst of a quick run)
SCENARIOS = {
    "read_memory": (read_memory, 0.95, 60_000, 20_000),
    "read_redis": (read_redis, 0.75, 50_000, 20_000),
    "read_primary": (read_primary, 0.70, 30_000, 10_000),
}
