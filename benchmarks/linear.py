"""Measure whether twice as much costs twice the time: ``python -m benchmarks.linear [--largest N] [WORD ...]``.

For every way in which a request or a reply can grow (``benchmarks/growth.py``), and for each pair of dialects, the time
of every reader and writer is printed against the size, with the exponent of its growth: 1 is linear, 2 is quadratic.
Rows over 1.3 are marked; the words select rows. What the framers do with single bytes comes last.
"""

import argparse
import gc
import math
import time
from collections.abc import Callable, Iterator
from functools import partial

import msgspec

from benchmarks.growth import DIALECTS, REPLIES, REQUESTS
from gephyr_core.conversation.fields import FieldError
from gephyr_core.conversation.prompt import Prompt
from gephyr_core.conversation.reply import Delta, Reply
from gephyr_core.conversation.report import Report, UntranslatableError
from gephyr_core.dialects import DIALECTS as READERS
from gephyr_core.dialects.decoding import read_object
from gephyr_core.dialects.translator import Destination, ReplyContext, Written
from gephyr_core.dialects.translators import TRANSLATORS
from gephyr_core.envelope import read_envelope
from gephyr_core.json_array import ArrayFramer
from gephyr_core.providers.capabilities import capabilities_of
from gephyr_core.routing.conversation_start import conversation_start
from gephyr_core.sse import SseFramer, parse
from gephyr_core.translation.estimate import estimate_tokens
from gephyr_core.translation.restoring import Restorer, collected, restored

MODELS = {
    "openai-chat": ("openai", "gpt-5.1"),
    "openai-responses": ("openai", "gpt-5.1"),
    "anthropic": ("anthropic", "claude-sonnet-4-5"),
    "gemini": ("gemini", "gemini-3-pro"),
}
_CONTEXT = ReplyContext(key="bench", created=1_800_000_000, model="m")
_SUSPICIOUS = 1.3
_ROUNDS = 3
_LONG = 0.3
"""Seconds of a run that is not repeated."""
_PIECE = 100
"""Bytes of a stream that come at once."""
_SHORTEST = 0.002
"""Seconds below which an exponent says nothing."""

Work = Callable[[], object]


def destination(dialect: str) -> Destination:
    """A current model of a provider that speaks the dialect."""
    kind, model = MODELS[dialect]
    return Destination(dialect, kind, model, capabilities_of(kind, dialect, model, {}, None))


def read(dialect: str, body: bytes) -> Prompt | None:
    """Read a request; None where it is refused."""
    try:
        return TRANSLATORS[dialect].read_request(msgspec.json.decode(body), Report(), model="m", stream=True)
    except (FieldError, UntranslatableError, RecursionError):
        return None


def write(dialect: str, prompt: Prompt) -> bytes:
    """Write a request; empty where it is refused."""
    try:
        return msgspec.json.encode(TRANSLATORS[dialect].write_request(prompt, destination(dialect), Report()).body)
    except UntranslatableError:
        return b""


def stream_of(dialect: str, deltas: list[Delta]) -> list[bytes]:
    """Write a stream's events."""
    writer = TRANSLATORS[dialect].delta_writer(_CONTEXT)
    return SseFramer.events(b"".join(map(writer.write, deltas)))


def read_stream(dialect: str, events: list[bytes]) -> list[Delta]:
    """Read a stream, and have it restored."""
    reader, restorer = TRANSLATORS[dialect].delta_reader(Report()), Restorer(Written({}), "", "k")
    read_ = [delta for event in events for delta in reader.read(event)]
    return [told for delta in [*read_, *reader.finish()] for told in restorer.feed(delta)]


def read_whole(dialect: str, body: bytes) -> Reply:
    """Read a whole reply, and have it restored."""
    return restored(TRANSLATORS[dialect].read_reply(body, Report()), Restorer(Written({}), "", "k"))


def passed_on(dialect: str, stream: bytes) -> None:
    """Read a stream that is not translated, in small pieces: before the first content, and behind it."""
    watching, classifying = (READERS[dialect].stream_reader(max_line=1 << 30) for _ in range(2))
    for start in range(0, len(stream), _PIECE):
        watching.cut(stream[start : start + _PIECE])
        for event in classifying.split(stream[start : start + _PIECE]):
            classifying.classify(event)


def assembled(dialect: str, events: list[bytes]) -> object:
    """Make a whole reply of a stream that is not translated."""
    assembly = READERS[dialect].assembly()
    for event in events:
        told = read_object(parse(event).data)
        if told is not None:
            assembly.add(told)
    return assembly.reply()


