"""What a test sees of a front end: requests to make, responses to read, and how the gateway is."""

import asyncio
import io
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import attrs

from gephyr_core.http import Header
from tests.conformance.upstream import ScriptedUpstream
from tests.waiting import WAIT

KEY = "a-client-key"
AUTHORIZED: Header = (b"authorization", b"Bearer " + KEY.encode())


class CutError(Exception):
    """The response broke off."""


@attrs.frozen
class Response:
    """A response, read to its end."""

    status: int
    headers: list[Header]
    body: bytes

    def header(self, name: bytes) -> bytes | None:
        return next((value for key, value in self.headers if key == name), None)

    def json(self) -> Any:
        return json.loads(self.body)


class Talk(ABC):
    """One request and its response, from the client's side."""

    @abstractmethod
    def send(self, data: bytes, *, last: bool = False) -> None:
        """Send more of the body."""

    @abstractmethod
    async def head(self) -> tuple[int, list[Header]]:
        """Wait for the response's head."""

    @abstractmethod
    async def read(self) -> bytes:
        """Wait for the next bytes of the body; empty at its end. Raises :class:`CutError`."""

    @abstractmethod
    def leave(self) -> None:
        """Close the connection, in the middle of whatever is going on."""

    async def rest(self) -> bytes:
        """Read to the end."""
        data = b""
        while piece := await self.read():
            data += piece
        return data

    async def read_until(self, end: bytes) -> bytes:
        """Read until *end* has come."""
        data = b""
        while not data.endswith(end):
            piece = await self.read()
            assert piece, f"the response ended after {data!r}"
            data += piece
        return data


class FrontEnd(ABC):
    """A gateway behind one of its doors."""

    def __init__(self, upstream: ScriptedUpstream, log: io.BytesIO) -> None:
        self.upstream = upstream
        self._log = log
        self.may_fail = False
        """The gateway's own code is made to fail; else a fault of it is the test's failure."""

    @abstractmethod
    async def talk(
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        headers: Sequence[Header] = (AUTHORIZED,),
        *,
        more: bool = False,
    ) -> Talk:
        """Begin a request. With *more* its body goes on, of a length that is not told."""

    @abstractmethod
    def drain(self) -> None:
        """Ask the gateway to stop."""

    @abstractmethod
    async def drained(self) -> None:
        """Wait until it has stopped."""

    async def ask(
        self, method: str, target: str, body: bytes | None = None, headers: Sequence[Header] = (AUTHORIZED,)
    ) -> Response:
        """Make a request and read its response."""
        talk = await self.talk(method, target, body, headers)
        async with asyncio.timeout(WAIT):
            status, fields = await talk.head()
            return Response(status, fields, await talk.rest())

    @property
    def records(self) -> list[dict[str, Any]]:
        """The log's lines, one for each request that has ended, without those for metrics."""
        lines = [json.loads(line) for line in self._log.getvalue().splitlines()]
        return [line for line in lines if line["operation"] != "metrics"]

    async def in_use(self) -> tuple[int, int]:
        """How many other requests are being served, and how many calls are under way."""
        text = (await self.ask("GET", "/metrics")).body.decode()
        if not self.may_fail:
            assert "gephyr_internal_errors_total{" not in text, "the gateway's own code failed: its log says where"
        names = "gephyr_open_exchanges", "gephyr_open_leases"
        found = [re.search(rf"^{name} (\S+)$", text, re.MULTILINE) for name in names]
        exchanges, leases = (int(float(match[1])) for match in found if match is not None)
        return exchanges - 1, leases

    async def wait_in_use(self, exchanges: int, calls: int) -> None:
        """Ask until so much is in use."""
        async with asyncio.timeout(WAIT):
            while await self.in_use() != (exchanges, calls):
                pass
