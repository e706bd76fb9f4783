"""The end of a reply that comes before the end of its call: its dialect says when a reply is over, not the socket."""

from gephyr_core.dialects.base import EventClass
from gephyr_core.errors import Fault
from gephyr_core.exchange.attempts import Attempt
from gephyr_core.exchange.delivering import Delivering
from gephyr_core.exchange.state import State
from gephyr_core.sse import SseFramer
from gephyr_core.translation.stream import TranslatingReader

GRACE = 1.0
"""Seconds in which something may follow a reply's last content: usage, or the terminal event."""
_SOON = 0.25
"""Seconds in which what follows is not looked at: it comes at once, if the provider keeps to the dialect."""


class WindingUp(Delivering):
    """Ends a reply as soon as it is over, whatever its provider's connection does."""

    def pass_on(self, attempt: Attempt, block: bytes, now: float) -> None:
        """Send *block*, whole events, to the client; it may be the last."""
        reader = attempt.reader
        assert reader is not None
        if reader.finished:
            self.wind_down(attempt, block, now)
            return
        if block:
            self.reply.send(self.renamed(block), now)
        if reader.objects:
            self.pin(attempt, reader.objects, now)
        if attempt.leg.dialect:
            self.hold_assembled(attempt, now)

    def hold_assembled(self, attempt: Attempt, now: float) -> None:
        """Count what is kept of a translated stream until its end: the reply to be stored, or its reasoning."""
        reader = attempt.reader
        assert isinstance(reader, TranslatingReader)
        if reader.assembled and not self.hold_reply(reader.assembled):
            if self.keeps_reply:  # the client was told that it is
                self.break_off_full(now)
            else:
                reader.forget_reply()
                self.hold_reply(0)

    def wind_down(self, attempt: Attempt, block: bytes, now: float) -> None:
        """The reply is finished with *block*, or was before: end it if it is over, else wait for what may follow."""
        reader = attempt.reader
        assert reader is not None
        if reader.terminal_seen:
            self.end_stream(attempt, block, now)
            return
        if block:
            self.reply.send(self.renamed(block), now)
        if self.state is not State.ENDING or (now >= attempt.finished_at + _SOON and self._goes_on(attempt, block)):
            self.wait_for_the_end(attempt, now)

    def wait_for_the_end(self, attempt: Attempt, now: float) -> None:
        """Give what may follow the last content its time, from now on."""
        attempt.finished_at = now
        self.enter(State.ENDING)

    def end_stream(self, attempt: Attempt, rest: bytes, now: float) -> None:
        """The client's stream ends, and *rest* is the last of it."""
        assert attempt.reader is not None
        if attempt.reader.objects:
            self.pin(attempt, attempt.reader.objects, now)
        if attempt.leg.dialect:
            self.told_all(attempt, now)
        self.complete(now, self.renamed(rest))

    def wind_up(self, now: float) -> None:
        """The reply is finished, and nothing follows it any more: end it as its dialect does."""
        attempt = self.live
        if attempt.collector is not None:
            attempt.collector.drop_tail()
            attempt.collector.finish()
            self.deliver_collected(attempt, now)
        else:
            assert attempt.reader is not None
            self.end_stream(attempt, attempt.reader.closing(), now)

    def deliver_collected(self, attempt: Attempt, now: float) -> None:
        """Give the client the whole reply that was collected."""
        raise NotImplementedError

    def spoiled(self, fault: Fault, detail: str, now: float) -> None:
        """Nothing good can come of the call any more: what that means depends on how far its reply has come."""
        if self.state is State.ENDING:
            self.wind_up(now)
        elif self.state is State.RELAYING:
            self.break_off(fault, detail, now)
        else:
            self.fault(fault, detail, now)

    @staticmethod
    def _goes_on(attempt: Attempt, block: bytes) -> bool:
        """Whether content comes behind a finish reason: some providers tell one in every chunk."""
        assert attempt.reader is not None
        return any(attempt.reader.classify(event) is EventClass.CONTENT for event in SseFramer.events(block))
