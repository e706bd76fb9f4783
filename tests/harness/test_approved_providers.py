"""What simulated and strict providers answer, in tables that were read and approved: they stand for the real ones."""

import copy
import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from gephyr.harness.providers import SimulatedSettings
from gephyr.harness.strict import StrictProvider
from gephyr.harness.world.trace import Trace
from gephyr_core.commands import (
    AbortResponse,
    CallUpstream,
    CancelQuestions,
    CancelUpstream,
    CheckProxy,
    CollectMetrics,
    Compute,
    DescribeModel,
    DetachUpstream,
    EndResponse,
    FetchUrl,
    Load,
    Observe,
    ReadBody,
    RefreshToken,
    Save,
    SendBody,
    StartResponse,
    StopServing,
    TimeLimits,
)
from gephyr_core.config import AccountConfig
from gephyr_core.errors import Fault
from gephyr_core.events import (
    AdminChanged,
    ClientGone,
    Computed,
    Loaded,
    ModelDescribed,
    ProxyChecked,
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
    UrlFetchFailed,
)
from gephyr_core.http import Origin
from gephyr_core.records import AccountState, ProxyEvent
from tests.approved import check_table
from tests.harness.asking import Asker, Got
from tests.harness.strict_asking import ask
from tests.translation.feature_cases_more import CASES

TARGETS = {
    "openai-chat": ("/v1/chat/completions", "/v1/chat/completions", "gpt-4o"),
    "openai-responses": ("/v1/responses", "/v1/responses", "gpt-5.6"),
    "anthropic": ("/v1/messages", "/v1/messages", "claude-opus-4-7"),
    "gemini": (
        "/v1beta/models/{model}:generateContent",
        "/v1beta/models/{model}:streamGenerateContent?alt=sse",
        "gemini-3-pro",
    ),
}
MODELS = {
    "openai-chat": ("gpt-4o", "gpt-5.6", "o3"),
    "openai-responses": ("gpt-5.6", "gpt-4o"),
    "anthropic": ("claude-opus-4-7", "claude-haiku-4-5", "claude-3-haiku-20240307"),
    "gemini": ("gemini-3-pro", "gemini-2.5-flash"),
}


def shown(got: Got) -> str:
    """A reply: its status, its beginning, its length and a digest."""
    digest = hashlib.sha256(got.body).hexdigest()[:8]
    return f"{got.status} {got.body[:90].decode('utf-8', 'replace')!r} ({len(got.pieces)} pieces, {len(got.body)} bytes, {digest})"


def asked(dialect: str, model: str, body: dict[str, Any], *, stream: bool) -> tuple[str, dict[str, Any]]:
    """Where a request goes, and what it holds."""
    whole, streamed, _ = TARGETS[dialect]
    if dialect == "gemini":
        return (streamed if stream else whole).format(model=model), body
    return whole, {"model": model, **({"stream": True} if stream else {}), **body}


def strict_features(dialect: str) -> Iterator[str]:
    for name, body in CASES[dialect].items():
        yield f"## {name}"
        for model in MODELS[dialect]:
            for stream in (False, True):
                target, sent = asked(dialect, model, copy.deepcopy(body), stream=stream)
                yield f"{model}, {'streamed' if stream else 'whole'}: {shown(ask(StrictProvider(), target, sent))}"


@pytest.mark.parametrize("dialect", CASES)
def test_a_strict_provider_answers_each_feature_as_was_approved(dialect: str) -> None:
    check_table(f"strict-{dialect}", strict_features(dialect))


ODD = (None, True, 0, 1, -1, 7, 1.5, 10**9, "", "x", "auto", [], ["x"], [{}], {}, {"type": "x"}, {"type": "object"})


