"""A model that nobody here knows: its provider is asked once what it can do, and the next request goes by that."""

from typing import Any

import msgspec
import pytest
from play import OPEN, Play, account

from gephyr_core.commands import CallUpstream, DescribeModel, ReadBody
from gephyr_core.config import ModelsConfig, OutboundConfig, ProxyPoolConfig
from gephyr_core.config.schema_providers import ProxyConfig
from gephyr_core.events import AdminChanged, ModelDescribed, RequestBody, RequestEnded
from gephyr_core.http import header

CHAT = (
    b'{"model":"m","max_completion_tokens":90000,"reasoning_effort":"high","messages":[{"role":"user","content":"hi"}]}'
)
TOLD = msgspec.json.encode(
    {
        "max_tokens": 8000,
        "capabilities": {"thinking": {"supported": False}, "effort": {"supported": False}},
    }
)


def nova(provider: str = "anthropic", model: str = "claude-nova-1", **sections: Any) -> Play:
    """A gateway whose clients' model is one that no table names."""
    sections.setdefault("models", ModelsConfig(routes={"m": (f"{provider}/{model}",)}))
    base = sections.pop("base_url", "https://c.test")
    return Play(account("c", provider, base_url=base), auth=OPEN, **sections)


def ask(play: Play, target: str = "/v1/chat/completions", body: bytes = CHAT) -> list[Any]:
    """Feed a request; return what it leads to."""
    play.start(target)
    play.expect(ReadBody)
    play.feed(RequestBody(play.exchange, body))
    play.expect()
    commands = list(play.feed(RequestEnded(play.exchange)))
    play.unclaimed = []
    return commands


def asked_about(commands: list[Any]) -> DescribeModel | None:
    """The question among these commands, if there is one."""
    return next((one for one in commands if isinstance(one, DescribeModel)), None)


def call_of(commands: list[Any]) -> dict[str, Any]:
    """The body of the call among these commands."""
    call = next(one for one in commands if isinstance(one, CallUpstream))
    return msgspec.json.decode(call.body, type=dict[str, Any])


def test_the_provider_is_asked_about_a_model_that_nobody_knows_and_the_request_goes_on() -> None:
    commands = ask(nova(base_url="https://c.test/proxy"))
    question = asked_about(commands)
    assert question is not None
    assert (question.account, question.model, question.route) == ("c", "claude-nova-1", "direct")
    assert (question.origin.host, question.target) == ("c.test", "/proxy/v1/models/claude-nova-1")
    assert header(question.headers, b"anthropic-version") == b"2023-06-01"
    assert header(question.headers, b"accept-encoding") == b"identity"
    assert call_of(commands)["model"] == "claude-nova-1"


def test_gemini_is_asked_on_its_own_path_and_without_anthropics_header() -> None:
    question = asked_about(ask(nova("gemini", "gem nova?/é")))
    assert question is not None
    assert question.target == "/v1beta/models/gem%20nova%3F/%C3%A9"
    assert header(question.headers, b"anthropic-version") is None


@pytest.mark.parametrize(
    ("provider", "model", "asks"),
    [
        ("anthropic", "claude-nova-1", True),
        ("anthropic", "claude-opus-5", False),
        ("gemini", "gemini-99-nova", True),
        ("openrouter", "claude-nova-1", False),
    ],
)
def test_only_what_is_not_known_is_asked_where_the_provider_tells(provider: str, model: str, asks: bool) -> None:
    target = "/v1/messages" if provider == "openrouter" else "/v1/chat/completions"
    body = CHAT.replace(b'"max_completion_tokens":90000,"reasoning_effort":"high"', b'"max_tokens":100')
    commands = ask(nova(provider, model), target, body)
    assert (asked_about(commands) is not None) is asks
    assert call_of(commands)


def test_each_model_of_each_kind_of_provider_is_asked_about_once() -> None:
    play = nova(models=ModelsConfig(routes={"m": ("anthropic/claude-nova-1",), "n": ("anthropic/claude-nova-2",)}))
    assert asked_about(ask(play)) is not None
    assert asked_about(ask(play)) is None
    assert asked_about(ask(play, body=CHAT.replace(b'"m"', b'"n"'))) is not None
    play.feed(ModelDescribed("c", "claude-nova-1", 404, b""))
    assert asked_about(ask(play)) is None


@pytest.mark.parametrize(
    ("answer", "learned"),
    [
        (ModelDescribed("c", "claude-nova-1", 200, TOLD), True),
        (ModelDescribed("c", "claude-nova-1", 404, TOLD), False),
        (ModelDescribed("c", "claude-nova-1", 0, b""), False),
        (ModelDescribed("c", "claude-nova-2", 200, TOLD), False),
        (ModelDescribed("gone", "claude-nova-1", 200, TOLD), False),
        (ModelDescribed("c", "claude-nova-1", 200, b"no JSON"), False),
    ],
    ids=["told", "not found", "no answer", "another model", "an account that is gone", "unreadable"],
)
def test_what_a_provider_tells_of_a_model_counts_from_the_next_request_on(
    answer: ModelDescribed, learned: bool
) -> None:
    """Here: it does not think, and writes 8,000 tokens at most."""
    play = nova()
    before = call_of(ask(play))
    assert "thinking" in before or "output_config" in before
    assert not play.feed(answer)
    after = call_of(ask(play))
    if learned:
        assert after["max_tokens"] == 8000
        assert "thinking" not in after
        assert "output_config" not in after
    else:
        assert after == before


def test_what_is_learned_counts_for_all_accounts_of_that_kind_and_no_other() -> None:
    routes = ModelsConfig(routes={"m": ("anthropic/claude-nova-1",), "o": ("vertex-like/claude-nova-1",)})
    play = Play(account("c", "anthropic"), account("d", "anthropic", priority=1), auth=OPEN, models=routes)
    assert asked_about(ask(play)) is not None
    play.feed(ModelDescribed("d", "claude-nova-1", 200, TOLD))
    assert call_of(ask(play))["max_tokens"] == 8000
    play.feed(AdminChanged([account("c", "anthropic")]))
    play.unclaimed = []
    play.feed(ModelDescribed("d", "claude-nova-1", 200, b'{"max_tokens": 5, "capabilities": {}}'))
    assert call_of(ask(play))["max_tokens"] == 8000


def test_the_question_leaves_by_the_accounts_own_way_or_not_at_all() -> None:
    app = OutboundConfig(upstream_proxy="proxy:app")
    question = asked_about(ask(nova(outbound=app)))
    assert question is not None
    assert question.route == "proxy:app"
    closed = ProxyPoolConfig(
        enabled=True,
        require_proxy_for_account_requests=True,
        proxies=(ProxyConfig(id="x", url="pool:x", enabled=False),),
    )
    commands = ask(nova(proxy_pool=closed))
    assert asked_about(commands) is None
    assert not any(isinstance(one, CallUpstream) for one in commands)
