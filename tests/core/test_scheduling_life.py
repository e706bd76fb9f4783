"""Whatever happens, in whatever order, the rules of scheduling hold: the whole gateway against naive bookkeeping."""

import math
import random

import attrs
import msgspec
from auditing import Auditor
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from laws import LawBook
from play import JSON, OPEN, SSE, account
from scheduling import signs_in

from gephyr_core.commands import AbortResponse, CallUpstream, CancelUpstream, Command, DetachUpstream, EndResponse
from gephyr_core.config import ComplianceConfig, Config, SchedulingConfig
from gephyr_core.errors import Fault, Sent
from gephyr_core.events import (
    AdminChanged,
    ClientGone,
    DrainRequested,
    Event,
    RequestBody,
    RequestEnded,
    RequestStarted,
    StateRestored,
    TimePassed,
    TokenRefreshed,
    TokenRefreshFailed,
    UpstreamBody,
    UpstreamEnded,
    UpstreamFailed,
    UpstreamStarted,
)
from gephyr_core.faults import raise_again
from gephyr_core.gateway import Gateway
from gephyr_core.records import AccountState, TokenState

CHAT = "/v1/chat/completions"
ERROR = b'{"error":{"message":"no","code":"%s"}}'
CHUNK = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'
FAILURE = b'data: {"error":{"message":"overloaded","code":"server_error"}}\n\n'


ACCOUNTS = (
    account("busy", max_concurrency=1),
    account("paced", requests_per_minute=2),
    account("metered", tokens_per_minute=300, organization="acme"),
    account("mate", organization="acme", priority=-1, max_concurrency=2, base_url="https://metered.test"),
    account("friend", organization="acme", max_concurrency=1, base_url="https://metered.test"),
    signs_in("oauth", max_concurrency=2),
    signs_in("narrow", models=("m1", "m3")),
    account("other", "openai-compatible", max_concurrency=1, dialect="openai-chat"),
)
COMPLIANCE = (
    ComplianceConfig(),
    ComplianceConfig(enabled=True, max_global_requests_per_minute=4),
    ComplianceConfig(enabled=True, max_account_requests_per_minute=3, max_account_concurrency=2),
    ComplianceConfig(enabled=True, risk_cooldown_seconds=20, max_retry_attempts=1),
)


