"""What the tests of the scheduling rules share: requests of sessions, limits, and who served whom."""

from typing import Any

import msgspec
from play import JSON, Play, account

from gephyr_core.commands import CallUpstream, EndResponse, ReadBody, SendBody, StartResponse
from gephyr_core.config import AccountConfig, OAuthConfig
from gephyr_core.events import (
    RequestBody,
    RequestEnded,
)
from gephyr_core.http import Headers
from gephyr_core.scheduling.bindings import BindingChange

REPLY = (
    b'{"id":"chatcmpl-1","choices":[{"message":{"content":"hi"}}],"usage":{"prompt_tokens":10,"completion_tokens":5}}'
)
SLOW = b'{"error":{"message":"slow down","code":"rate_limit_exceeded"}}'
BROKEN = b'{"error":{"message":"oops"}}'


def body(model: str = "m") -> bytes:
    return msgspec.json.encode({"model": model, "messages": []})


def session(name: str = "s1") -> dict[str, Any]:
    return {"headers": [(b"x-session-id", name.encode())]}


def signs_in(name: str = "a", **more: Any) -> AccountConfig:
    """An account with access tokens in place of a key."""
    oauth = OAuthConfig(token_url="https://id.test/token", client_id="me", refresh_token=f"account:{name}")
    return account(name, oauth=oauth, **more)


def served(play: Play, model: str = "m", **more: Any) -> str:
    """Have a request served; return the account."""
    call = play.request(body(model), **more)
    finish(play, call)
    return call.account


def finish(play: Play, call: CallUpstream, headers: Headers = JSON) -> None:
    play.answer(call, REPLY, headers=headers)
    play.expect(StartResponse, SendBody, EndResponse)


def limited(play: Play, call: CallUpstream, seconds: int | None, status: int = 429) -> None:
    """Have a call answered by a limit."""
    hint = [] if seconds is None else [(b"retry-after", b"%d" % seconds)]
    play.answer(call, SLOW if status == 429 else BROKEN, status, [*JSON, *hint])


def ask(play: Play, model: str = "m", **more: Any) -> int:
    """Feed a request that has to wait; return its number."""
    play.start(**more)
    play.expect(ReadBody)
    play.feed(RequestBody(play.exchange, body(model)))
    play.expect()
    play.feed(RequestEnded(play.exchange))
    play.expect()
    return play.exchange


def changes(play: Play) -> list[BindingChange]:
    return [event.change for event in play.gateway.binding_events]
