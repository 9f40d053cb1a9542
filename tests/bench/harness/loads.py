"""The load generators. Each makes one burst, bounded in count and time."""

import json
import re
from dataclasses import dataclass

from harness.processes import BenchError, run
from harness.world import KEYS, LOCATION, SKU_PREFIX

GET_STOCK_LEVEL = "stock.v1.StockService/GetStockLevel"
HOUR_MS = 3_600_000


@dataclass(frozen=True)
class Burst:
    calls: int
    seconds: float
    cpu_seconds: float | None = None  # of the server

    @property
    def rate(self):
        return self.calls / self.seconds

    @property
    def cpu_us(self):
        return None if self.cpu_seconds is None else self.cpu_seconds / self.calls * 1e6


def request_frame(sku):
    """A GetStockLevelRequest for one key that takes any answer of the last hour, as gRPC sends it."""
    def message(number, content):
        return bytes([number << 3 | 2, len(content)]) + content

    key = message(1, sku.encode()) + message(2, LOCATION.encode())
    an_hour = bytes([1 << 3]) + bytes([0x90, 0x1C])  # Duration{seconds: 3600}
    request = message(1, key) + message(2, message(2, an_hour))
    return bytes(1) + len(request).to_bytes(4, "big") + request


def h2load(world, port, count):
    """One key, asked for again and again. h2load takes errors of gRPC for successes: count elsewhere too."""
    body = world.folder / "request"
    body.write_bytes(request_frame(f"{SKU_PREFIX}0"))
    output = run(["h2load", "-t", 1, "-c", 4, "-m", 64, "-n", count, "-d", body,
                  "-H", "content-type: application/grpc", "-H", "te: trailers",
                  f"http://127.0.0.1:{port}/{GET_STOCK_LEVEL}"])
    rate = re.search(r"finished in .*?, ([\d.]+) req/s", output)
    succeeded = re.search(r"(\d+) succeeded, 0 failed, 0 errored", output)
    if not rate or not succeeded or int(succeeded[1]) != count or float(rate[1]) <= 0:
        raise BenchError(f"h2load did not succeed {count} times:\n{output}")
    return Burst(count, count / float(rate[1]))


def bench_load(world, address, count, save_response=None):
    """Keys in turn, spread over all there are; any answer of the last hour will do."""
    command = [world.program("bench_load"), "--address", address, "--count", count,
               "--in-flight", 256, "--connections", 4,
               "--key-prefix", SKU_PREFIX, "--key-count", KEYS, "--location", LOCATION,
               "--max-staleness-ms", HOUR_MS]
    if save_response:
        command += ["--save-response", save_response]
    report = json.loads(run(command))
    return Burst(report["calls"], report["seconds"])


def pgbench(world, clients, count):
    """Selects of one row by its key, prepared: the database without a service in front."""
    script = world.folder / "select.sql"
    script.write_text(
        f"\\set number random(0, {KEYS - 1})\n"
        "SELECT on_hand, reserved, committed, safety_stock, backorder_limit, version, changed_at\n"
        f"FROM stock.level WHERE sku = '{SKU_PREFIX}' || :number::text AND location = '{LOCATION}';\n",
        encoding="utf-8")
    output = run(["pgbench", "-n", "-M", "prepared", "-f", script, "-c", clients, "-j", 1,
                  "-t", count // clients, world.database_url("stock_reader")])
    rate = re.search(r"^tps = ([\d.]+) \(without initial", output, re.MULTILINE)
    done = re.search(r"actually processed: (\d+)/(\d+)", output)
    if not rate or not done or done[1] != done[2]:
        raise BenchError(f"pgbench did not do all its selects:\n{output}")
    return Burst(int(done[1]), int(done[1]) / float(rate[1]))