class Life(RuleBasedStateMachine):
    """Clients, providers, token endpoints and an operator that do anything they may."""

    @initialize(
        names=st.lists(st.sampled_from([one.id for one in ACCOUNTS]), min_size=1, max_size=6, unique=True),
        mode=st.sampled_from(["balance", "cache_first", "performance_first"]),
        preferred=st.sampled_from(["", "busy", "oauth"]),
        rails=st.integers(0, len(COMPLIANCE) - 1),
        lock=st.sampled_from([0.0, 60.0]),
        most=st.sampled_from([1, 2, 1000]),
        patience=st.sampled_from([5.0, 100.0]),
        seed=st.integers(0, 3),
    )
    def open(
        self,
        names: list[str],
        mode: str,
        preferred: str,
        rails: int,
        lock: float,
        most: int,
        patience: float,
        seed: int,
    ) -> None:
        chosen = [one for one in ACCOUNTS if one.id in names]
        config = Config(
            accounts=tuple(chosen),
            auth=OPEN,
            compliance=COMPLIANCE[rails],
            scheduling=SchedulingConfig(
                mode=mode,  # type: ignore[arg-type]
                preferred_account=preferred,
                last_used_lock_seconds=lock,
                max_bindings=most,
                binding_idle_seconds=90,
                acquire_timeout=patience,
            ),
        )
        self.gateway = Gateway(config, random.Random(seed), on_fault=raise_again)
        self.laws, self.audit = LawBook(), Auditor(self.gateway, config)
        self.now, self.newest = 1000.0, 0
        self.configured = {one.id: one for one in chosen}
        self.missing: dict[str, None] = {}
        self.disabled: dict[str, str] = {}
        self.expires: dict[str, float] = {}
        self.calls: dict[int, tuple[CallUpstream, bool]] = {}
        """Calls under way, and whether their replies have begun."""
        self.clients: dict[int, bool] = {}
        """Clients that wait for their answers, and whether these are to be streams."""
        self.feed(StateRestored(tokens=[TokenState(one.id, 1200.0) for one in chosen if one.oauth is not None]))

    def feed(self, event: Event) -> list[Command]:
        self.audit.before()
        commands = list(self.gateway.receive(event, self.now))
        self.laws.watch(event, commands)
        for command in commands:
            match command:
                case CallUpstream(exchange=exchange, account=name):
                    self.calls[exchange] = (command, False)
                    assert self.expires.get(name, math.inf) > self.now, "a token that has ended is not used"
                case CancelUpstream(exchange=exchange) | DetachUpstream(exchange=exchange):
                    self.calls.pop(exchange, None)
                case EndResponse(exchange=exchange) | AbortResponse(exchange=exchange):
                    self.clients.pop(exchange, None)
        self.audit.after(event, commands, self.now)
        return commands

    # -- clients ------------------------------------------------------------------------------------------------

    @rule(
        model=st.sampled_from(["m1", "m2", "m3"]),
        session=st.none() | st.sampled_from([b"s1", b"s2", b"s3"]),
        size=st.sampled_from([0, 400, 2000]),
        stream=st.booleans(),
    )
    def ask(self, model: str, session: bytes | None, size: int, stream: bool) -> None:
        self.newest += 1
        number = self.newest
        self.clients[number] = stream
        headers = [] if session is None else [(b"x-session-id", session)]
        self.feed(RequestStarted(number, "POST", CHAT, headers, (), "127.0.0.1"))
        body = {"model": model, "messages": [], "x": "y" * size, "stream": stream}
        self.feed(RequestBody(number, msgspec.json.encode(body)))
        self.feed(RequestEnded(number))

    @precondition(lambda self: self.clients)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(list(self.clients)))
        del self.clients[number]
        self.feed(ClientGone(number))

    # -- providers ----------------------------------------------------------------------------------------------

    def _call(self, data: st.DataObject) -> tuple[CallUpstream, bool]:
        return self.calls[data.draw(st.sampled_from(list(self.calls)))]

    @precondition(lambda self: self.calls)
    @rule(
        data=st.data(),
        spent=st.sampled_from([1, 100, 400]),
        left=st.sampled_from([None, 0, 1, 50]),
        whole=st.booleans(),
    )
    def serve(self, data: st.DataObject, spent: int, left: int | None, whole: bool) -> None:
        call, begun = self._call(data)
        number, attempt = call.exchange, call.attempt
        quota = [] if left is None else _quota(left)
        streams = b'"stream":true' in call.body
        if not begun:
            self.calls[number] = (call, True)
            self.feed(UpstreamStarted(number, attempt, 200, [*(SSE if streams else JSON), *quota]))
        if not whole or number not in self.calls:
            return
        usage = (
            b'{"id":"x","choices":[{"message":{"content":"hi"}}],"usage":{"prompt_tokens":%d,"completion_tokens":0}}'
            % spent
        )
        piece = CHUNK + b"data: " + usage + b"\n\ndata: [DONE]\n\n" if streams else usage
        self.feed(UpstreamBody(number, attempt, piece))
        if number in self.calls:
            del self.calls[number]
            self.feed(UpstreamEnded(number, attempt))

    @precondition(lambda self: self.calls)
    @rule(
        data=st.data(),
        status=st.sampled_from([429, 429, 500, 503, 529, 401, 403, 404]),
        wait=st.sampled_from([None, None, 0, 1, 30, 100]),
        code=st.sampled_from([b"", b"insufficient_quota"]),
    )
    def fail(self, data: st.DataObject, status: int, wait: int | None, code: bytes) -> None:
        call, begun = self._call(data)
        if self.gateway.deadline <= self.now:
            self.feed(TimePassed())  # who waited is called before the answer is heard
        if begun or self.calls.get(call.exchange) != (call, False):
            return
        number, attempt = call.exchange, call.attempt
        del self.calls[number]
        hint = [] if wait is None else [(b"retry-after", b"%d" % wait)]
        self.feed(UpstreamStarted(number, attempt, status, [*JSON, *hint]))  # its host is not dead: who waits is asked
        if code and status == 429:
            self._stated(call, self.now + wait if wait else math.inf, shared=True)
        elif wait and status in {429, 503, 529}:
            self._stated(call, self.now + wait, shared=status == 429)
        self.feed(UpstreamBody(number, attempt, ERROR % code))
        self.feed(UpstreamEnded(number, attempt))

    def _stated(self, call: CallUpstream, until: float, *, shared: bool) -> None:
        """Have the bookkeeper know what a provider is about to say."""
        organization = self.configured[call.account].organization
        mates = [
            one.id for one in self.configured.values() if shared and organization and one.organization == organization
        ]
        model = msgspec.json.decode(call.body)["model"]
        for name in mates or [call.account]:
            known = self.audit.stated.get((name, model), 0.0)
            self.audit.stated[name, model] = max(until, known)

    @precondition(lambda self: self.calls)
    @rule(data=st.data(), fault=st.sampled_from(list(Fault)), reused=st.booleans())
    def broken(self, data: st.DataObject, fault: Fault, reused: bool) -> None:
        call, begun = self._call(data)
        del self.calls[call.exchange]
        self.feed(UpstreamFailed(call.exchange, call.attempt, fault, "broke", reused and not begun, Sent.ALL))

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def fail_in_stream(self, data: st.DataObject) -> None:
        call, begun = self._call(data)
        if b'"stream":true' in call.body and not begun:
            self.calls[call.exchange] = (call, True)
            self.feed(UpstreamStarted(call.exchange, call.attempt, 200, SSE))
            self.feed(UpstreamBody(call.exchange, call.attempt, FAILURE))

    # -- token endpoints and the operator -----------------------------------------------------------------------

    @precondition(lambda self: self.audit.refreshing)
    @rule(data=st.data(), how=st.sampled_from(["good", "good", "bad", "over"]), life=st.sampled_from([0, 10, 3600]))
    def token(self, data: st.DataObject, how: str, life: int) -> None:
        name = data.draw(st.sampled_from(list(self.audit.refreshing)))
        if how == "good":
            if life:
                self.expires[name] = self.now + life
            self.feed(TokenRefreshed(name, self.now + life))
        else:
            permanent = how == "over"
            if permanent and name not in self.missing:
                self.disabled[name] = "invalid_grant"
            self.audit.out |= dict.fromkeys(self.disabled, "disabled")
            self.feed(TokenRefreshFailed(name, "invalid_grant" if permanent else "http_503", permanent=permanent))

    @rule(data=st.data(), what=st.sampled_from(["remove", "add", "disable", "enable", "change"]))
    def operate(self, data: st.DataObject, what: str) -> None:
        name = data.draw(st.sampled_from(list(self.configured)))
        match what:
            case "remove":
                self.missing[name] = None
            case "add":
                self.missing.pop(name, None)
            case "disable":
                self.disabled[name] = "operator"
            case "enable":
                self.disabled.pop(name, None)
                self._well(name)
            case "change":
                weight = self.configured[name].weight % 5 + 1
                self.configured[name] = attrs.evolve(self.configured[name], weight=weight)
        self._tell_changes([AccountState(name, "", self.now)] if what == "enable" else [])

    def _well(self, name: str) -> None:
        organization = self.configured[name].organization
        for key in list(self.audit.stated):
            mate = self.configured[key[0]]
            if key[0] == name or (organization and mate.organization == organization):
                del self.audit.stated[key]

    def _tell_changes(self, enabled: list[AccountState]) -> None:
        self.audit.out = {**dict.fromkeys(self.missing, "removed"), **dict.fromkeys(self.disabled, "disabled")}
        accounts = [one for one in self.configured.values() if one.id not in self.missing]
        states = [AccountState(name, reason, self.now) for name, reason in self.disabled.items()]
        tokens = [TokenState(name, at) for name, at in self.expires.items()]
        self.feed(AdminChanged(accounts, [*states, *enabled], tokens))

    # -- time ---------------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.0, 0.5, 1.0, 2.0, 5.0, 15.0, 30.0, 61.0, 300.0]))
    def time(self, seconds: float) -> None:
        """As a runtime lets it pass: each deadline is met."""
        end = self.now + seconds
        for _ in range(1000):
            self._answers_are_promised()
            promised = min(self.audit.refreshing.values(), default=math.inf)
            then = min(self.gateway.deadline, promised)
            if then > end:
                break
            self.now = max(self.now, then)
            self.feed(TimePassed())
        else:
            raise AssertionError("time does not get on")
        self.now = end

    @rule(seconds=st.sampled_from([0.5, 5.0, 61.0]))
    def late(self, seconds: float) -> None:
        """What happens next happens before the runtime looks at the clock."""
        self.now += seconds
        self._answers_are_promised()

    def _answers_are_promised(self) -> None:
        for name, until in list(self.audit.refreshing.items()):
            if until <= self.now:
                self.feed(TokenRefreshFailed(name, "timeout"))

    def teardown(self) -> None:
        if not hasattr(self, "gateway"):
            return
        self.feed(DrainRequested())
        for _ in range(2000):
            if not self.gateway.open_exchanges:
                break
            self.now = max(self.now, self.gateway.deadline)
            self.feed(TimePassed())
        assert self.gateway.open_exchanges == self.gateway.open_leases == 0
        assert not self.gateway.scheduler.queue.places
        self.laws.close(range(1, self.newest + 1))


def _quota(left: int) -> list[tuple[bytes, bytes]]:
    return [
        (b"x-ratelimit-limit-tokens", b"1000"),
        (b"x-ratelimit-remaining-tokens", b"%d" % left),
        (b"x-ratelimit-reset-tokens", b"60s"),
    ]


Life.TestCase.settings = settings(
    max_examples=150, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
TestLife = Life.TestCase
