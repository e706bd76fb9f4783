"""The end of a reply that comes before the end of its call: its dialect says when a reply is over, not the socket."""

from gephyr_core.dialects.base import EventClass, StreamReader
from gephyr_core.errors import Fault
from gephyr_core.events import TimePassed, UpstreamFailed
from gephyr_core.exchange.attempts import Attempt
from gephyr_core.exchange.delivering import Delivering
from gephyr_core.exchange.states import Ending, Gathering, Relaying
from gephyr_core.sse import SseFramer
from gephyr_core.translation.stream import TranslatingReader

_SOON = 0.25
"""Seconds in which what follows is not looked at: it comes at once, if the provider keeps to the dialect."""


class WindingUp(Delivering):
    """Ends a reply as soon as it is over, whatever its provider's connection does."""

    def pass_on(self, state: Relaying, block: bytes, now: float) -> None:
        """Send *block*, whole events, to the client; it may be the last."""
        reader = state.reader
        if reader.finished:
            self.wind_down(state, block, now)
            return
        if block:
            self.reply.send(self.renamed(block), now)
        if reader.objects:
            self.pin_streamed(state.attempt, reader, now)
        if isinstance(reader, TranslatingReader):
            self.hold_assembled(state.attempt, reader, now)

    def hold_assembled(self, attempt: Attempt, reader: TranslatingReader, now: float) -> None:
        """Count what is kept of a translated stream until its end: the reply to be stored, or its reasoning."""
        if reader.assembled and not self.hold_reply(reader.assembled):
            if self.kept.keeps_reply:  # the client was told that it is
                self.break_off_full(attempt, now)
            else:
                reader.forget_reply()
                self.hold_reply(0)

    def wind_down(self, state: Relaying, block: bytes, now: float) -> None:
        """The reply is finished with *block*, or was before: end it if it is over, else wait for what may follow."""
        if state.reader.terminal_seen:
            self.end_stream(state, block, now)
            return
        if block:
            self.reply.send(self.renamed(block), now)
        ending = self.state
        if not isinstance(ending, Ending):
            self.enter(Ending(state, now))
        elif now >= ending.since + _SOON and self._goes_on(state.reader, block):
            ending.since = now

    def end_stream(self, state: Relaying, rest: bytes, now: float) -> None:
        """The client's stream ends, and *rest* is the last of it."""
        reader = state.reader
        if reader.objects:
            self.pin_streamed(state.attempt, reader, now)
        if isinstance(reader, TranslatingReader):
            self.told_all(state.attempt, reader, now)
        self.complete(state, now, self.renamed(rest))

    def rest_broken(self, state: Ending, _event: UpstreamFailed, now: float) -> None:
        """The call broke after the last content of its reply: nothing is lost but what may have followed."""
        self.wind_up(state, now)

    def rest_did_not_come(self, state: Ending, _event: TimePassed, now: float) -> None:
        """Nothing follows the last content of a reply."""
        self.wind_up(state, now)

    def wind_up(self, state: Ending, now: float) -> None:
        """The reply is finished, and nothing follows it any more: end it as its dialect does."""
        reply = state.of
        if isinstance(reply, Relaying):
            self.end_stream(reply, reply.reader.closing(), now)
        else:
            reply.collector.drop_tail()
            reply.collector.finish()
            self.deliver_gathered(reply, now)

    def deliver_gathered(self, state: Gathering, now: float) -> None:
        """Give the client the whole reply that was collected."""
        raise NotImplementedError

    def spoiled(self, attempt: Attempt, fault: Fault, detail: str, now: float) -> None:
        """Nothing good can come of the call any more: what that means depends on how far its reply has come."""
        state = self.state
        if isinstance(state, Ending):
            self.wind_up(state, now)
        elif isinstance(state, Relaying):
            self.break_off(state, fault, detail, now)
        else:
            self.fault(attempt, fault, detail, now)

    @staticmethod
    def _goes_on(reader: StreamReader, block: bytes) -> bool:
        """Whether content comes behind a finish reason: some providers tell one in every chunk."""
        return any(reader.classify(event) is EventClass.CONTENT for event in SseFramer.events(block))
