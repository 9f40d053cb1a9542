"""The servers that a benchmark needs, with data in them, on free ports of loopback."""

import contextlib
import json
import math
import re
import signal
import socket
import subprocess
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


def takes_queries(port):
    """Of a PostgreSQL that is starting up, connections are accepted and refused."""
    return subprocess.run(["pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)],
                          check=False).returncode == 0


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

    def database_url(self, role, port=None):
        return f"postgresql://{role}@127.0.0.1:{port or self.postgres_port}/stock"

    def stockd(self, layers, **options):
        return Stockd(self, layers, **options)

    def forget_copies(self):
        """What Redis holds is what a scenario put there."""
        run(["redis-cli", "-p", self.redis_port, "FLUSHALL"])

    def fill_the_shelves(self):
        """With more than anybody can take."""
        run(["psql", "-qX", self.database_url("stock_writer"), "-c", "UPDATE stock.level SET on_hand = 1000000000000"])

    @contextlib.contextmanager
    def replica(self):
        """A streaming standby, which instances with a layer of that name then use."""
        self.replica_port = free_port()
        with Process("replica", [LOCAL / "postgres", "replica", self.folder / "replica",
                                 self.replica_port, self.postgres_port],
                     self.folder, lambda: accepts_connections(self.replica_port),
                     end_signal=signal.SIGINT) as replica:
            yield replica

    def empty_service(self, response, **options):
        return EmptyService(self, response, **options)

    def _start_servers(self):
        self.postgres_port = free_port()
        self._exits.enter_context(Process(
            "postgres", [LOCAL / "postgres", "primary", self.folder / "postgres", self.postgres_port,
                         # So that a session is known by what it asks.
                         "--", "-c", "track_activity_query_size=16kB"],
            self.folder, lambda: takes_queries(self.postgres_port),
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


# Of an instance that does not mind being held up by a busy machine.
PATIENT = ["--primary-timeout", "10s", "--redis-timeout", "5s", "--redis-ttl", "1h", "--overload-wait", "1m"]

# Memory so small that each read misses: what fills it is replaced before it is asked for again.
NO_ROOM = ["--memory-capacity", "1"]


class Stockd(Process):
    """An instance; as it comes when `flags` is empty."""

    def __init__(self, world, layers, name="stockd", flags=PATIENT, primary_port=None, shared_port=None):
        self.port, self._admin_port = shared_port or free_port(), free_port()
        self.address = f"127.0.0.1:{self.port}"
        command = [world.program("stockd"), "--listen", self.address,
                   "--admin-listen", f"127.0.0.1:{self._admin_port}", "--instance", name,
                   "--layers", layers, "--log-level", "warn",
                   "--primary-url", world.database_url("stock_writer", primary_port), *flags]
        if shared_port:
            command += ["--share-port", "on"]
        if "redis" in layers.split(","):
            command += ["--redis-url", f"redis://127.0.0.1:{world.redis_port}"]
        if "replica" in layers.split(","):
            command += ["--replica-url", world.database_url("stock_reader", world.replica_port)]
        super().__init__(name, command, world.folder, self._ready)

    def _get(self, resource):
        with urllib.request.urlopen(f"http://127.0.0.1:{self._admin_port}{resource}",
                                    timeout=5) as response:
            return response.read().decode()

    def _ready(self):
        with contextlib.suppress(OSError):
            return bool(self._get("/readyz"))
        return False

    def metrics(self):
        return Metrics(self._get("/metrics"))


class Metrics:
    """What /metrics says at an instant."""

    def __init__(self, page):
        self._values = {}  # {(name, frozenset of (label, value)): value}
        for name, labels, value in re.findall(r"^(\w+)(?:\{(.*)\})? (\S+)$", page, re.MULTILINE):
            pairs = frozenset(re.findall(r'(\w+)="([^"]*)"', labels))
            self._values[name, pairs] = float(value)

    def total(self, name, **labels):
        """The sum of all series of that name that have these labels."""
        wanted = labels.items()
        return sum(value for (series, pairs), value in self._values.items()
                   if series == name and pairs >= wanted)

    def since(self, before):
        """What has been counted since then."""
        grown = Metrics("")
        grown._values = {series: value - before._values.get(series, 0)
                         for series, value in self._values.items()}
        return grown

    def quantile(self, name, part):
        """Of a histogram; between two bounds as if values were spread evenly, as Prometheus does."""
        buckets = sorted((float(dict(pairs)["le"]), count)
                         for (series, pairs), count in self._values.items() if series == f"{name}_bucket")
        if not buckets or buckets[-1][1] == 0:
            raise BenchError(f"{name} has counted nothing")
        rank = part * buckets[-1][1]
        low, below = 0.0, 0.0
        for bound, count in buckets:
            if count >= rank and count > below:
                return low if math.isinf(bound) else low + (bound - low) * (rank - below) / (count - below)
            low, below = bound, count
        return low


class EmptyService(Process):
    """bench_empty with the given response. Checks at its end that it answered what was counted, unless others share
    its port, or it was to stream `message`."""

    def __init__(self, world, response, *, message=None, shared_port=None):
        self.port = shared_port or free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.counted = 0
        self._checked = not (message or shared_port)
        command = [world.program("bench_empty"), "--port", self.port, "--response", response]
        if message:
            command += ["--message", message]
        if shared_port:
            command += ["--share-port"]
        super().__init__(
            "bench_empty", command,
            world.folder, lambda: accepts_connections(self.port))

    def __exit__(self, *details):
        super().__exit__(*details)
        if details[0] is None and self._checked and self.answered() != self.counted:
            raise BenchError(f"bench_empty answered {self.answered()} calls, not {self.counted}:\n{self.output()}")

    def answered(self):
        """Calls in all; once it has ended."""
        return json.loads(self.output(lines=1) or "{}").get("answered", 0)


class CountedCalls:
    """Checks against stockd's own counters that the calls made inside it were what they seem."""

    def __init__(self, stockd, layer=None, share=0, method="GetStockLevel", keys=1):
        """Each is about so many keys, and `layer` has to answer at least `share` of these; None: no layer does."""
        self._stockd, self._layer, self._share, self._method, self._keys = stockd, layer, share, method, keys
        self._before = stockd.metrics()

    def check(self, calls):
        end = time.monotonic() + 5
        # A call is counted when it is over, which is a moment after its answer.
        while (handled := self._grown("grpc_server_handled_total", grpc_method=self._method,
                                      grpc_code="OK")) < calls and time.monotonic() < end:
            time.sleep(0.02)
        if handled != calls:
            raise BenchError(f"the load counted {calls} successes, stockd {handled:.0f}")
        if self._layer is None:
            return
        answered = sum(self._grown("stock_layer_reads_total", layer=self._layer, outcome=outcome)
                       for outcome in ("hit", "coalesced"))
        keys = calls * self._keys
        if not self._share * keys <= answered <= keys:
            trail = {outcome: self._grown("stock_layer_reads_total", layer=self._layer, outcome=outcome)
                     for outcome in ("miss", "too_old", "superseded", "error", "timeout", "breaker_open")}
            raise BenchError(f"{self._layer} answered {answered:.0f} of {keys} keys; it also said {trail}")

    def _grown(self, name, **labels):
        return self._stockd.metrics().since(self._before).total(name, **labels)
