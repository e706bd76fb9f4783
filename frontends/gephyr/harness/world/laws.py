"""The laws of the core's commands, watched from outside: what may be said of an exchange, and how often."""

import attrs

from gephyr_core.commands import StartResponse
from gephyr_core.http import content_length


class BrokenInvariantError(Exception):
    """The gateway did what it must never do."""

    def __init__(self, rule: str, detail: str) -> None:
        """*rule*: which one it is, in a few words."""
        super().__init__(f"{rule}: {detail}")
        self.rule = rule
        self.detail = detail


@attrs.define(eq=False)
class _Exchange:
    attempts: int = 0
    live: int = 0
    """The attempt under way; 0 for none."""
    account: str = ""
    orphan: bool = False
    """Its account was taken out of the pool while it was under way."""
    started: bool = False
    declared: int = 0
    """Bytes; 0 where the head does not say."""
    sent: int = 0
    tried: tuple[str, ...] = ()


class Laws:
    """Every open exchange. An exchange that ended is forgotten, and so what is said of it afterwards is a breach."""

    def __init__(self) -> None:
        self._exchanges: dict[int, _Exchange] = {}
        self.live_calls = 0
        self.orphans = 0
        """Live calls whose account is no longer in the pool."""

    def begun(self, exchange: int) -> None:
        """A request began."""
        self._exchanges[exchange] = _Exchange()

    def called(self, exchange: int, attempt: int, account: str) -> None:
        """A provider is called."""
        one = self._of(exchange, "CallUpstream")
        if one.live:
            raise BrokenInvariantError("one attempt at a time", f"exchange {exchange} has attempt {one.live} under way")
        if attempt != one.attempts + 1:
            raise BrokenInvariantError("attempt numbers grow one by one", f"exchange {exchange}: {attempt}")
        one.attempts = one.live = attempt
        one.account = account
        one.tried += (account,)
        self.live_calls += 1

    def call_over(self, exchange: int, attempt: int) -> str | None:
        """A call ended or failed. Return its account; None where the exchange is over, or the attempt is."""
        one = self._exchanges.get(exchange)
        if one is None or one.live != attempt:
            return None
        one.live = 0
        self.live_calls -= 1
        if one.orphan:
            one.orphan = False
            self.orphans -= 1
        return one.account

    def removed(self, account: str) -> None:
        """An account was taken out of the pool: its calls end as they would."""
        for one in self._exchanges.values():
            if one.live and one.account == account and not one.orphan:
                one.orphan = True
                self.orphans += 1

    def given_up(self, exchange: int, attempt: int) -> str:
        """A call was cancelled or detached. Return its account."""
        account = self.call_over(exchange, attempt)
        if account is None:
            raise BrokenInvariantError("only the attempt under way is given up, once", f"exchange {exchange}")
        return account

    def head(self, command: StartResponse) -> None:
        """The response's head is sent."""
        one = self._of(command.exchange, "StartResponse")
        if one.started:
            raise BrokenInvariantError("one head", f"exchange {command.exchange}")
        one.started = True
        one.declared = content_length(command.headers)

    def body(self, exchange: int, size: int) -> None:
        """Bytes of the response's body are sent."""
        one = self._of(exchange, "SendBody")
        if not one.started or not size:
            raise BrokenInvariantError("a body follows a head, in pieces that are not empty", f"exchange {exchange}")
        one.sent += size

    def ended(self, exchange: int, *, aborted: bool) -> None:
        """The response is over."""
        one = self._of(exchange, "AbortResponse" if aborted else "EndResponse")
        if one.live:
            raise BrokenInvariantError("an exchange ends after its attempt", f"exchange {exchange}")
        if not aborted and (not one.started or (one.declared and one.declared != one.sent)):
            raise BrokenInvariantError("a response is whole when it ends", f"exchange {exchange}")
        del self._exchanges[exchange]

    def gone(self, exchange: int) -> None:
        """The client left, and the gateway has heard of it."""
        one = self._exchanges.pop(exchange, None)
        if one is not None and one.live:
            raise BrokenInvariantError("the client's leaving cancels the call at once", f"exchange {exchange}")

    def waits(self, exchange: int) -> bool:
        """Whether it is without a call and without an answer."""
        one = self._exchanges.get(exchange)
        return one is not None and not one.live and not one.started

    def tried(self, exchange: int) -> tuple[str, ...]:
        """The accounts that were asked for it."""
        return self._exchanges[exchange].tried

    def _of(self, exchange: int, said: str) -> _Exchange:
        one = self._exchanges.get(exchange)
        if one is None:
            raise BrokenInvariantError("nothing is said of an exchange that is over", f"{said} of exchange {exchange}")
        return one
