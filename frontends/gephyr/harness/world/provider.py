"""The simulated providers: take calls, hold their limits, and answer at their pace, unless a fault comes between."""

import random
import re
from collections.abc import Callable, Mapping
from email.utils import formatdate

import attrs

from gephyr.harness.world.faults import faults_of, host_mates, met, proxy_is_down
from gephyr.harness.world.organizations import Organization
from gephyr.harness.world.queue import Agenda
from gephyr.harness.world.refusals import JSON, limit_headers, refusal
from gephyr.harness.world.replies import REPLIES, Spent
from gephyr.harness.world.settings import Fault, ProviderSettings
from gephyr.harness.world.tokens import TokenEndpoints
from gephyr_core.commands import CallUpstream
from gephyr_core.config import Config
from gephyr_core.errors import Fault as Broken
from gephyr_core.errors import Sent
from gephyr_core.events import Event, UpstreamBody, UpstreamEnded, UpstreamFailed, UpstreamStarted
from gephyr_core.http import Header

_SSE: Header = (b"content-type", b"text/event-stream")
_ELSEWHERE = frozenset({"proxy_down", "token_endpoint_down"})
_TO_REFUSE = 0.05
"""Seconds that a refusal or a failure to connect takes."""
_STORM_WAIT = 30.0
"""Seconds to come back in, told in a storm of 429."""
_PAGE = b"<!doctype html><html><body><h1>Just a moment...</h1></body></html>"
_UNKNOWN = 400
"""Status for a path that no simulated provider has."""
_GEMINI_MODEL = re.compile(r"/models/([^/:]+):")
_BODY_MODEL = re.compile(rb'"model":"([^"]*)"')


@attrs.define(eq=False)
class Call:
    """One call to a provider, until it is over."""

    exchange: int
    attempt: int
    account: str
    organization: Organization
    dialect: str = ""
    model: str = ""
    status: int = 200
    headers: list[Header] = attrs.field(factory=list)
    pieces: tuple[bytes, ...] = ()
    at: int = 0
    """The next of *pieces*."""
    interval: float = 0.0
    """Seconds between two of them."""
    output: int = 0
    """Tokens that are counted at its end."""
    counted: bool = False
    """It is one of its organisation's requests in progress."""
    breaks_at: int = -1
    """The piece that does not come; -1: they all do."""
    broken: Broken | None = None
    """How it breaks there; None: nothing more comes at all."""
    over: bool = False


@attrs.define
class Counts:
    """What the providers saw."""

    calls: int = 0
    over_limit: dict[str, int] = attrs.field(factory=dict)
    """By account: requests over a limit of the provider's."""
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0


