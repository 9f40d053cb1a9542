"""A session with a database."""

import subprocess

from harness.processes import BenchError


class Psql:
    """Statements on one connection, by psql; a context manager."""

    _END = "-- end of rows --"

    def __init__(self, url):
        self._child = subprocess.Popen(
            ["psql", url, "-XAtq", "-F", "\t", "-v", "ON_ERROR_STOP=1"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._child.stdin.close()
        self._child.wait(10)
        self._child.stdout.close()

    def rows(self, statement):
        """Rows of texts."""
        self._child.stdin.write(f"{statement};\nSELECT '{self._END}';\n")
        self._child.stdin.flush()
        rows = []
        for line in self._child.stdout:
            if line.rstrip("\n") == self._END:
                return rows
            rows.append(line.rstrip("\n").split("\t"))
        raise BenchError(f"psql ended: {rows}")
