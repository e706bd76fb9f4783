"""Ways in which a provider breaks without saying so, and requests that meet them."""

from collections.abc import Callable, Iterable
from typing import Any

import attrs
import msgspec
from play import JSON, SSE, Play

from gephyr_core.commands import CallUpstream, CancelUpstream, DetachUpstream
from gephyr_core.errors import Fault, Sent
from gephyr_core.events import TimePassed, UpstreamEnded, UpstreamFailed

CHUNK = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'
STOP = b'data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
ERROR = b'data: {"error":{"message":"oops","code":"server_error"}}\n\n'
HTML = b"<html><body>Bad gateway</body></html>"
WHOLE = (
    b'{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":'
    b'{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1}}'
)
SILENCE = 601.0
"""Seconds: longer than any limit of the configuration as it is."""


def take(play: Play) -> list[Any]:
    """Claim whatever the last event led to."""
    taken, play.unclaimed = play.unclaimed, []
    return taken


def began(play: Play, call: CallUpstream) -> None:
    """The provider sends the head of a stream, and its first content."""
    play.head(call, headers=SSE)
    play.body(call, CHUNK) if not take(play) else None
    take(play)


def breaks(play: Play, call: CallUpstream, fault: Fault, sent: Sent = Sent.ALL) -> None:
    """The runtime tells that the call broke."""
    play.feed(UpstreamFailed(call.exchange, call.attempt, fault, "it broke", sent=sent))


def cut(play: Play, call: CallUpstream) -> None:
    began(play, call)
    breaks(play, call, Fault.RESET)


def garbled(play: Play, call: CallUpstream) -> None:
    began(play, call)
    breaks(play, call, Fault.PROTOCOL)


def silent(play: Play, call: CallUpstream) -> None:
    began(play, call)
    play.feed(TimePassed(), at=play.now + SILENCE)


def silent_from_the_start(play: Play, call: CallUpstream) -> None:
    assert call
    play.feed(TimePassed(), at=play.now + SILENCE)


def error_after_content(play: Play, call: CallUpstream) -> None:
    began(play, call)
    play.body(call, ERROR)
    if not any(isinstance(command, CancelUpstream | DetachUpstream) for command in take(play)):
        play.feed(UpstreamEnded(call.exchange, call.attempt))


def error_before_content(play: Play, call: CallUpstream) -> None:
    play.head(call, headers=SSE)
    take(play)
    play.body(call, ERROR)


def no_content(play: Play, call: CallUpstream) -> None:
    play.head(call, headers=SSE)
    take(play)
    play.end(call)


def reset_before_the_head(play: Play, call: CallUpstream) -> None:
    breaks(play, call, Fault.RESET)


def cut_whole_reply(play: Play, call: CallUpstream) -> None:
    play.head(call)
    take(play)
    play.body(call, b'{"id":"ch')
    breaks(play, call, Fault.RESET)


def page(play: Play, call: CallUpstream) -> None:
    play.answer(call, HTML, headers=[(b"content-type", b"text/html")])


def unreadable_coding(play: Play, call: CallUpstream) -> None:
    play.head(call, headers=[*JSON, (b"content-encoding", b"gzip")])
    take(play)
    play.body(call, b"no gzip at all")


@attrs.frozen
class Way:
    """A way to break, and whether it is a stream that breaks."""

    act: Callable[[Play, CallUpstream], None]
    stream: bool

    def __str__(self) -> str:
        return self.act.__name__


STREAMS = (
    *(cut, garbled, silent, silent_from_the_start, error_after_content, error_before_content, no_content),
    reset_before_the_head,
)
WHOLES = (silent_from_the_start, reset_before_the_head, cut_whole_reply, page, unreadable_coding)
WAYS = (*(Way(act, stream=True) for act in STREAMS), *(Way(act, stream=False) for act in WHOLES))


def begin(play: Play, *, stream: bool, model: str = "m", **more: Any) -> CallUpstream:
    """Have a client ask; return the call that it leads to."""
    body = {"model": model, "messages": [{"role": "user", "content": "Hi"}], "stream": stream}
    return play.request(msgspec.json.encode(body), **more)


def serve(play: Play, call: CallUpstream, *, stream: bool) -> None:
    """The provider does well."""
    play.head(call, headers=SSE if stream else JSON)
    take(play)
    play.body(call, CHUNK + STOP if stream else WHOLE)
    if not any(isinstance(command, CancelUpstream | DetachUpstream) for command in take(play)):
        play.end(call)
    take(play)


def ask(play: Play, way: Way, broken: Iterable[str], **more: Any) -> list[str]:
    """Have a client ask once, where some accounts are broken. Return the accounts that were called, in order."""
    called = []
    calls = [begin(play, stream=way.stream, **more)]
    while calls:
        call = calls.pop(0)
        called.append(call.account)
        if call.account in broken:
            way.act(play, call)
            calls += [one for one in take(play) if isinstance(one, CallUpstream)]
        else:
            serve(play, call, stream=way.stream)
    return called


def session(name: str) -> dict[str, Any]:
    """What a request says of its session."""
    return {"headers": [(b"x-session-id", name.encode())]}
