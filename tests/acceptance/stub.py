"""The stub upstream as tests use it: its process, and the orders that it takes."""

import asyncio
import base64
import contextlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import attrs

from tests.waiting import WAIT

PROGRAM = Path(__file__).parents[1] / "stub_upstream.py"
Answer = dict[str, Any]


@contextlib.contextmanager
def stub_process(cert: str | None = None) -> Iterator[dict[str, int]]:
    """Run the stub; what comes out is its ports."""
    command = [sys.executable, str(PROGRAM), *(["--cert", cert] if cert else [])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            ports: dict[str, int] = json.loads(process.stdout.readline())
            yield ports
        finally:
            process.stdin.close()
            process.wait(WAIT)


@attrs.define
class Stub:
    """Orders to the stub, and its answers. Each order has a connection of its own, so that waits may overlap."""

    ports: dict[str, int]

    def url(self, account: str, kind: str = "http") -> str:
        """The ``base_url`` of an account that the stub plays."""
        scheme = "https" if kind in {"tls", "silent"} else "http"
        host = "localhost" if kind == "tls" else "127.0.0.1"
        return f"{scheme}://{host}:{self.ports[kind]}/{account}"

    async def order(self, op: str, **arguments: Any) -> Any:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.ports["control"], limit=2**30)
        try:
            writer.write(json.dumps({"op": op, **arguments}).encode() + b"\n")
            line = await asyncio.wait_for(reader.readline(), WAIT)
        finally:  # at the end of the loop uvloop would wait for a connection that is left open
            writer.close()
            await writer.wait_closed()
        assert line, f"the stub did not take {op!r}"
        return json.loads(line)

    async def script(self, account: str, *answers: Answer) -> None:
        """Set what an account answers, a request each; the last one stays."""
        await self.order("script", account=account, answers=answers)

    async def take(self) -> list[dict[str, Any]]:
        """Return the requests that were seen, and forget them."""
        taken: list[dict[str, Any]] = await self.order("take")
        for seen in taken:
            seen["headers"] = [(name, value) for name, value in seen["headers"]]
            if seen["body64"] is not None:
                seen["body"] = base64.b64decode(seen.pop("body64"))
        return taken

    async def happened(self, *kinds: str) -> list[str]:
        """Return what of these *kinds* happened since the reset, in its order (see ``log`` in the stub)."""
        return [what for what, _ in await self.order("log") if what in kinds]

    async def count(self) -> dict[str, Any]:
        """Return the numbers of requests, connections (all and open) and bytes sent since the reset."""
        counts: dict[str, Any] = await self.order("count")
        return counts


@contextlib.asynccontextmanager
async def fresh_stub(ports: dict[str, int]) -> AsyncIterator[Stub]:
    """The stub without memory of earlier tests, whose connections are gone."""
    stub = Stub(ports)
    for kind in ("http", "tls", "silent"):
        if kind in ports:
            await stub.order("wait_open", kind=kind, count=0)
    await stub.order("reset")
    yield stub


def json_answer(value: object, status: int = 200, headers: dict[str, str] | None = None, **more: Any) -> Answer:
    """A whole reply."""
    fields = {"Content-Type": "application/json", **(headers or {})}
    return {"status": status, "headers": list(fields.items()), "body": json.dumps(value), **more}


def sse_answer(*events: str, **more: Any) -> Answer:
    """A stream of *events*, each with its terminator."""
    headers = [["Content-Type", "text/event-stream"]]
    return {"status": 200, "headers": headers, "body": "".join(events), "framing": "chunked", **more}