def request_work(client: str, growth: str, count: int) -> Iterator[tuple[str, Work]]:
    """What is done with a client's request: by name."""
    body = REQUESTS[growth](count).body(client)
    yield f"{client} read", lambda: read(client, body)
    yield f"{client} envelope", lambda: conversation_start(client, read_envelope(body))
    prompt = read(client, body)
    if prompt is None:
        return
    yield f"{client} estimate", lambda: estimate_tokens(prompt)
    for provider in DIALECTS:
        yield f"{client} > {provider}", lambda provider=provider: write(provider, prompt)  # type: ignore[misc]


def reply_work(provider: str, growth: str, count: int) -> Iterator[tuple[str, Work]]:
    """What is done with a provider's reply, streamed and whole: by name."""
    deltas = REPLIES[growth](count)
    events = stream_of(provider, deltas)
    translator = TRANSLATORS[provider]
    yield f"{provider} stream read", lambda: read_stream(provider, events)
    yield f"{provider} stream written", lambda: stream_of(provider, deltas)
    yield f"{provider} stream passed on", lambda: passed_on(provider, b"".join(events))
    yield f"{provider} assembled", lambda: assembled(provider, events)
    reply = collected(deltas)
    body = translator.write_reply(reply, _CONTEXT)
    yield f"{provider} collected", lambda: collected(deltas)
    yield f"{provider} reply read", lambda: read_whole(provider, body)
    yield f"{provider} reply as a stream", lambda: READERS[provider].events_of(body)
    yield f"{provider} reply written", lambda: translator.write_reply(reply, _CONTEXT)


def framer_work(count: int) -> Iterator[tuple[str, Work]]:
    """Streams that come byte by byte, in one event and in many."""

    def fed(framer: SseFramer | ArrayFramer, data: bytes) -> None:
        for byte in data:
            framer.split(bytes((byte,)))

    most = 1 << 30
    for name, one in {"lf": b"data: {}\n\n", "crlf": b"data: {}\r\n\r\n", "comments": b": hi\n", "cr": b"\r"}.items():
        data = one * count
        yield f"sse {name}, byte by byte", lambda data=data: fed(SseFramer(most), data)  # type: ignore[misc]
        yield f"sse {name}", lambda data=data: SseFramer(most).split(data)  # type: ignore[misc]
    escapes, elements = b'["' + b"\\\\" * count, b"[" + b'{"a":[{}]},' * count
    yield "array of an unfinished text, byte by byte", lambda: fed(ArrayFramer(most), escapes)
    yield "array of elements, byte by byte", lambda: fed(ArrayFramer(most), elements)


def seconds_of(work: Work) -> float:
    """The shortest of a few runs."""
    best = math.inf
    for _ in range(_ROUNDS):
        gc.disable()  # it looks at all that is alive, the rows to come too
        begun = time.thread_time()
        work()
        best = min(best, time.thread_time() - begun)
        gc.enable()
        if best > _LONG:
            break
    return best


def all_work() -> Iterator[tuple[str, Callable[[int], Iterator[tuple[str, Work]]]]]:
    """Everything that grows, by name, and what is done with it."""
    for growth in REQUESTS:
        for client in DIALECTS:
            yield growth, partial(request_work, client, growth)
    for growth in REPLIES:
        for provider in DIALECTS:
            yield growth, partial(reply_work, provider, growth)
    yield "framing", framer_work


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--largest", type=int, default=8000, help="the largest number of what grows")
    parser.add_argument("words", nargs="*", help="show only rows with all of these")
    options = parser.parse_args()
    counts = [options.largest // 4, options.largest // 2, options.largest]
    print(f"{'':62}" + "".join(f"{count:>12}" for count in counts) + "    exponent")
    marked = 0
    for growth, work in all_work():
        several = [dict(work(count)) for count in counts]
        for name in several[-1]:
            title = f"{growth}: {name}"
            if not all(word in title for word in options.words):
                continue
            times = [seconds_of(rows[name]) for rows in several if name in rows]
            if len(times) == len(counts) and times[-1] >= _SHORTEST:
                marked += show(title, times)
    print(f"{marked} grow faster than {_SUSPICIOUS}")


def show(title: str, times: list[float]) -> bool:
    """Print a row of times for a size, its double, and so on; return whether it grows too fast."""
    exponent = math.log2(times[-1] / times[0]) / (len(times) - 1)
    shown = "".join(f"{1000 * seconds:10.1f}ms" for seconds in times)
    print(f"{title:62}{shown}{exponent:12.2f}{'  <<<' if exponent > _SUSPICIOUS else ''}", flush=True)
    return exponent > _SUSPICIOUS


if __name__ == "__main__":
    main()
