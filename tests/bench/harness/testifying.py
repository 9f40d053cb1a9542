"""What hearing witnesses outside costs those who read."""

import concurrent.futures
import contextlib
import threading
import time

from harness.freshness import await_result
from harness.loads import SUBMIT_TESTIMONIES, bench_load, h2load, testify_request
from harness.paired import checked, compare, settled
from harness.processes import BenchError
from harness.psql import Psql
from harness.world import KEYS, LOCATION, PATIENT, SKU_PREFIX

TESTIMONIES_PER_SECOND = 10_000
PER_REQUEST = 100
WRONG = 10  # of a request: memory does not confirm them, so that the ledger is asked
REQUESTS_PER_SECOND = TESTIMONIES_PER_SECOND // PER_REQUEST
SECONDS = 2  # of a run of the client; while the next one starts nobody testifies


def claims(world):
    """Of the first keys, as the ledger has them; some of them with a count that never was."""
    skus = [f"{SKU_PREFIX}{i}" for i in range(PER_REQUEST)]
    with Psql(world.database_url("postgres")) as sql:
        available = {sku: int(units) for sku, units in sql.rows(
            "SELECT sku, on_hand - reserved - committed - safety_stock FROM stock.level "
            f"WHERE location = '{LOCATION}' AND sku IN ('" + "', '".join(skus) + "')")}
    return [(sku, available[sku] + (5_000 if i < WRONG else 0)) for i, sku in enumerate(skus)]


@contextlib.contextmanager
def testifying(world, stockd):
    """TESTIMONIES_PER_SECOND arrive until the end of the block. All have to be judged, at that rate."""
    over = threading.Event()
    request = testify_request(claims(world))

    def testify():
        while not over.is_set():
            h2load(world, stockd.port, SECONDS * REQUESTS_PER_SECOND, SUBMIT_TESTIMONIES, request,
                   per_second=REQUESTS_PER_SECOND)

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        before = stockd.metrics()
        testimony = pool.submit(testify)
        try:
            await_result("a verdict", lambda: True if stockd.metrics().since(before).total(
                "stock_testimonies_total") > 0 or testimony.done() else None)
            before, began = stockd.metrics(), time.monotonic()
            yield
            judged, seconds = stockd.metrics().since(before), time.monotonic() - began
        finally:
            over.set()
        testimony.result()
    rate = judged.total("stock_testimonies_total") / seconds
    if rate < 0.8 * TESTIMONIES_PER_SECOND:
        raise BenchError(f"only {rate:.0f} of {TESTIMONIES_PER_SECOND} testimonies a second were judged")
    current = judged.total("stock_testimonies_total", verdict="current") / judged.total("stock_testimonies_total")
    if abs(current - (1 - WRONG / PER_REQUEST)) > 0.05:
        raise BenchError(f"{current:.0%} of the testimonies were found to be current")


def tax_testimony(world, pairs, count):
    """One key in memory, while 10,000 testimonies a second are judged, against none."""
    with world.stockd("memory,primary", flags=PATIENT) as stockd:
        bench_load(world, stockd.address, KEYS)  # so that memory holds each
        reading = checked(stockd, lambda: h2load(world, stockd.port, count), "memory", 1.0)

        def disturbed():
            with testifying(world, stockd):
                return reading()

        settled(reading)
        return compare(disturbed, {"no testimonies": reading}, pairs)
