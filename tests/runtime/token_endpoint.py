"""A token endpoint on a loopback port: counts, rotates refresh tokens, and fails as told."""

import asyncio
import contextlib
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import parse_qs

import attrs
import msgspec

from tests.runtime.upstream_world import Script, Visitor, provider

Answer = tuple[int, dict[str, str], bytes]
"""Status, headers, body."""


def answer(status: int, fields: object, **headers: str) -> Answer:
    """An answer in JSON; underscores in the names of headers stand for dashes."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return status, {"content-type": "application/json", **named}, msgspec.json.encode(fields)


@attrs.define
class Endpoint:
    """A token endpoint, as RFC 6749 has it, and what was asked of it."""

    url: str = ""
    refresh_token: str = "rt-MARKED-0"
    """The one that is valid now."""
    rotates: bool = True
    expires_in: object = 3600
    requests: list[dict[str, str]] = attrs.field(factory=list)
    """The forms that came, parsed, in order."""
    heads: list[bytes] = attrs.field(factory=list)
    given: int = 0
    """How many tokens were given."""
    answers: deque[Answer | Callable[[Visitor], Any]] = attrs.field(factory=deque)
    """What is answered next in place of a token, or done to the connection."""
    opened: asyncio.Event = attrs.field(factory=asyncio.Event)
    """Cleared: requests are read, and wait for their answers."""

    def __attrs_post_init__(self) -> None:
        self.opened.set()

    @property
    def count(self) -> int:
        """How many requests came."""
        return len(self.requests)

    async def serve(self, visitor: Visitor) -> None:
        """Answer one request."""
        head, body = await visitor.request()
        form = {name: values[0] for name, values in parse_qs(body.decode(), strict_parsing=True).items()}
        self.requests.append(form)
        self.heads.append(head)
        await self.opened.wait()
        action = self.answers.popleft() if self.answers else self._token(form)
        if callable(action):
            action(visitor)
            return
        status, headers, data = action
        lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in headers.items())]
        lines += [f"content-length: {len(data)}", "connection: close", "", ""]
        await visitor.send("\r\n".join(lines).encode() + data)

    def _token(self, form: dict[str, str]) -> Answer:
        if form["grant_type"] == "refresh_token" and form["refresh_token"] != self.refresh_token:
            return answer(400, {"error": "invalid_grant", "error_description": f"{form['refresh_token']} is void"})
        self.given += 1
        fields = {"access_token": f"at-MARKED-{self.given}", "token_type": "Bearer", "expires_in": self.expires_in}
        if form["grant_type"] != "urn:ietf:params:oauth:grant-type:jwt-bearer" and self.rotates:
            self.refresh_token = fields["refresh_token"] = f"rt-MARKED-{self.given}"
        return answer(200, {name: value for name, value in fields.items() if value is not None})


@contextlib.asynccontextmanager
async def token_endpoint(tls: ssl.SSLContext | None = None, script: Script | None = None) -> AsyncIterator[Endpoint]:
    """Serve an endpoint until the end of the block."""
    endpoint = Endpoint()
    async with provider(script or endpoint.serve, tls) as server:
        endpoint.url = f"{server.origin}/token"
        yield endpoint
