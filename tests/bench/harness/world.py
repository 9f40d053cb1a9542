"""The servers that a benchmark needs, with data in them, on free ports of loopback."""

import contextlib
import json
import re
import signal
import socket
import tempfile
import time
import urllib.request
from pathlib import Path

from harness.processes import BenchError, Process, free_port, run

ROOT = Path(__file__).resolve().parents[3]
LOCAL = ROOT / "deploy/local"

KEYS = 10_000
SKU_PREFIX = "BENCH-"
LOCATION = "main"


def accepts_connections(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


class World:
    """PostgreSQL with a catalogue, and Redis. A context manager; what is started through it ends with it."""

    def __init__(self, build):
        self.build = build
        self._exits = contextlib.ExitStack()

    def __enter__(self):
        with self._exits as exits:
            self.folder = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="stock-bench-")))
            self.folder.chmod(0o711)  # user postgres passes through
            self._start_servers()
            self._import_catalogue()
            self._exits = exits.pop_all()
        return self

    def __exit__(self, *details):
        return self._exits.__exit__(*details)

    def program(self, name):
        folder = "tests/bench" if name.startswith("bench_") else f"services/{name}"
        return self.build / folder / name

    def database_url(self, role):
        return f"postgresql://{role}@127.0.0.1:{self.postgres_port}/stock"

    def stockd(self, layers):
        return Stockd(self, layers)

    def empty_service(self, response):
        return EmptyService(self, response)

    def _start_servers(self):
        self.postgres_port = free_port()
        self._exits.enter_context(Process(
            "postgres", [LOCAL / "postgres", "primary", self.folder / "postgres", self.postgres_port],
            self.folder, lambda: accepts_connections(self.postgres_port),
            end_signal=signal.SIGINT))  # does not wait for its clients
        run([LOCAL / "migrate", self.postgres_port])
        self.redis_port = free_port()
        self._exits.enter_context(Process(
            "redis", [LOCAL / "redis", self.folder / "redis", self.redis_port],
            self.folder, lambda: accepts_connections(self.redis_port)))

    def _import_catalogue(self):
        catalogue = self.folder / "catalogue.csv"
        with catalogue.open("w", encoding="utf-8") as file:
            file.write("SKU,Location,OnHand,SafetyStock,Description\n")
            for i in range(KEYS):
                file.write(f"{SKU_PREFIX}{i},{LOCATION},{100 + i % 900},5,Item {i}\n")
        with self.stockd("primary") as stockd:
            stockctl = [self.program("stockctl"), "--address", stockd.address]
            run([*stockctl, "locations", "create", LOCATION])
            run([*stockctl, "import", catalogue])


class Stockd(Process):
    """stockd as it comes, but patient with layers that a busy machine holds up."""

    def __init__(self, world, layers):
        self.port, self._admin_port = free_port(), free_port()
        self.address = f"127.0.0.1:{self.port}"
        flags = ["--listen", self.address, "--admin-listen", f"127.0.0.1:{self._admin_port}",
                 "--layers", layers, "--log-level", "warn",
                 "--primary-url", world.database_url("stock_writer"), "--primary-timeout", "10s"]
        if "redis" in layers.split(","):
            flags += ["--redis-url", f"redis://127.0.0.1:{world.redis_port}",
                      "--redis-timeout", "5s", "--redis-ttl", "1h"]
        super().__init__("stockd", [world.program("stockd"), *flags], world.folder, self._ready)

    def _get(self, resource):
        with urllib.request.urlopen(f"http://127.0.0.1:{self._admin_port}{resource}",
                                    timeout=5) as response:
            return response.read().decode()

    def _ready(self):
        with contextlib.suppress(OSError):
            return bool(self._get("/readyz"))
        return False

    def counters(self):
        """The counters of /metrics: {(name, frozenset of (label, value)): value}."""
        counters = {}
        for name, labels, value in re.findall(r"^(\w+_total)\{(.*)\} (\S+)", self._get("/metrics"),
                                              re.MULTILINE):
            pairs = frozenset(re.findall(r'(\w+)="([^"]*)"', labels))
            counters[name, pairs] = float(value)
        return counters


class EmptyService(Process):
    """bench_empty with the given response. Checks at its end that it answered what was counted."""

    def __init__(self, world, response):
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.counted = 0
        super().__init__(
            "bench_empty", [world.program("bench_empty"), "--port", self.port, "--response", response],
            world.folder, lambda: accepts_connections(self.port))

    def __exit__(self, *details):
        super().__exit__(*details)
        if details[0] is None:
            answered = json.loads(self.output(lines=1) or "{}").get("answered")
            if answered != self.counted:
                raise BenchError(f"bench_empty answered {answered} calls, not {self.counted}:\n"
                                 f"{self.output()}")


class CountedCalls:
    """Checks against stockd's own counters that the calls made inside it were what they seem."""

    def __init__(self, stockd, layer, share):
        """At least `share` of the calls have to be answered by `layer`."""
        self._stockd, self._layer, self._share = stockd, layer, share
        self._before = stockd.counters()

    def check(self, calls):
        end = time.monotonic() + 5
        # A call is counted when it is over, which is a moment after its answer.
        while (handled := self._grown("grpc_server_handled_total", grpc_method="GetStockLevel",
                                      grpc_code="OK")) < calls and time.monotonic() < end:
            time.sleep(0.02)
        if handled != calls:
            raise BenchError(f"the load counted {calls} successes, stockd {handled:.0f}")
        answered = sum(self._grown("stock_layer_reads_total", layer=self._layer, outcome=outcome)
                       for outcome in ("hit", "coalesced"))
        if not self._share * calls <= answered <= calls:
            raise BenchError(f"{self._layer} answered {answered:.0f} of {calls} calls")

    def _grown(self, name, **labels):
        wanted = labels.items()

        def total(counters):
            return sum(value for (counter, pairs), value in counters.items()
                       if counter == name and pairs >= wanted)

        return total(self._stockd.counters()) - total(self._before)
