"""Reads of a hundred keys in one call, against what each layer gives at its best."""

from harness.auditing import names_in
from harness.loads import (BATCH_GET_STOCK_LEVELS, Burst, batch_request, bench_load, best_pgbench, h2load,
                           redis_mget)
from harness.paired import checked, compare, settled
from harness.processes import BenchError
from harness.world import KEYS, SKU_PREFIX

BATCH = 100
# Of batches: so few that no key is asked for by two of them at a time, which would be one read of it.
IN_FLIGHT = KEYS // BATCH // 4 // 4 * 4
# Of a hundred names: Redis answers so many in half a second.
MGETS = 10_000


def _compared(stockd, layer, load, references, pairs, *, share):
    """In keys per second. `load` makes a burst of batches, of which `layer` answers at least `share`."""
    batches = checked(stockd, load, layer, share, method="BatchGetStockLevels", keys=BATCH)

    def ours():
        burst = batches()
        return Burst(burst.calls * BATCH, burst.seconds, burst.cpu_seconds)

    settled(ours)
    for reference in references.values():
        reference()
    return {**compare(ours, references, pairs), "unit": "keys/s"}


def batch_100(world, pairs, count):
    """100 keys per call, in stockd's memory, against one per call."""
    with world.stockd("memory,primary") as stockd:
        bench_load(world, stockd.address, KEYS)
        request = batch_request([f"{SKU_PREFIX}{i}" for i in range(BATCH)])

        def batches():
            return h2load(world, stockd.port, count, BATCH_GET_STOCK_LEVELS, request, in_flight=IN_FLIGHT)

        one_by_one = checked(stockd, lambda: h2load(world, stockd.port, count * 10), "memory", 1.0)
        return _compared(stockd, "memory", batches, {"read_memory": one_by_one}, pairs, share=1.0)


def batch_100_redis(world, pairs, count):
    """100 keys per call, all of them in Redis, against bare MGET of 100."""
    with world.stockd("redis,primary") as stockd:
        bench_load(world, stockd.address, KEYS)
        names = names_in(world)
        if len(names) < KEYS:
            raise BenchError(f"redis holds {len(names)} copies")
        asked = names[:BATCH]
        trials = {clients: redis_mget(world, clients, asked, MGETS) for clients in (1, 4, 16)}
        best = max(trials, key=lambda clients: trials[clients].rate)
        return _compared(stockd, "redis", lambda: bench_load(world, stockd.address, count, batch=BATCH, in_flight=IN_FLIGHT),
                         {f"MGET -c {best}": lambda: redis_mget(world, best, asked, MGETS)}, pairs, share=0.99)


def batch_100_primary(world, pairs, count):
    """100 keys per call, from the database, against selects of one row."""
    name, select = best_pgbench(world, count * 10)
    with world.stockd("primary") as stockd:
        return _compared(stockd, "primary", lambda: bench_load(world, stockd.address, count, batch=BATCH, in_flight=IN_FLIGHT),
                         {name: select}, pairs, share=0.99)
