"""The rig: a provider and a load client in C on one core, the measured gateway on another."""

import json
import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import attrs

from benchmarks import traffic

_HERE = Path(__file__).resolve().parent
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class BenchmarkError(Exception):
    """The measurement cannot be made; the message says why."""


@attrs.frozen
class Measurement:
    """One run of the load client."""

    requests: float
    """A second."""
    events: float
    """A second."""
    p50: float
    """Milliseconds, of whole answers."""
    p99: float
    cpu: float
    """Microseconds of the gateway's CPU time: an event where the answers are streams, else a request."""
    core: float
    """The share of one core that the gateway used."""
    memory: float
    """KB that the gateway held shortly before the end."""
    lost: int
    """Answers that were refused, cut off or too short."""


class Process:
    """A program on a core of its own; ended by :meth:`stop` or at the end of a ``with``."""

    def __init__(self, command: Sequence[str | Path], *, core: int, output: IO[bytes]) -> None:
        """Start *command* on *core*; what it says goes to *output*."""
        with on_core(core):
            self._popen = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the process and wait for it."""
        self._popen.terminate()
        try:
            self._popen.wait(10)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()

    def wait_until_listening(self, port: int, seconds: float = 30) -> None:
        """Return when *port* accepts connections. Raises ``BenchmarkError`` when it never does."""
        give_up = time.monotonic() + seconds
        while time.monotonic() < give_up:
            if self._popen.poll() is not None:
                raise BenchmarkError(f"{self._popen.args!r} ended with status {self._popen.returncode}")
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise BenchmarkError(f"{self._popen.args!r} does not listen on port {port}")

    @property
    def cpu_seconds(self) -> float:
        """CPU time that the process and its children have used."""
        return sum(_ticks(pid) for pid in self._family(self._popen.pid)) / _TICKS_PER_SECOND

    @property
    def memory(self) -> float:
        """KB resident, of the process and its children."""
        return sum(_resident(pid) for pid in self._family(self._popen.pid))

    def _family(self, pid: int) -> list[int]:
        members = [pid]
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in children.read_text().split():
                members += self._family(int(child))
        return members


class Rig:
    """Measures gateways, one after the other, under the same load."""

    def __init__(self, directory: Path) -> None:
        """Compile the two C programs into *directory*. Raises ``BenchmarkError`` when there is no compiler."""
        self._directory = directory
        self._upstream, self._load = (_compiled(name, directory) for name in ("upstream", "load"))
        self.output: IO[bytes] = (directory / "output").open("wb+")
        self.gateway_core, self._other_core = cores()

    def upstream(self, port: int, *, pace: int = 0, events: int = traffic.EVENTS) -> Process:
        """Start the provider: streams of *events*, *pace* of them a second on each, 0 for back to back."""
        plain = self._file("plain-reply", traffic.plain_reply())
        pieces = traffic.stream_reply(events)
        stream = self._file("stream-reply", b"".join(b"%d\n%b" % (len(piece), piece) for piece in pieces))
        process = Process(
            [self._upstream, str(port), plain, stream, str(pace)], core=self._other_core, output=self.output
        )
        process.wait_until_listening(port)
        return process

    def measure(
        self, gateway: Process, port: int, *, events: int, connections: int, warmup: float, seconds: float
    ) -> Measurement:
        """Put load on *gateway*: requests for streams of *events*, or for whole answers when it is 0.

        Counting starts after *warmup* seconds.
        """
        request = self._file("request", traffic.stream_request() if events else traffic.plain_request())
        arguments = [str(value) for value in (port, request, connections, warmup, seconds, events)]
        with (
            on_core(self._other_core),
            subprocess.Popen([self._load, *arguments], stdout=subprocess.PIPE, stderr=self.output) as client,
        ):
            assert client.stdout is not None
            client.stdout.readline()
            cpu, began = gateway.cpu_seconds, time.monotonic()
            time.sleep(seconds * 0.8)
            memory = gateway.memory
            line = client.stdout.readline()
            cpu, elapsed = gateway.cpu_seconds - cpu, time.monotonic() - began
        if not line:
            raise BenchmarkError("the load client failed")
        seen: dict[str, Any] = json.loads(line)
        return Measurement(
            requests=seen["ok"] / seen["seconds"],
            events=seen["events"] / seen["seconds"],
            p50=seen["p50"],
            p99=seen["p99"],
            cpu=cpu * 1e6 / max(1, seen["events" if events else "ok"]),
            core=cpu / elapsed,
            memory=memory,
            lost=seen["refused"] + seen["broken"] + seen["short"],
        )

    def _file(self, name: str, content: bytes) -> Path:
        path = self._directory / name
        path.write_bytes(content)
        return path

    def last_output(self) -> str:
        """Return the end of what the programs said."""
        self.output.flush()
        self.output.seek(0)
        return self.output.read()[-2000:].decode(errors="replace").strip()


def cores() -> tuple[int, int]:
    """Return the core for the gateway and the core for the rest; the same one where there is no other."""
    available = sorted(os.sched_getaffinity(0))
    return available[0], available[1 % len(available)]


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """Run on *core*, and let what is started meanwhile run there for good: affinity is inherited."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def allow_many_files() -> None:
    """Raise the limit of open files, which the programs inherit, to what a thousand streams need."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def free_port() -> int:
    """Return a port that nothing listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _compiled(name: str, directory: Path) -> Path:
    program = directory / name
    try:
        subprocess.run(["cc", "-O2", "-o", program, _HERE / f"{name}.c"], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise BenchmarkError(f"cannot compile {name}.c: {error}") from error
    return program


def _ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])  # utime and stime: proc(5), fields 14 and 15


def _resident(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return int(status.partition("VmRSS:")[2].split()[0])


if sys.platform != "linux":
    raise BenchmarkError("the benchmarks read /proc and pin processes to cores: they need Linux")
