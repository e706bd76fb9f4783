"""What an agent does on its connection: requests in bytes, responses read whole or event by event."""

import base64
import contextlib
import http.client
import json
import re
import socket
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from tests.waiting import WAIT, block_until

KEY = "a-client-key"
OTHER_KEY = "another-client-key"
BEARER = {"Authorization": f"Bearer {KEY}"}


@attrs.frozen
class Response:
    """A response, read to its end."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@attrs.define
class Gateway:
    """The gateway at a port of this machine."""

    port: int

    def ask(
        self, method: str, target: str, body: bytes | object = None, headers: Mapping[str, str] | None = None
    ) -> Response:
        """Ask on a fresh connection. A *body* that is no bytes goes as JSON; without *headers* a key is sent."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT)
        with contextlib.closing(connection):
            sent = body if isinstance(body, bytes | None) else json.dumps(body).encode()
            fields = {"Content-Type": "application/json"} if sent else {}
            connection.request(method, target, sent, {**fields, **(BEARER if headers is None else headers)})
            answer = connection.getresponse()
            return Response(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())

    @contextlib.contextmanager
    def connected(self) -> Iterator["Line"]:
        """A connection of one's own."""
        with socket.create_connection(("127.0.0.1", self.port), WAIT) as connection:
            yield Line(connection)

    def gauge(self, name: str) -> int:
        """A value of the metrics page."""
        page = self.ask("GET", "/metrics").body.decode()
        match = re.search(rf"^{name} (\S+)$", page, re.MULTILINE)
        assert match is not None, name
        return int(float(match[1]))

    def in_use(self) -> tuple[int, int]:
        """Leases, and exchanges besides the one that asks."""
        return self.gauge("gephyr_open_leases"), self.gauge("gephyr_open_exchanges") - 1

    def wait_in_use(self, leases: int, exchanges: int) -> None:
        """Ask until so much is in use."""
        block_until(lambda: self.in_use() == (leases, exchanges))


@attrs.define
class Line:
    """A connection, in bytes."""

    connection: socket.socket
    _data: bytes = b""

    def send(self, method: str, target: str, body: object = None, headers: Mapping[str, str] | None = None) -> None:
        """Send a request."""
        data = b"" if body is None else json.dumps(body).encode()
        fields = {"Host": "gateway", **BEARER, "Content-Length": str(len(data)), **(headers or {})}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self.connection.sendall(f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode() + data)

    def until(self, mark: bytes) -> bytes:
        """Read up to *mark*, and return what came up to there."""
        while mark not in self._data:
            more = self.connection.recv(65536)
            assert more, f"closed before {mark!r}: {self._data!r}"
            self._data += more
        found, _, self._data = self._data.partition(mark)
        return found + mark

    def leave(self) -> None:
        """Close."""
        self.connection.close()


def sent_headers(seen: Mapping[str, Any], name: str) -> list[str]:
    """The values of a header that reached the provider."""
    return [value for key, value in seen["headers"] if key.lower() == name]


def sent_body(seen: Mapping[str, Any]) -> bytes:
    """The body that reached the provider."""
    return base64.b64decode(seen["body64"])


def events(body: bytes) -> list[dict[str, Any]]:
    """The data of server-sent events, comments left out."""
    lines = [line for line in body.decode().splitlines() if line.startswith("data: ")]
    return [json.loads(line.removeprefix("data: ")) for line in lines]
