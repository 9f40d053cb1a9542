"""Processes that run beside the benchmark, and what they cost."""

import os
import random
import signal
import socket
import subprocess
import time

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class BenchError(Exception):
    """Something did not work, so that there is no figure to report."""


def free_port():
    """Outside the range that outgoing connections take their ports from."""
    for _ in range(1000):
        port = random.randint(20000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass
    raise BenchError("no free port on loopback")


class Process:
    """A server; a context manager that ends it. It does not outlive this process, however that ends."""

    def __init__(self, name, command, folder, ready, end_signal=signal.SIGTERM):
        """`ready` says whether it serves; it is asked until it does."""
        self.name = name
        self.end_signal = end_signal
        self._log = folder / f"{name}-{time.monotonic_ns()}.log"
        guard = ["setpriv", "--pdeathsig", end_signal.name.removeprefix("SIG"), "--"]
        with self._log.open("wb") as log:
            # A session of its own: Ctrl-C is for this process, which ends the others in order.
            self._child = subprocess.Popen(guard + [str(part) for part in command],
                                           stdin=subprocess.DEVNULL, stdout=log,
                                           stderr=subprocess.STDOUT, start_new_session=True)
        try:
            self._await(ready)
        except BaseException:
            self._end()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._end()

    def _await(self, ready, seconds=60):
        end = time.monotonic() + seconds
        while not ready():
            if self._child.poll() is not None:
                raise BenchError(f"{self.name} ended with {self._child.returncode}:\n{self.output()}")
            if time.monotonic() > end:
                raise BenchError(f"{self.name} was not ready in {seconds} s:\n{self.output()}")
            time.sleep(0.05)

    def kill(self):
        """Ends it as a crash does: it hears nothing of it."""
        self._child.kill()
        self._child.wait()

    def hang(self):
        self._child.send_signal(signal.SIGSTOP)

    def go_on(self):
        self._child.send_signal(signal.SIGCONT)

    def _end(self):
        if self._child.poll() is None:
            self._child.send_signal(self.end_signal)
            try:
                self._child.wait(30)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()

    def output(self, lines=20):
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-lines:])

    def cpu_seconds(self):
        return cpu_seconds(self._child.pid)


def cpu_seconds(pid):
    """User and system time of all threads of a process since it started."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def run(command, seconds=120):
    """Runs a program to its end and returns what it printed."""
    command = [str(part) for part in command]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=seconds, check=False)
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"{command[0]} took longer than {seconds} s") from error
    except OSError as error:
        raise BenchError(str(error)) from error
    if done.returncode != 0:
        raise BenchError(f"{command[0]} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout
