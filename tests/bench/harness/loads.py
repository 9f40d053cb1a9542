"""The load generators. Each makes one burst, bounded in count and time."""

import json
import re
from dataclasses import dataclass

from harness.processes import BenchError, run
from harness.world import KEYS, LOCATION, SKU_PREFIX

GET_STOCK_LEVEL = "stock.v1.StockService/GetStockLevel"
BATCH_GET_STOCK_LEVELS = "stock.v1.StockService/BatchGetStockLevels"
CREATE_RESERVATION = "stock.v1.StockService/CreateReservation"
SUBMIT_TESTIMONIES = "stock.v1.DriftService/SubmitTestimonies"
HOUR_MS = 3_600_000


@dataclass(frozen=True)
class Burst:
    calls: int  # or keys, where a call is about many
    seconds: float
    cpu_seconds: float | None = None  # of the server

    @property
    def rate(self):
        return self.calls / self.seconds

    @property
    def cpu_us(self):
        return None if self.cpu_seconds is None else self.cpu_seconds / self.calls * 1e6


def _varint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out) + bytes([number])


def _message(number, content):
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _key(sku):
    return _message(1, sku.encode()) + _message(2, LOCATION.encode())


def read_request(sku):
    """A GetStockLevelRequest for one key that takes any answer of the last hour."""
    an_hour = bytes([1 << 3]) + bytes([0x90, 0x1C])  # Duration{seconds: 3600}
    return _message(1, _key(sku)) + _message(2, _message(2, an_hour))


def batch_request(skus):
    """A BatchGetStockLevelsRequest for these keys that takes any answer of the last hour."""
    an_hour = bytes([1 << 3]) + bytes([0x90, 0x1C])  # Duration{seconds: 3600}
    return b"".join(_message(1, _key(sku)) for sku in skus) + _message(2, _message(2, an_hour))


def reserve_request(sku):
    """A CreateReservationRequest for one unit for an hour; the server makes up its id."""
    one_unit = _message(1, _key(sku)) + bytes([2 << 3, 1])
    an_hour = bytes([1 << 3]) + bytes([0x90, 0x1C])
    return _message(3, one_unit) + _message(4, an_hour)


def testify_request(claims):
    """A SubmitTestimoniesRequest of the storefront: of each (SKU, units) that so many are available."""
    return b"".join(
        _message(1, _message(1, b"storefront") + _message(2, b"bench") + _message(3, _key(sku))
                 + bytes([5 << 3]) + _varint(units))
        for sku, units in claims)


