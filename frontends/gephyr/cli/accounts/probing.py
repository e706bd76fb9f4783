"""One real request with an account's credential, through its route, and what the answer says of the account."""

import asyncio
import contextlib
import random
import time

import attrs
import msgspec

from gephyr.cli.accounts.asking import Asked
from gephyr.runtime.configuration import Loaded
from gephyr.runtime.tokens.grants import cleaned
from gephyr.runtime.upstream import KeepAlive, SocketUpstream
from gephyr_core.commands import CallUpstream, TimeLimits
from gephyr_core.errors import ErrorKind
from gephyr_core.events import Event, UpstreamBody, UpstreamEnded, UpstreamFailed, UpstreamStarted
from gephyr_core.http import Headers
from gephyr_core.outbound.proxy_pool import ProxyPool
from gephyr_core.providers import Verdict, classify_reply
from gephyr_core.scheduling import Account

_MOST_BYTES = 4 * 1024 * 1024
"""Of an answer; lists of models have up to some hundred thousand."""
_LIMITS = (b"x-ratelimit-", b"anthropic-ratelimit-", b"retry-after")


@attrs.frozen
class Finding:
    """What came of the request. No text here holds the account's credential."""

    works: bool
    verdict: str
    status: int = 0
    """0: there was no answer."""
    seconds: float = 0.0
    """Until the head of the answer, the connection included."""
    limits: tuple[str, ...] = ()
    """The headers that speak of limits."""


def route_of(account: Account, loaded: Loaded, now: float) -> str | None:
    """Return the way out that a gateway would take for the account; None where there is to be a proxy and is none."""
    config = loaded.config
    bound = [(settings.id, settings.proxy) for settings in config.accounts]
    pool = ProxyPool(config.proxy_pool, bound, config.outbound.upstream_proxy, random.Random())
    return pool.choose(account.id, now)


async def probe(account: Account, asked: Asked, loaded: Loaded, route: str, limit: float) -> Finding:
    """Send the request, for at most *limit* seconds. Raises ``OSError`` if ``outbound.ca_file`` is bad."""
    limits = TimeLimits(connect=limit, first_byte=limit, idle=limit, total=limit)
    command = CallUpstream(
        1, 1, account.id, asked.method, account.origin, asked.target, asked.headers, asked.body, route, limits
    )
    reply = _Reply()
    ca_file, keepalive = loaded.config.outbound.ca_file, KeepAlive.configured(loaded.config.upstream)
    upstream = SocketUpstream(loaded.vault, loaded.routes, ca_file=ca_file, keepalive=keepalive)
    try:
        call = upstream.call(command, reply.take)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit):
                await reply.over.wait()
        call.cancel()
    finally:
        await upstream.aclose()
    return _finding(reply, asked, account, loaded, limit)


class _Reply:
    """An answer as it comes."""

    def __init__(self) -> None:
        self.over = asyncio.Event()
        self.status = 0
        self.headers: Headers = ()
        self.body = b""
        self.failure = ""
        self.seconds = 0.0
        self._begun = time.perf_counter()

    def take(self, event: Event) -> None:
        match event:
            case UpstreamStarted():
                self.seconds = time.perf_counter() - self._begun
                self.status, self.headers = event.status, event.headers
            case UpstreamBody():
                self.body += event.data
                if len(self.body) > _MOST_BYTES:
                    self.failure = f"its answer has more than {_MOST_BYTES} bytes"
                    self.over.set()
            case UpstreamEnded():
                self.over.set()
            case UpstreamFailed():
                self.failure = f"{event.fault.value}: {event.detail}"
                self.over.set()


def _finding(reply: _Reply, asked: Asked, account: Account, loaded: Loaded, limit: float) -> Finding:
    def shown(text: str) -> str:
        return cleaned(loaded.vault.redact(account.id, text), ())

    works, verdict = False, ""
    if not reply.over.is_set():
        verdict = f"no whole answer within {limit:g} s"
    elif reply.failure:
        verdict = reply.failure
    elif 200 <= reply.status < 300:
        works = _is_json(reply.body)
        verdict = "it works" if works else "it answers, but not in JSON: is base_url right?"
    else:
        verdict = _refusal(classify_reply(reply.status, reply.headers, reply.body, time.time()), asked)
    limits = tuple(
        shown(f"{name.decode('latin-1')}: {value.decode('latin-1')}")
        for name, value in reply.headers
        if name.startswith(_LIMITS)
    )
    return Finding(works, shown(verdict), reply.status, reply.seconds, limits)


def _is_json(body: bytes) -> bool:
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return False
    return True


def _refusal(verdict: Verdict, asked: Asked) -> str:
    match verdict.kind:
        case ErrorKind.CREDENTIAL:
            text = "the provider refuses the credential"
        case ErrorKind.MONEY:
            text = "no credit is left, or a spending limit is reached"
        case ErrorKind.RATE_LIMIT:
            text = "a limit is reached"
        case ErrorKind.MODEL_NOT_FOUND if asked.model:
            text = f"the account has no model {asked.model!r}"
        case ErrorKind.NOT_FOUND | ErrorKind.MODEL_NOT_FOUND | ErrorKind.METHOD if not asked.model:
            text = "the endpoint has no list of models: try --model"
        case _:
            text = f"the provider answers with an error ({verdict.kind.value.replace('_', ' ')})"
    if verdict.retry_after is not None and verdict.kind is not ErrorKind.CREDENTIAL:
        text += f"; it may be asked again in {verdict.retry_after:g} s"
    return f"{text}: {verdict.message}" if verdict.message else text