class Providers:
    """Every account's provider."""

    def __init__(
        self,
        config: Config,
        settings: Mapping[str, ProviderSettings],
        faults: tuple[Fault, ...],
        agenda: Agenda,
        feed: Callable[[Event], None],
        rng: random.Random,
    ) -> None:
        """*settings* are by account id. Raises ``ValueError`` where an account of the configuration has none."""
        if missing := [account.id for account in config.accounts if account.id not in settings]:
            raise ValueError(f"no provider is described for the accounts {', '.join(missing[:8])}")
        self._agenda, self._feed, self._rng, self._begin = agenda, feed, rng, agenda.now
        self._faults = {
            name: tuple(fault for fault in faults_of(name, faults, mates) if fault.kind not in _ELSEWHERE)
            for name, mates in host_mates(config).items()
        }
        self._proxy_faults = tuple(fault for fault in faults if fault.kind == "proxy_down")
        self._signs_in = {one.id for one in config.accounts if one.oauth is not None or one.service_account}
        self._organizations: dict[str, Organization] = {}
        by_name: dict[tuple[str, str], Organization] = {}
        for one in config.accounts:
            name = (one.provider, one.organization or f"account {one.id}")
            if name not in by_name:
                by_name[name] = Organization(settings[one.id])
            self._organizations[one.id] = by_name[name]
        self.tokens = TokenEndpoints(settings, faults, agenda, feed, rng)
        self.counts = Counts()

    def call(self, command: CallUpstream, session: str, tokens: int, output: int) -> Call:
        """Take a call that reads *tokens* and writes *output*."""
        self.counts.calls += 1
        now, account = self._agenda.now, command.account
        organization = self._organizations[account]
        call = Call(command.exchange, command.attempt, account, organization)
        if self._proxy_faults and self._way_is_down(command.route, now):
            return self._breaks(call, Broken.PROXY)
        faults = self._faults[account]
        fault = met(faults, now - self._begin, self._rng) if faults else None
        call.dialect, streams, call.model = _asked(command)
        if not call.dialect:
            return self._refuses(call, _UNKNOWN, None)
        slowdown = 1.0
        if fault is not None:
            if self._stopped_by(fault, call):
                return call
            slowdown = fault.slowdown if fault.kind == "brownout" else 1.0
        if account in self._signs_in and not self.tokens.is_good(account, now):
            return self._refuses(call, 401, None)
        spent = organization.spend(call.model, session, tokens, output, now)
        if (wait := organization.refuses(call.model, spent, now)) > 0.0:
            self.counts.over_limit[account] = self.counts.over_limit.get(account, 0) + 1
            return self._refuses(call, 429, wait)
        if organization.settings.error_rate and self._rng.random() < organization.settings.error_rate:
            return self._refuses(call, 500, None)
        organization.begin(call.model, session, spent, now)
        call.counted = True
        self._answer(call, spent, slowdown, streams=streams)
        if fault is not None:
            self._cut_short(fault, call)
        return call

    def cancel(self, call: Call) -> None:
        """The gateway gives the call up."""
        self._over(call)

    # -- what comes between -------------------------------------------------------------------------------------

    def _way_is_down(self, route: str, now: float) -> bool:
        kind, _, name = route.partition(":")
        return kind in {"proxy", "pool"} and proxy_is_down(self._proxy_faults, name, now - self._begin)

    def _stopped_by(self, fault: Fault, call: Call) -> bool:
        """Whether the fault keeps the call from being looked at; what is answered instead is planned then."""
        match fault.kind:
            case "outage":
                self._breaks(call, Broken.CONNECT)
            case "no_descriptors":
                self._breaks(call, Broken.LOCAL)
            case "reset_before_head":
                self._breaks(call, Broken.RESET)
            case "error_status":
                self._refuses(call, fault.status, None)
            case "revoked_token":
                self._refuses(call, 401, None)
            case "html_page":
                self._shows_page(call)
            case "rate_limit_storm":
                self._refuses(call, 429, _STORM_WAIT)
            case _:
                return False
        return True

    def _cut_short(self, fault: Fault, call: Call) -> None:
        if fault.kind in {"reset_in_stream", "stall"}:
            call.breaks_at = len(call.pieces) // 2
            call.broken = Broken.RESET if fault.kind == "reset_in_stream" else None

    def _shows_page(self, call: Call) -> None:
        call.headers, call.pieces = [(b"content-type", b"text/html")], (_PAGE,)
        self._agenda.add(self._agenda.now + _TO_REFUSE, self._head, call)

    def _breaks(self, call: Call, how: Broken) -> Call:
        call.broken = how
        self._agenda.add(self._agenda.now + _TO_REFUSE, self._break, call)
        return call

    def _refuses(self, call: Call, status: int, wait: float | None) -> Call:
        settings = call.organization.settings
        if settings.hints == "none":
            wait = None
        elif settings.hints == "wrong" and wait is not None:
            wait /= 10.0
        call.status = status
        headers, body = refusal(call.dialect, status, wait)
        call.headers, call.pieces = headers + self._said_of_limits(call), (body,)
        self._agenda.add(self._agenda.now + _TO_REFUSE, self._head, call)
        return call

    # -- the answer ---------------------------------------------------------------------------------------------

    def _answer(self, call: Call, spent: Spent, slowdown: float, *, streams: bool) -> None:
        organization, counts = call.organization, self.counts
        whole, stream = REPLIES[call.dialect]
        model = call.model.encode()
        before = (organization.first_byte.draw(self._rng) + organization.reading_seconds(spent)) * slowdown
        writing = spent.output / organization.tokens_per_second.draw(self._rng) * slowdown
        if streams:
            call.pieces = stream(counts.calls, model, spent)
            call.interval = writing / len(call.pieces)
            call.headers = [_SSE, *self._said_of_limits(call)]
        else:
            call.pieces = (whole(counts.calls, model, spent),)
            call.headers = [JSON, *self._said_of_limits(call)]
            before += writing
        call.output = spent.output
        counts.input_tokens += spent.input
        counts.cached_tokens += spent.cached
        counts.output_tokens += spent.output
        self._agenda.add(self._agenda.now + before, self._head, call)

    def _said_of_limits(self, call: Call) -> list[Header]:
        settings, now = call.organization.settings, self._agenda.now
        theirs = now + settings.clock_skew
        headers = [(b"date", formatdate(theirs, usegmt=True).encode())] if settings.clock_skew else []
        if settings.hints != "none" and (levels := call.organization.levels(call.model, now)):
            headers += limit_headers(call.dialect, levels, theirs)
        return headers

    def _head(self, call: Call) -> None:
        if call.over:
            return
        whole = len(call.pieces) == 1
        if whole and call.breaks_at == 0 and call.broken is None:
            return  # a whole reply stalls before its head
        self._feed(UpstreamStarted(call.exchange, call.attempt, call.status, call.headers))
        self._piece(call)

    def _piece(self, call: Call) -> None:
        if call.over:
            return
        if call.at == call.breaks_at:
            if call.broken is not None:
                self._break(call)
            return
        data = call.pieces[call.at]
        call.at += 1
        self._feed(UpstreamBody(call.exchange, call.attempt, data))
        if call.at < len(call.pieces):
            self._agenda.add(self._agenda.now + call.interval, self._piece, call)
        elif not call.over:
            self._over(call)
            self._feed(UpstreamEnded(call.exchange, call.attempt))

    def _break(self, call: Call) -> None:
        if call.over:
            return
        how = call.broken or Broken.RESET
        self._over(call)
        sent = Sent.NONE if how in {Broken.CONNECT, Broken.PROXY, Broken.LOCAL} else Sent.ALL
        self._feed(UpstreamFailed(call.exchange, call.attempt, how, "simulated", sent=sent))

    def _over(self, call: Call) -> None:
        if call.over:
            return
        call.over = True
        if call.counted:
            done = call.at / len(call.pieces)
            call.organization.end(call.model, int(call.output * done), self._agenda.now)


def _asked(command: CallUpstream) -> tuple[str, bool, str]:
    """Return the dialect that a call is in (empty: none that is known), whether it asks for a stream, and its model."""
    path = command.target.partition("?")[0]
    if found := _GEMINI_MODEL.search(path):
        return "gemini", "streamGenerateContent" in path, found[1]
    for end, dialect in _PATHS:
        if path.endswith(end):
            named = _BODY_MODEL.search(command.body)
            return dialect, b'"stream":true' in command.body, named[1].decode() if named else ""
    return "", False, ""


_PATHS = (
    ("/chat/completions", "openai-chat"),
    ("/messages", "anthropic"),
    ("/responses", "openai-responses"),
)
