"""The gateway under test: the real core, server and way upstream, in this process or as ``gephyr serve``."""

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import attrs

from gephyr.runtime.configuration import load_mapping
from gephyr.runtime.observers import Observers
from gephyr.runtime.service import RecordStore, Service, render_error, socket_service
from gephyr.runtime.store import MemoryStore
from gephyr.server import Listener, ServerLimits
from gephyr_core.events import TimePassed
from gephyr_core.records import AccountEvent, Fact, ProxyEvent, RequestRecord
from tests.acceptance.client import KEY
from tests.waiting import WAIT, until

Mapping = dict[str, Any]


def account(name: str, url: str, provider: str = "openai", **more: Any) -> Mapping:
    """An account; its credential is ``credential-of-`` and its name."""
    return {"id": name, "provider": provider, "api_key": f"credential-of-{name}", "base_url": url, **more}


def configuration(accounts: Sequence[Mapping], **sections: Mapping) -> Mapping:
    """What a ``gephyr.toml`` with these accounts and sections would hold."""
    return {"auth": {"api_keys": [KEY]}, "accounts": list(accounts), **sections}


class KeepingObservers(Observers):
    """Counts every request, and keeps its record; and what happens to accounts and proxies."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[RequestRecord] = []
        self.events: list[AccountEvent | ProxyEvent] = []

    def observe(self, fact: Fact) -> None:
        if isinstance(fact, RequestRecord):
            self.records.append(fact)
        else:
            self.events.append(fact)
        super().observe(fact)


class StandingClock:
    """The gateway's clock: no time passes for its core but what a test lets pass."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@attrs.define
class Gateway:
    """A gateway in this process."""

    service: Service
    listener: Listener
    observers: KeepingObservers
    clock: StandingClock

    @property
    def port(self) -> int:
        return self.listener.port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def records(self) -> list[RequestRecord]:
        """What was observed: a record for each request that has ended, probes (``HEAD /``) aside."""
        return [record for record in self.observers.records if record.operation != "probe"]

    def gauge(self, name: str) -> int:
        """A value of the metrics page."""
        match = re.search(rf"^{name} (\S+)$", self.observers.metrics()[1].decode(), re.MULTILINE)
        assert match is not None, name
        return int(float(match[1]))

    def in_use(self) -> dict[str, int]:
        """Everything a request takes and has to give back."""
        names = ("open_exchanges", "open_leases", "client_connections", "upstream_connections")
        return {name: self.gauge(f"gephyr_{name}") for name in names}

    async def until(self, condition: Callable[["Gateway"], object]) -> None:
        """Let the loop run until *condition* holds."""
        await until(lambda: condition(self))

    def pass_time(self, seconds: float) -> None:
        """Let *seconds* pass for the gateway's core; what is due then happens at once."""
        self.clock.now += seconds
        self.service.driver.feed(TimePassed())


@contextlib.asynccontextmanager
async def gateway(
    mapping: Mapping, store: RecordStore | None = None, clock: Callable[[], float] | None = None
) -> AsyncIterator[Gateway]:
    """Serve *mapping* in this process, as ``gephyr serve`` does, until the end of the block.

    Its time stands still, and passes by ``Gateway.pass_time``, unless another *clock* is given.
    """
    loaded = load_mapping(mapping, {})
    server = loaded.config.server
    observers, standing = KeepingObservers(), StandingClock()
    service = socket_service(loaded, store=store or MemoryStore(), observers=observers, clock=clock or standing)
    limits = ServerLimits(server.max_header_size, server.header_timeout, server.idle_timeout, server.max_connections)
    listener = Listener(service.driver, host="127.0.0.1", port=0, limits=limits, render=render_error)
    observers.add_gauge("gephyr_client_connections", "Open connections.", lambda: float(listener.open_connections))
    await listener.start()
    try:
        yield Gateway(service, listener, observers, standing)
    finally:
        listener.stop_accepting()
        listener.abort()
        await asyncio.wait_for(listener.wait_closed(), WAIT)
        await service.aclose()


@attrs.define
class Process:
    """A ``gephyr`` process that serves."""

    process: asyncio.subprocess.Process
    port: int
    errors: asyncio.StreamReader | None
    """Its log, unless that was sent elsewhere."""

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process.returncode is None

    @property
    def memory(self) -> int:
        """Bytes of memory that the process has; Linux only."""
        text = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("VmRSS")) * 1024

    @property
    def open_file_limits(self) -> list[str]:
        """The soft and the hard one; Linux only."""
        text = Path(f"/proc/{self.pid}/limits").read_text(encoding="ascii")
        return next(line.split()[3:5] for line in text.splitlines() if line.startswith("Max open files"))

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def exit_code(self) -> int:
        """Wait for the end."""
        return await asyncio.wait_for(self.process.wait(), WAIT)

    async def logged(self, words: bytes) -> bytes:
        """Read the log up to a line that has *words*, and return the line."""
        assert self.errors is not None
        while line := await asyncio.wait_for(self.errors.readline(), WAIT):
            if words in line:
                return line
        raise AssertionError(f"nothing logged with {words!r}")


@contextlib.asynccontextmanager
async def gephyr(
    *arguments: str,
    prepare: Callable[[], None] | None = None,
    stderr: int = asyncio.subprocess.PIPE,
    through: Sequence[str] = (),
) -> AsyncIterator[Process]:
    """Run the ``gephyr`` command until the end of the block; *prepare* runs in the new process before it.

    What it logs can be read unless *stderr* is a descriptor that it goes to. *through* is a command that runs others.
    """
    program = "from gephyr.cli import main; main()"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ABV_", "API_", "AUTH_"))}
    process = await asyncio.create_subprocess_exec(
        *through,
        sys.executable,
        "-c",
        program,
        *arguments,
        "--log-format=json",
        stdout=asyncio.subprocess.PIPE,
        stderr=stderr,
        env=environment,
        preexec_fn=prepare,
        limit=2**26,
    )
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), WAIT)
        match = re.fullmatch(rb"gephyr listening on http://127\.0\.0\.1:(\d+)\n", line)
        assert match is not None, (line, process.stderr and await process.stderr.read())
        yield Process(process, int(match[1]), process.stderr)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@contextlib.asynccontextmanager
async def serving(
    folder: Path,
    mapping: Mapping,
    prepare: Callable[[], None] | None = None,
    stderr: int = asyncio.subprocess.PIPE,
    through: Sequence[str] = (),
) -> AsyncIterator[Process]:
    """Run ``gephyr serve`` with *mapping* as its configuration, in *folder*; the rest as for :func:`gephyr`."""
    file = folder / "gephyr.toml"
    server = {"port": 0, "data_dir": str(folder), **mapping.get("server", {})}
    file.write_text(_toml({**mapping, "server": server}), encoding="utf-8")
    file.chmod(0o600)
    async with gephyr("serve", "--config", str(file), prepare=prepare, stderr=stderr, through=through) as process:
        yield process


def _toml(mapping: Mapping) -> str:
    """Write a configuration as TOML; values of JSON look the same there."""
    lines = []
    for name, section in mapping.items():
        for table in section if isinstance(section, list) else [section]:
            lines.append(f"[[{name}]]" if isinstance(section, list) else f"[{name}]")
            lines += [f"{key} = {json.dumps(value)}" for key, value in table.items()]
    return "\n".join([*lines, ""])