def h2load(world, port, count, method=GET_STOCK_LEVEL, request=None, in_flight=256, connections=4,
           per_second=None):
    """The same request again and again; by default a read of one key. With `per_second`,
    no more often than that. h2load takes errors of gRPC for successes: count elsewhere too."""
    request = request or read_request(f"{SKU_PREFIX}0")
    body = world.folder / f"request-{method.rpartition('/')[2]}"
    body.write_bytes(bytes(1) + len(request).to_bytes(4, "big") + request)
    pace = ["--rps", per_second // connections] if per_second else []
    output = run(["h2load", "-t", 1, "-c", connections, "-m", in_flight // connections, "-n", count, *pace, "-d", body,
                  "-H", "content-type: application/grpc", "-H", "te: trailers",
                  f"http://127.0.0.1:{port}/{method}"])
    rate = re.search(r"finished in .*?, ([\d.]+) req/s", output)
    succeeded = re.search(r"(\d+) succeeded, 0 failed, 0 errored", output)
    if not rate or not succeeded or int(succeeded[1]) != count or float(rate[1]) <= 0:
        raise BenchError(f"h2load did not succeed {count} times:\n{output}")
    return Burst(count, count / float(rate[1]))


def bench_load(world, address, count, save_response=None, *, keys=KEYS, batch=0, in_flight=256,
               prefix=SKU_PREFIX, skip=0, seconds=120):
    """Keys in turn, spread over `keys`, behind the first `skip`; any answer of the last hour will do. One per call,
    or `batch`."""
    command = [world.program("bench_load"), "--address", address, "--count", count,
               "--in-flight", in_flight, "--connections", 4, "--batch", batch,
               "--key-prefix", prefix, "--key-count", keys, "--skip", skip, "--location", LOCATION,
               "--max-staleness-ms", HOUR_MS]
    if save_response:
        command += ["--save-response", save_response]
    report = json.loads(run(command, seconds=seconds))
    return Burst(report["calls"], report["seconds"])


def hot_reserve(world, port, count, *, in_flight):
    """Reservations of one unit each, all of the same key."""
    return h2load(world, port, count, CREATE_RESERVATION, reserve_request(f"{SKU_PREFIX}0"), in_flight)


def bench_reserve(world, address, count, *, keys, in_flight):
    """Reservations of one unit each, of `keys` keys in turn."""
    report = json.loads(run([world.program("bench_load"), "--address", address, "--count", count,
                             "--in-flight", in_flight, "--connections", 4 if in_flight > 1 else 1,
                             "--key-prefix", SKU_PREFIX, "--key-count", keys,
                             "--location", LOCATION, "--reserve"]))
    return Burst(report["calls"], report["seconds"])


# One transaction per reservation, of the same rows. Movement and level in one statement, because the
# ledger's triggers want them to agree at its end.
NAIVE_RESERVATION = """\\set number random(0, {last})
BEGIN;
SELECT version FROM stock.level WHERE sku = '{prefix}' || :number::text AND location = '{location}'
FOR UPDATE;
WITH moved AS (
  INSERT INTO stock.movement (
    sku, location, version, kind, reservation,
    on_hand_delta, reserved_delta, committed_delta, safety_stock_delta, backorder_limit_delta,
    on_hand, reserved, committed, safety_stock, backorder_limit, earliest_expire_at)
  SELECT sku, location, version + 1, 'RESERVE', gen_random_uuid(), 0, 1, 0, 0, 0,
         on_hand, reserved + 1, committed, safety_stock, backorder_limit,
         least(earliest_expire_at, clock_timestamp() + interval '1 hour')
  FROM stock.level
  WHERE sku = '{prefix}' || :number::text AND location = '{location}'
    AND on_hand - reserved - committed - safety_stock + backorder_limit >= 1
  RETURNING sku, location, version, at, reservation, earliest_expire_at),
reserved AS (
  UPDATE stock.level SET
    reserved = reserved + 1, version = moved.version, changed_at = moved.at,
    earliest_expire_at = moved.earliest_expire_at
  FROM moved WHERE level.sku = moved.sku AND level.location = moved.location)
INSERT INTO stock.reservation (
  id, state, revision, expire_at, digest, skus, locations, quantities, fulfilled, expired)
SELECT reservation, 'HELD', 1, clock_timestamp() + interval '1 hour', sha256(sku::bytea),
       ARRAY[sku], ARRAY[location], '{{1}}', '{{0}}', '{{f}}'
FROM moved;
COMMIT;
"""


def naive_reserve(world, clients, count, *, keys):
    """The same by plain SQL, a transaction at a time per client."""
    script = world.folder / "reserve.sql"
    script.write_text(NAIVE_RESERVATION.format(last=keys - 1, prefix=SKU_PREFIX, location=LOCATION),
                      encoding="utf-8")
    return _pgbench(world, script, clients, count, "stock_writer")


def pgbench(world, clients, count):
    """Selects of one row by its key, prepared: the database without a service in front."""
    script = world.folder / "select.sql"
    script.write_text(
        f"\\set number random(0, {KEYS - 1})\n"
        "SELECT on_hand, reserved, committed, safety_stock, backorder_limit, version, changed_at\n"
        f"FROM stock.level WHERE sku = '{SKU_PREFIX}' || :number::text AND location = '{LOCATION}';\n",
        encoding="utf-8")
    return _pgbench(world, script, clients, count, "stock_reader")


def best_pgbench(world, count):
    """The name and the load of whichever number of clients is fastest at that."""
    trials = {clients: pgbench(world, clients, count) for clients in (4, 8, 16)}
    best = max(trials, key=lambda clients: trials[clients].rate)
    return f"pgbench -c {best}", lambda: pgbench(world, best, count)


def redis_mget(world, clients, names, count):
    """MGET of these names, again and again; in keys per second."""
    output = run(["redis-benchmark", "-p", world.redis_port, "-c", clients, "-n", count, "--csv", "MGET", *names])
    rates = re.findall(r'^"[^"]*","([\d.]+)"', output, re.MULTILINE)
    if len(rates) != 1 or float(rates[0]) <= 0:
        raise BenchError(f"redis-benchmark did not do all that it was to:\n{output}")
    return Burst(count * len(names), count / float(rates[0]))


def select_by_thousands(world, keys, count):
    """Levels, so many `keys` in a statement, by one client; in keys per second."""
    script = world.folder / "thousands.sql"
    script.write_text(
        f"\\set first random(0, {KEYS // keys - 1}) * {keys}\n"
        "SELECT sku, location, on_hand, reserved, committed, safety_stock, backorder_limit, version, changed_at\n"
        f"FROM stock.level WHERE location = '{LOCATION}' AND sku = ANY(ARRAY(\n"
        f"  SELECT '{SKU_PREFIX}' || n FROM generate_series(:first::int, :first::int + {keys - 1}) AS n));\n",
        encoding="utf-8")
    selected = _pgbench(world, script, 1, count, "stock_reader")
    return Burst(selected.calls * keys, selected.seconds)


def _pgbench(world, script, clients, count, role):
    output = run(["pgbench", "-n", "-M", "prepared", "-f", script, "-c", clients, "-j", 1,
                  "-t", count // clients, world.database_url(role)])
    rate = re.search(r"^tps = ([\d.]+) \(without initial", output, re.MULTILINE)
    done = re.search(r"actually processed: (\d+)/(\d+)", output)
    if not rate or not done or done[1] != done[2]:
        raise BenchError(f"pgbench did not do all that it was to:\n{output}")
    return Burst(int(done[1]), int(done[1]) / float(rate[1]))
