"""Failures without a word: how many of them say that an account is broken, and to whom.

A stall, a cut, a page of HTML or a bare error inside a 200 may be the account's fault, the request's, or an accident.
So one alone changes the account's score and nothing else. Each is a *strike*:

* :data:`IN_A_ROW` strikes for one model without a success between them, from at least two sessions or client keys, say
  that the account is broken: it cools down as after a server error.
* :data:`OF_ONE` in a row of one session say that the account is broken for that session: it goes elsewhere, and leaves
  the account alone for :data:`LEFT_ALONE`.
* A request that fails alike on two accounts may be at fault itself: neither failure is a strike, unless another session
  or key met the same failure on one of the two within :data:`OUTAGE`.

A strike is provisional until its request is over: a failure of the same request on another account may take it back.
"""

from typing import TypeVar

import attrs

from gephyr_core.scheduling.accounts import Account
from gephyr_core.scheduling.cooldowns import MEMORY, Estimate

IN_A_ROW = 3
"""Failures for one model without a success between them, of two sessions or more, that bench an account."""
OF_ONE = 2
"""Failures in a row of one session that have it leave the account."""
OUTAGE = 60.0
"""Seconds within which a failure that others met too is an outage."""
LEFT_ALONE = 60.0
"""Seconds for which a session leaves an account alone that failed it twice in a row."""
_MOST_STRIKES = 32
"""Of one account for one model: enough to tell whether they are many."""
_MOST_MODELS = 512
"""Models, of one account, whose failures are counted; their names can be the clients' to choose."""
_MOST_SESSIONS = 4096
"""Sessions, each for one model, whose failures are counted."""

_Key = TypeVar("_Key")
_Entry = TypeVar("_Entry")


@attrs.define(eq=False)
class Strike:
    """One failure that counts against an account."""

    account: Account
    model: str
    fault: str
    """Which failure it was; two with the same name are alike."""
    who: str
    """The session that met it, or the client key of a request without a session."""
    binding: str
    """The key of the session's binding; empty where there is none."""
    at: float
    """Seconds since the epoch."""
    pardoned: bool = False
    """The request failed alike elsewhere: it counts against nobody."""
    made: Estimate | None = None
    """The cooldown that it led to."""
    before: Estimate | None = None
    """The cooldown that there was before."""


class Strikes:
    """Those of one account since its last success, by model, and who met which failure last."""

    __slots__ = ("rows", "seen")

    def __init__(self) -> None:
        self.rows: dict[str, list[Strike]] = {}
        self.seen: dict[tuple[str, str], list[tuple[str, float]]] = {}
        """By model and fault: the latest two sessions or keys that met it, the later one first."""

    def add(self, strike: Strike) -> None:
        """Count one more."""
        row = self.rows.setdefault(strike.model, [])
        if row and row[-1].at + MEMORY <= strike.at:
            row.clear()
        row.append(strike)
        if len(row) > _MOST_STRIKES:
            row.remove(_least_telling(row))
        _bound(self.rows, _MOST_MODELS)

    def take_back(self, strike: Strike) -> None:
        """Count it no more."""
        row = self.rows.get(strike.model, [])
        if strike in row:
            row.remove(strike)
            if not row:
                del self.rows[strike.model]

    def are_many(self, model: str) -> bool:
        """Whether they say that the account is broken: three in a row, from two sessions or keys."""
        row = self.rows.get(model, [])
        return len(row) >= IN_A_ROW and any(strike.who != row[0].who for strike in row)

    def note(self, model: str, fault: str, who: str, now: float) -> None:
        """Remember who met a failure, whether it counts or not."""
        others = [(name, at) for name, at in self.seen.pop((model, fault), ()) if name != who]
        self.seen[model, fault] = [(who, now), *others[:1]]
        _bound(self.seen, _MOST_MODELS)

    def others_met(self, model: str, fault: str, who: str, now: float) -> bool:
        """Whether anybody but *who* met the failure within the last minute."""
        return any(name != who and at + OUTAGE > now for name, at in self.seen.get((model, fault), ()))


@attrs.define(eq=False)
class _Meeting:
    """What one account has done to one session for one model."""

    account: str
    failures: int
    """In a row."""
    failed_at: float
    avoided_until: float = 0.0


class Avoidance:
    """Which accounts sessions leave alone, since these failed them twice in a row. Bounded, the oldest goes first."""

    __slots__ = ("rows",)

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], list[_Meeting]] = {}
        """By session (or client key) and model."""

    def failed(self, strike: Strike, now: float) -> bool:
        """A strike is final. Return whether its session leaves the account alone from now on."""
        row = self.rows.pop((strike.who, strike.model), [])
        self.rows[strike.who, strike.model] = row  # the latest is last
        _bound(self.rows, _MOST_SESSIONS)
        meeting = next((one for one in row if one.account == strike.account.id), None)
        if meeting is None or meeting.failed_at + MEMORY <= now:
            row[:] = [one for one in row if one is not meeting][-_MOST_STRIKES + 1 :]
            row.append(_Meeting(strike.account.id, 1, now))
            return False
        meeting.failures, meeting.failed_at = meeting.failures + 1, now
        if meeting.failures >= OF_ONE:
            meeting.avoided_until = now + LEFT_ALONE
        return meeting.avoided_until > now

    def served(self, who: str, model: str, account: str) -> None:
        """The account served the session: what was before counts no more."""
        row = self.rows.get((who, model))
        if row is not None:
            row[:] = [one for one in row if one.account != account]
            if not row:
                del self.rows[who, model]

    def forget(self, account: str) -> None:
        """The operator says that the account is well."""
        for who, model in list(self.rows):
            self.served(who, model, account)

    def avoided(self, who: str, model: str, now: float) -> list[str]:
        """Return the ids of the accounts that a session leaves alone now."""
        return [one.account for one in self.rows.get((who, model), ()) if one.avoided_until > now]


def _least_telling(row: list[Strike]) -> Strike:
    """The oldest one whose session has a later one too, or else the oldest."""
    names = [strike.who for strike in row]
    return next((strike for place, strike in enumerate(row) if strike.who in names[place + 1 :]), row[0])


def _bound(entries: dict[_Key, _Entry], most: int) -> None:
    """Forget the oldest entry where there are too many."""
    if len(entries) > most:
        entries.pop(next(iter(entries)))
