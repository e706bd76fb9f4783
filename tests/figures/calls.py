"""Counts the calls of a request's way through the core: from ``RequestEnded`` until ``CallUpstream`` is made."""

import random
import sys
from collections import Counter
from pathlib import Path
from types import CodeType, FrameType

import attrs

from gephyr_core.commands import CallUpstream
from gephyr_core.config import AccountConfig, AuthConfig, Config
from gephyr_core.events import RequestBody, RequestEnded, RequestStarted
from gephyr_core.gateway import Gateway
from gephyr_core.http import Header

CORE = str(Path(sys.modules[Gateway.__module__].__file__ or "").parent)
_GENERATED = "<attrs generated methods gephyr_core"
"""How the methods that attrs writes for the core's classes are named."""
_JSON: list[Header] = [(b"content-type", b"application/json")]
_BODY = b'{"model":"some-model","max_tokens":100,"messages":[{"role":"user","content":"hi"}]}'
PASSTHROUGH, TRANSLATED = ("openai", "/v1/chat/completions"), ("anthropic", "/v1/chat/completions")
"""The provider of the only account, and the path that is asked for."""


@attrs.frozen
class Calls:
    """The calls of functions of the core: those that attrs wrote, and each step of a generator, are counted too."""

    count: int
    files: int
    by_function: Counter[str]


def calls_of(way: tuple[str, str]) -> Calls:
    """Have a request go its way, the second of its kind: what is made once only is there already."""
    provider, path = way
    account = AccountConfig(id="a", provider=provider, api_key="account:a", base_url="https://a.test", models=("*",))
    gateway = Gateway(Config(accounts=(account,), auth=AuthConfig(mode="off")), random.Random(1))
    for exchange in (1, 2):
        gateway.receive(RequestStarted(exchange, "POST", path, _JSON, (), "127.0.0.1"), 1000.0)
        gateway.receive(RequestBody(exchange, _BODY), 1000.0)
        found = _counted(gateway, exchange)
    return found


def _counted(gateway: Gateway, exchange: int) -> Calls:
    seen: list[CodeType] = []
    made = False

    def count(frame: FrameType, what: str, _argument: object) -> None:
        nonlocal made
        if what != "call" or made:
            return
        code = frame.f_code
        if code.co_name == "__init__" and isinstance(frame.f_locals.get("self"), CallUpstream):
            made = True
        elif code.co_filename.startswith((CORE, _GENERATED)):
            seen.append(code)

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        gateway.receive(RequestEnded(exchange), 1000.0)
    finally:
        sys.setprofile(before)
    assert made, "the request did not lead to a call"
    written = [code for code in seen if code.co_filename.startswith(CORE)]
    functions = Counter(f"{code.co_filename.removeprefix(CORE)[1:]}:{code.co_name}" for code in written)
    functions += Counter(code.co_filename for code in seen if not code.co_filename.startswith(CORE))
    return Calls(len(seen), len({code.co_filename for code in written}), functions)