def odd_fields(body: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places in a request."""
    if path:
        yield path
    if isinstance(body, dict):
        for name, value in body.items():
            yield from odd_fields(value, (*path, name))
    elif isinstance(body, list):
        for at, value in enumerate(body[:2]):
            yield from odd_fields(value, (*path, at))


def with_value(body: dict[str, Any], path: tuple[Any, ...], value: Any, *, gone: bool = False) -> dict[str, Any]:
    made = copy.deepcopy(body)
    home: Any = made
    for step in path[:-1]:
        home = home[step]
    if gone:
        del home[path[-1]]
    else:
        home[path[-1]] = value
    return made


def refusals(bodies: Iterable[Any], answer: Callable[[Any], Got]) -> Iterator[str]:
    """What is said of a request that is wrong in one place: of all *bodies* together, each place once."""
    seen: dict[str, None] = {}
    for body in bodies:
        for path in odd_fields(body):
            place = ".".join("0" if isinstance(step, int) else str(step) for step in path)
            if place in seen:
                continue
            seen[place] = None
            fates: dict[str, list[str]] = {}
            for value in ("(gone)", *ODD):
                got = answer(with_value(body, path, value, gone=value == "(gone)"))
                error = {} if got.status == 200 else got.json["error"]
                marks = ", ".join(f"{error[name]}" for name in ("type", "param", "code", "status") if name in error)
                fate = f"{got.status} {error['message'][:160]} ({marks})" if error else "200"
                fates.setdefault(fate, []).append(repr(value))
            yield f"## {place}"
            yield from (f"{fate}: {', '.join(values)}" for fate, values in fates.items())


@pytest.mark.parametrize("dialect", CASES)
def test_a_strict_provider_refuses_what_is_wrong_as_was_approved(dialect: str) -> None:
    def answer(body: Any) -> Got:
        return ask(StrictProvider(), *asked(dialect, TARGETS[dialect][2], body, stream=False))

    check_table(f"strict-refusals-{dialect}", refusals(CASES[dialect].values(), answer))


@pytest.mark.parametrize("dialect", CASES)
def test_a_simulated_provider_refuses_what_is_wrong_as_was_approved(dialect: str) -> None:
    asker = Asker()

    def answer(body: Any) -> Got:
        return asker.post(*asked(dialect, TARGETS[dialect][2], body, stream=False))

    check_table(f"simulated-refusals-{dialect}", refusals(CASES[dialect].values(), answer))


def simulated(dialect: str) -> Iterator[str]:
    asker = Asker(SimulatedSettings(latency=0.5, pace=0.01))
    for name, body in CASES[dialect].items():
        for stream in (False, True):
            target, sent = asked(dialect, TARGETS[dialect][2], copy.deepcopy(body), stream=stream)
            got = asker.post(target, sent)
            yield f"{name}, {'streamed' if stream else 'whole'}: {shown(got)}, in {sum(got.delays):.4f} s"


@pytest.mark.parametrize("dialect", CASES)
def test_a_simulated_provider_answers_each_feature_as_was_approved(dialect: str) -> None:
    check_table(f"simulated-{dialect}", simulated(dialect))


OTHERS: tuple[tuple[str, str, Any], ...] = (
    ("POST", "/v1/embeddings", {"model": "m", "input": "hi"}),
    ("POST", "/v1/embeddings", {"model": "m", "input": ["hi", "ho"], "dimensions": 4, "encoding_format": "base64"}),
    ("POST", "/v1/moderations", {"input": "hi"}),
    ("POST", "/v1/moderations", {"model": "m", "input": ["hi", "ho"]}),
    ("POST", "/v1/completions", {"model": "m", "prompt": "hi"}),
    ("POST", "/v1/completions", {"model": "m", "prompt": "hi", "stream": True, "n": 2, "echo": True}),
    ("POST", "/v1/messages/count_tokens", {"model": "m", "messages": [{"role": "user", "content": "hi"}]}),
    ("POST", "/v1/responses/input_tokens", {"model": "m", "input": "hi"}),
    ("POST", "/v1beta/models/m:countTokens", {"contents": [{"parts": [{"text": "hi"}]}]}),
    ("POST", "/v1beta/models/m:embedContent", {"content": {"parts": [{"text": "hi"}]}}),
    ("POST", "/v1beta/models/m:batchEmbedContents", {"requests": [{"content": {"parts": [{"text": "hi"}]}}]}),
    ("GET", "/v1/models", None),
    ("GET", "/v1/models/m", None),
    ("GET", "/v1beta/models", None),
    ("POST", "/v1/conversations", {"items": [{"role": "user", "content": "hi"}]}),
    ("GET", "/v1/responses/resp_none", None),
    ("DELETE", "/v1/responses/resp_none", None),
    ("POST", "/v1/responses/resp_none/cancel", None),
    ("GET", "/v1/odd", None),
    ("PUT", "/v1/chat/completions", {}),
    ("POST", "/v1/chat/completions", b"no JSON"),
    ("POST", "/v1/chat/completions", []),
    ("POST", "/v1/messages", {"model": "m"}),
    ("POST", "/v1beta/models/m:odd", {}),
)


def test_simulated_providers_refuse_what_is_wrong_beside_generation_as_was_approved() -> None:
    asker, lines = Asker(), []
    for _, target, body in OTHERS:
        if isinstance(body, dict) and body:
            lines += [f"# {target}", *refusals([body], functools.partial(asker.post, target))]
    check_table("simulated-refusals-others", lines)


def test_simulated_providers_answer_beside_generation_as_was_approved() -> None:
    asker = Asker(SimulatedSettings(latency=0.5, pace=0.01))
    lines = []
    for method, target, body in OTHERS:
        got = asker.request(method, target, body)
        lines.append(f"{method} {target} {body}: {shown(got)}, in {sum(got.delays):.4f} s")
    kept = asker.post("/v1/responses", {"model": "m", "input": "hi", "store": True}).json["id"]
    for method, path, body in (
        ("GET", "", None),
        ("GET", "/input_items", None),
        ("POST", "/cancel", None),
        ("DELETE", "", None),
        ("GET", "", None),
    ):
        lines.append(f"{method} kept{path}: {shown(asker.request(method, f'/v1/responses/{kept}{path}', body))}")
    made = asker.post("/v1/conversations", {}).json["id"]
    item = {"items": [{"type": "message", "role": "user", "content": "hi"}]}
    for method, path, body in (
        ("GET", "", None),
        ("POST", "/items", item),
        ("GET", "/items", None),
        ("POST", "", {"metadata": {"a": "b"}}),
        ("DELETE", "", None),
    ):
        lines.append(
            f"{method} conversation{path}: {shown(asker.request(method, f'/v1/conversations/{made}{path}', body))}"
        )
    check_table("simulated-others", lines)


ORIGIN = Origin("https", "x.test", 443)
WHAT = (
    RequestStarted(7, "POST", "/x", [], (), "127.0.0.1"),
    *(
        RequestBody(7, b"12345"),
        RequestEnded(7),
        ClientGone(7),
        UpstreamStarted(7, 2, 429, []),
        UpstreamBody(7, 2, b"123"),
        UpstreamEnded(7, 2),
    ),
    *(UpstreamFailed(7, 2, fault, "why") for fault in Fault),
    *(
        TimePassed(),
        TokenRefreshed("b", 9.0),
        TokenRefreshFailed("b", "x", "y"),
        ProxyChecked("p", healthy=True),
        ProxyChecked("p", healthy=False),
    ),
    *(UrlFetchFailed(7, 3, "why"), Loaded(7, 3, None), ModelDescribed("b", "m", 404, b""), StateRestored()),
    *(
        AdminChanged(
            [AccountConfig(id="a", provider="openai"), AccountConfig(id="b", provider="openai", enabled=False)]
        ),
        ReadBody(7),
        StartResponse(7, 200, []),
        SendBody(7, b"1234"),
        EndResponse(7),
    ),
    *(
        AbortResponse(7, "why"),
        CancelUpstream(7, 2),
        CancelQuestions(7),
        RefreshToken("b", "direct", 9.0),
        CollectMetrics(7),
        StopServing(),
    ),
    CheckProxy("p", "pool:p", "http://x.test", 204, 5.0),
    Observe(ProxyEvent("p", healthy=False, at=1.0)),
    *(
        CallUpstream(7, 2, "b", "POST", ORIGIN, "/x", [], b"12345678", "direct", TimeLimits(1.0, 1.0, 1.0, 1.0)),
        DetachUpstream(7, 2),
        FetchUrl(7, 3, "https://x.test/", 9, 1.0),
        Load(7, 3, "o", "resp_1"),
        Save(AccountState("b", "operator", 1.0)),
    ),
    *(
        DescribeModel("b", "m", ORIGIN, "/m", [], "direct"),
        Compute(7, 3, dict, 1.0),
        Computed(7, 3),
    ),
)


def test_each_event_and_command_has_its_line_in_the_trace() -> None:
    written: list[bytes] = []
    trace = Trace(["a", "b"], written.append)
    for number, one in enumerate(WHAT):
        trace.take(1000.0 + number, one)
    check_table("trace", [*(line.decode() for line in written), *trace.latest()])
