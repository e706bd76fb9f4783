"""``gephyr serve`` and ``gephyr demo`` as processes: limits of the system, signals, and the demo's way through it all.

Acceptance (e) and (g), and the graceful end.
"""

import ast
import asyncio
import json
import signal
import sys
from pathlib import Path

import pytest

from gephyr.harness.in_process import DEMO_KEY, InProcessUpstream
from gephyr.runtime.ports import UpstreamPort
from gephyr.runtime.upstream import SocketUpstream
from tests.acceptance.client import Response, connected
from tests.acceptance.gateway import Process, account, configuration, gephyr, serving
from tests.acceptance.speech import CHAT, SPEECHES, Speech
from tests.acceptance.stub import Stub, sse_answer
from tests.waiting import WAIT

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(sys.platform == "win32", reason="signals and limits of Unix")]

_ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(sys.platform != "linux", reason="the limits of another process are read from /proc")
async def test_serve_raises_its_open_file_limit_to_the_hard_one(stub: Stub, tmp_path: Path) -> None:
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    def lower() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))

    async with serving(tmp_path, configuration([account("a", stub.url("a"))]), prepare=lower) as process:
        assert process.open_file_limits == [str(hard)] * 2


async def test_connections_beyond_capacity_get_503(stub: Stub, tmp_path: Path) -> None:
    """Those within it go on, and a place that becomes free is given to the next."""
    mapping = configuration([account("a", stub.url("a"))], server={"max_connections": 2})
    async with serving(tmp_path, mapping) as process, connected(process.port) as first:
        async with connected(process.port) as second:
            assert (await first.ask("HEAD", "/")).status == (await second.ask("HEAD", "/")).status == 200
            async with connected(process.port) as third:
                refusal = await third.ask("GET", "/health")
            assert (refusal.status, refusal.header("connection")) == (503, "close")
            assert refusal.header("retry-after") == "1"
            assert "too many connections" in json.loads(refusal.body)["error"]["message"]
        assert (await first.ask("HEAD", "/")).status == 200  # by now the server knows that the others are gone
        async with connected(process.port) as another:
            assert (await another.ask("HEAD", "/")).status == 200


async def test_a_stream_in_progress_ends_in_its_own_time_after_sigterm(stub: Stub, tmp_path: Path) -> None:
    """Nothing new is accepted meanwhile, and the process ends with 0 when the stream has."""
    events = [CHAT.content] * 25
    await stub.script("a", sse_answer(*events, hold=1))
    mapping = configuration([account("a", stub.url("a"))], server={"drain_timeout": WAIT})
    async with serving(tmp_path, mapping) as process, connected(process.port) as client:
        client.send("POST", CHAT.target, CHAT.body(stream=True))
        await client.head()
        first = await client.chunk()
        process.signal(signal.SIGTERM)
        await _refuses(process)
        assert process.running
        await stub.order("go_on")
        assert (first + await client.chunks()).decode() == "".join(events)
        assert await process.exit_code() == 0


async def _refuses(process: Process) -> None:
    """Wait until no connection is accepted any more."""
    while True:
        try:
            async with connected(process.port):
                pass
        except ConnectionRefusedError:
            return
        except ConnectionResetError:  # it was waiting to be accepted
            pass


async def test_a_second_signal_aborts_at_once(stub: Stub, tmp_path: Path) -> None:
    """The stream would have gone on for long; its client can tell that it was cut."""
    await stub.script("a", sse_answer(CHAT.content, then="stall"))
    mapping = configuration([account("a", stub.url("a"))], server={"drain_timeout": WAIT})
    async with serving(tmp_path, mapping) as process:
        async with connected(process.port) as client:
            client.send("POST", CHAT.target, CHAT.body(stream=True))
            await client.head()
            await client.chunk()
            process.signal(signal.SIGTERM)
            await process.logged(b"draining")
            process.signal(signal.SIGINT)
            assert await process.exit_code() == 1
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await client.chunk()
        await stub.order("wait_left", request=1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_while_idle_ends_the_process_with_0(stub: Stub, tmp_path: Path, number: signal.Signals) -> None:
    """A connection that waits for its next request holds nothing up."""
    mapping = configuration([account("a", stub.url("a"))])
    async with serving(tmp_path, mapping) as process, connected(process.port) as client:
        assert (await client.ask("HEAD", "/")).status == 200
        process.signal(number)
        assert await process.exit_code() == 0
        assert await client.reader.read() == b""


@pytest.fixture(params=SPEECHES, ids=lambda speech: speech.name)
def speech(request: pytest.FixtureRequest) -> Speech:
    found: Speech = request.param
    return found


async def test_the_demo_answers_every_dialect_through_the_whole_gateway(speech: Speech) -> None:
    """Guards, routing, observation: what only the real core does shows in the answers and the log."""
    headers = {"Authorization": f"Bearer {DEMO_KEY}"}
    async with gephyr("demo", "--port=0", "--latency=0", "--pace=0") as process, connected(process.port) as client:
        refused: Response = await client.ask("POST", speech.target, speech.body())
        assert refused.status == 401
        whole = await client.ask("POST", speech.target, speech.body(), headers)
        assert (whole.status, bool(json.loads(whole.body))) == (200, True)
        assert (whole.header("x-gephyr-request-id") or "").startswith("req_")
        stream = await client.ask("POST", speech.stream_target, speech.body(stream=True), headers)
        assert (stream.header("content-type") or "").startswith("text/event-stream")
        missing = await client.ask("POST", speech.target, b"{", headers)
        assert missing.status == 400
        record = json.loads(await process.logged(b'"stream":true'))
    assert record["account"] == f"demo-{speech.provider}"
    assert record["attempts"] == 1


def test_the_demo_takes_the_place_of_the_sockets_behind_the_same_seam() -> None:
    """Both ways upstream implement one protocol, and nothing below the demo knows that it exists."""
    ways: list[type[UpstreamPort]] = [SocketUpstream, InProcessUpstream]  # the types are checked by mypy
    assert all(callable(way.call) and callable(way.aclose) for way in ways)
    below = [*_ROOT.glob("gephyr_core/**/*.py"), *_ROOT.glob("frontends/gephyr/runtime/**/*.py")]
    below += _ROOT.glob("frontends/gephyr/server/**/*.py")
    knowing = [file for file in below if any(name.startswith("gephyr.harness") for name in _imports(file))]
    assert not knowing
    assert len(below) > 50


def _imports(file: Path) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            names.append(node.module or "")
    return names
