"""A way to a server that can be shut, for what happens to networks."""

import contextlib
import queue
import socket
import threading
import time


class Line:
    """What is under way in one direction. Each piece comes out when it is due, however many there are before it."""

    def __init__(self, clock=time):
        self._clock = clock
        self._pieces = queue.SimpleQueue()  # (due, data)

    def put(self, data, delay):
        self._pieces.put((self._clock.monotonic() + delay, data))

    def get(self):
        due, data = self._pieces.get()
        self._clock.sleep(max(0, due - self._clock.monotonic()))
        return data


class Gate:
    """A TCP proxy on loopback; a context manager. Open at first. Four threads for each connection."""

    def __init__(self, target_port):
        self._target_port = target_port
        self._passing = threading.Event()
        self._passing.set()
        self._refusing = False
        self._delay = 0.0
        self._ended = False
        self._mutex = threading.Lock()  # guards _sockets
        self._sockets = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._ended = True
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        self._passing.set()

    def open(self):
        self._refusing = False
        self._passing.set()

    def cut(self):
        """Closes all connections and refuses others, so that both sides hear of it."""
        self._refusing = True
        with self._mutex:
            for one in self._sockets:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def delay(self, seconds):
        """Lets everything pass so much later, in each direction; for clients that wait for answers."""
        self._delay = seconds

    def stall(self):
        """Lets nothing pass, and nobody hears of it."""
        self._passing.clear()

    def _accept(self):
        while not self._ended:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._refusing:
                client.close()
                continue
            server = socket.create_connection(("127.0.0.1", self._target_port))
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._mutex:
                self._sockets |= {client, server}
            for source, sink in ((client, server), (server, client)):
                line = Line()
                threading.Thread(target=self._take, args=(source, line), daemon=True).start()
                threading.Thread(target=self._give, args=(line, source, sink), daemon=True).start()

    def _take(self, source, line):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                line.put(data, self._delay)
        line.put(b"", self._delay)  # the end

    def _give(self, line, source, sink):
        with contextlib.suppress(OSError):
            while data := line.get():
                self._passing.wait()
                sink.sendall(data)
        self._passing.wait()
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        with self._mutex:
            self._sockets.discard(source)
        source.close()
