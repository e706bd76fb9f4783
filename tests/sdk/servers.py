"""``gephyr`` processes, and orders to the stub upstream, for tests that block."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from tests.waiting import WAIT

_PROGRAM = "from gephyr.cli import main; main()"


@attrs.define
class Server:
    """A ``gephyr`` process that serves. What it writes to stderr goes to a file."""

    process: subprocess.Popen[bytes]
    port: int
    log_file: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def log(self) -> str:
        """Everything that was written to stderr so far."""
        return self.log_file.read_text(encoding="utf-8")

    def stop(self) -> bytes:
        """Ask it to stop as Ctrl-C does; return the rest of its stdout. The end has to be a quiet one."""
        self.process.send_signal(signal.SIGINT)
        rest, _ = self.process.communicate(timeout=WAIT)
        complaints = [line for line in self.log().splitlines() if _complains(line)]
        assert (self.process.returncode, complaints) == (0, [])
        return rest


_NEWS = ("request", "a provider's host is unreachable")
"""Lines that may be warnings without the gateway being at fault: they tell how others fared."""


def _complains(line: str) -> bool:
    """Whether a line of the log is neither one of information nor news of a request or of a provider."""
    if not line.startswith("{"):
        return "Traceback" in line or "Error" in line
    entry = json.loads(line)
    return entry["event"] not in _NEWS and entry["level"] not in {"debug", "info"}


@contextlib.contextmanager
def running(folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Run a ``gephyr`` command that serves, until the end of the block; then stop it, and check how it ends."""
    log_file = folder / "stderr"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ABV_", "API_", "AUTH_", "WEB_"))}
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, *arguments, "--log-format=json"],
            stdout=subprocess.PIPE,
            stderr=log,
            env={**kept, **(environment or {})},
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        match = re.fullmatch(rb"gephyr listening on http://127\.0\.0\.1:(\d+)\n", line)
        assert match is not None, (line, log_file.read_text(encoding="utf-8"))
        server = Server(process, int(match[1]), log_file)
        yield server
        if process.poll() is None:
            assert server.stop() == b"", "stdout has one line, the address"
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def write_config(folder: Path, mapping: Mapping[str, Any]) -> Path:
    """Write a configuration as TOML into *folder*, with a free port and the data beside it; values look as in JSON."""
    server = {"port": 0, "data_dir": str(folder), **mapping.get("server", {})}
    lines = []
    for name, section in {**mapping, "server": server}.items():
        for table in section if isinstance(section, list) else [section]:
            lines.append(f"[[{name}]]" if isinstance(section, list) else f"[{name}]")
            lines += [f"{json.dumps(key)} = {json.dumps(value)}" for key, value in table.items()]
    file = folder / "gephyr.toml"
    file.write_text("\n".join([*lines, ""]), encoding="utf-8")
    file.chmod(0o600)
    return file


@attrs.define
class Stub:
    """Orders to the stub upstream (see ``tests/stub_upstream.py``)."""

    ports: dict[str, int]

    def url(self, account: str) -> str:
        """The ``base_url`` of an account that the stub plays."""
        return f"http://127.0.0.1:{self.ports['http']}/{account}"

    def order(self, op: str, **arguments: Any) -> Any:
        with socket.create_connection(("127.0.0.1", self.ports["control"]), WAIT) as connection:
            connection.sendall(json.dumps({"op": op, **arguments}).encode() + b"\n")
            with connection.makefile("rb") as answers:
                return json.loads(answers.readline())

    def script(self, account: str, *answers: dict[str, Any]) -> None:
        """Set what an account answers, a request each; the last one stays."""
        self.order("script", account=account, answers=answers)

    def happened(self, *kinds: str) -> list[str]:
        """Return what of these *kinds* happened since the reset, in its order (see ``log`` in the stub)."""
        return [what for what, _ in self.order("log") if what in kinds]

    def take(self) -> list[dict[str, Any]]:
        """Return the requests that were seen, and forget them."""
        taken: list[dict[str, Any]] = self.order("take")
        return taken
