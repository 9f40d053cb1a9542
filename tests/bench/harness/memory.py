"""What the memory layer is worth: which reads it answers, what a key takes, and what it is to hold many."""

import csv
import io
import itertools
import json
import lzma
import os
import sys
from statistics import median

from harness.freshness import Figure
from harness.loads import bench_load
from harness.paired import checked, compare, settled, spread
from harness.processes import run
from harness.world import PATIENT

ZIPF_KEYS = 1_000_000
SCANNED = 10_000  # of each 100,000 reads
LEAST_GAIN = 8  # points more than LRU, where the memory is smallest
FEW = 10_000
NOTHING = "NOTHING-"  # SKUs that there are none of: that is a statement of the ledger like any other


def _ask(world, *arguments):
    return json.loads(run([world.program("bench_memory"), *arguments], seconds=600))


def _hits(world, when, capacity, *arguments, gain=None):
    hits = _ask(world, "hits", "--capacity", capacity, *arguments)
    percent = {name: 100 * hits[name] for name in ("memory", "lru", "optimum")}
    goal = None if gain is None else percent["lru"] + gain
    return [Figure(when, "hits of memory", percent["memory"], "%", goal=goal, at_least=True),
            Figure(when, "of an LRU of the same bytes", percent["lru"], "%"),
            Figure(when, "of the optimum", percent["optimum"], "%")]


def _real_hits(world):
    """Of each line of the real file, its SKU."""
    path = os.environ.get("STOCK_REAL_DATA")
    if not path:
        print("hit_ratio: STOCK_REAL_DATA is not set: the real file's reads are left out", file=sys.stderr)
        return []
    with lzma.open(path) as packed:
        skus = [row["StockCode"] for row in csv.DictReader(io.TextIOWrapper(packed, "utf-8"))]
    trace = world.folder / "trace"
    trace.write_text("\n".join(skus) + "\n", encoding="utf-8")
    return [figure for share in (0.01, 0.1)
            for figure in _hits(world, f"the real file, room for {share:.0%}", int(share * len(set(skus))),
                                "--trace", trace)]


def hit_ratio(world, quick):
    """Reads that memory answers, next to LRU and the optimum (Belady): Zipf 0.99 with scans, and a real file. Quick:
    with room for 0.1 % of the keys alone, and a fifth of the reads."""
    reads = ["--keys", ZIPF_KEYS, "--reads", 1_000_000 if quick else 5_000_000]
    figures = []
    for name, scanned in (("", 0), (", a tenth scans", SCANNED)):
        for share in (0.001,) if quick else (0.001, 0.01, 0.1):
            figures += _hits(world, f"Zipf 0.99{name}, room for {share:.1%}", int(share * ZIPF_KEYS),
                             *reads, "--scanned", scanned, gain=LEAST_GAIN if share == 0.001 else None)
    return [figure.result() for figure in figures + ([] if quick else _real_hits(world))]


def bytes_per_key(world, _):
    """Resident bytes of a key in memory, next to those of its names, counts and version."""
    taken = _ask(world, "bytes", "--keys", 1_000_000)
    when = "1,000,000 keys in memory"
    return [Figure(when, "bytes of each", taken["resident"], "B").result(),
            Figure(when, "bytes of its names, counts and version", taken["themselves"], "B").result(),
            Figure(when, "times these", taken["resident"] / taken["themselves"], "", goal=2.5).result()]


def scale_keys(world, quick):
    """Reads from memory and the feed's moves into it, holding ten million keys (quick: 200,000) and 10,000."""
    many = 200_000 if quick else 10_000_000
    pairs = 3 if quick else 7
    when = f"{many:,} keys in memory, and {FEW:,}"
    return [figure.result() for figure in [*_reads(world, when, many, pairs, 20_000 if quick else 60_000),
                                           *_moves(world, when, many, pairs, 200_000 if quick else 1_000_000)]]


def _moves(world, when, many, pairs, count):
    rates = _ask(world, "apply", "--keys", many, "--few", FEW, "--moves", count, "--pairs", pairs)["pairs"]
    ratios = [a / b for a, b in rates]
    return [Figure(when, "moves applied, of many", median(rate for rate, _ in rates), "/s"),
            Figure(when, "moves applied, of few", median(rate for _, rate in rates), "/s"),
            Figure(when, "ratio of these", median(ratios), "", goal=0.8, at_least=True, spread=spread(ratios))]


def _reads(world, when, many, pairs, count):
    with _holding(world, many) as large, _holding(world, FEW) as small:
        def reading(stockd, keys):
            # In batches, which fill memory sooner. Twice: what is read while the feed begins is not kept.
            for _ in range(2):
                bench_load(world, stockd.address, keys // 1000, keys=keys, prefix=NOTHING, batch=1000,
                           in_flight=8, seconds=900)
            bursts = itertools.count()

            def load():
                # Each burst is of other keys than the one before, else it were their number that counts.
                return bench_load(world, stockd.address, count, keys=keys, prefix=NOTHING,
                                  skip=next(bursts) * count % keys)

            burst = checked(stockd, load, "memory", 0.99)
            settled(burst)
            return burst

        result = compare(reading(large, many), {"few": reading(small, FEW)}, pairs)
    return [Figure(when, "reads, of many", result["value"], "/s"),
            Figure(when, "reads, of few", result["reference"], "/s"),
            Figure(when, "ratio of these", result["ratio"], "", goal=0.8, at_least=True, spread=result["spread"]),
            Figure(when, "processor time of a read, of many", result["cpu_us"], "µs"),
            Figure(when, "processor time of a read, of few", result["reference_cpu_us"], "µs")]


def _holding(world, keys):
    """Shards are never equally full: with room for an eighth more, none has to evict."""
    return world.stockd("memory,primary", flags=[*PATIENT, "--memory-capacity", keys + keys // 8])
