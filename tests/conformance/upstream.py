"""The way to the providers in these tests: calls that a script answers, or the test itself, step by step."""

import asyncio
from collections.abc import Sequence

import attrs

from gephyr.runtime.ports import Feed
from gephyr_core.commands import CallUpstream
from gephyr_core.errors import Fault
from gephyr_core.events import UpstreamBody, UpstreamEnded, UpstreamFailed, UpstreamStarted
from gephyr_core.http import Header
from tests.waiting import WAIT

JSON: tuple[Header, ...] = ((b"content-type", b"application/json"),)
SSE: tuple[Header, ...] = ((b"content-type", b"text/event-stream"),)


@attrs.frozen
class Reply:
    """What a provider answers."""

    pieces: Sequence[bytes]
    headers: Sequence[Header] = JSON
    status: int = 200


class Call:
    """One call to a provider; the provider's side of it."""

    def __init__(self, command: CallUpstream, feed: Feed) -> None:
        self.command = command
        self._feed = feed
        self.paused = False
        self.pauses = 0
        self.cancels = 0
        self.detached = False
        self.over = False
        self.resumed = asyncio.Event()
        self.resumed.set()
        self._cancelled = asyncio.Event()

    # -- the driver's side ----------------------------------------------------------------------------------

    def cancel(self) -> None:
        assert not self.over, "a call that is over is cancelled"
        self.cancels += 1
        self.over = True
        self._cancelled.set()

    def detach(self) -> None:
        assert not self.over, "a call that is over is detached"
        self.detached = self.over = True

    def pause(self) -> None:
        self.paused = True
        self.pauses += 1
        self.resumed.clear()

    def resume(self) -> None:
        self.paused = False
        self.resumed.set()

    # -- the provider's side --------------------------------------------------------------------------------

    def start(self, headers: Sequence[Header] = SSE, status: int = 200) -> None:
        self._feed(UpstreamStarted(self.command.exchange, self.command.attempt, status, list(headers)))

    def send(self, data: bytes) -> None:
        assert not self.paused, "bytes of a provider that is not read"
        self._feed(UpstreamBody(self.command.exchange, self.command.attempt, data))

    def end(self) -> None:
        self.over = True
        self._feed(UpstreamEnded(self.command.exchange, self.command.attempt))

    def fail(self, fault: Fault = Fault.RESET) -> None:
        self.over = True
        self._feed(UpstreamFailed(self.command.exchange, self.command.attempt, fault, "as the script says"))

    async def cancelled(self) -> None:
        """Wait until the gateway gives the call up."""
        await asyncio.wait_for(self._cancelled.wait(), WAIT)

    async def play(self, reply: Reply | Fault) -> None:
        """Answer with *reply*, a piece at a time, or break the call."""
        if isinstance(reply, Fault):
            self.fail(reply)
            return
        self.start(reply.headers, reply.status)
        for piece in reply.pieces:
            await asyncio.sleep(0)
            await self.resumed.wait()
            if self.over:
                return
            self.send(piece)
        if not self.over:
            self.end()


class ScriptedUpstream:
    """Implements ``UpstreamPort``: an account in ``replies`` is answered by the script, any other by the test."""

    def __init__(self) -> None:
        self.replies: dict[str, Reply | Fault] = {}
        self.calls: list[Call] = []
        self.closed = False
        self._unclaimed: asyncio.Queue[Call] = asyncio.Queue()
        self._plays: set[asyncio.Task[None]] = set()

    def call(self, command: CallUpstream, feed: Feed) -> Call:
        call = Call(command, feed)
        self.calls.append(call)
        reply = self.replies.get(command.account)
        if reply is None:
            self._unclaimed.put_nowait(call)
        else:
            play = asyncio.get_running_loop().create_task(call.play(reply))
            self._plays.add(play)
            play.add_done_callback(self._plays.discard)
        return call

    async def aclose(self) -> None:
        self.closed = True

    async def called(self) -> Call:
        """Wait for the next call that the script does not answer."""
        return await asyncio.wait_for(self._unclaimed.get(), WAIT)
