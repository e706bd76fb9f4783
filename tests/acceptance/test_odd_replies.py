"""What a provider, or a proxy before it, sends by a little beside the rules: read wherever the official SDKs read it.

The SDKs' client (httpx, by its httpcore and h11) is asked beside the gateway, so that the table stays true of it.
"""

import gzip
import json
import zlib
from collections.abc import Iterable

import httpx2
import pytest
import zstandard

from tests.acceptance.client import connected
from tests.acceptance.gateway import account, configuration, gateway
from tests.runtime.upstream_world import Provider, Script, Visitor, provider

pytestmark = pytest.mark.anyio

USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
CHOICE = {"index": 0, "message": {"role": "assistant", "content": "héllo"}, "finish_reason": "stop"}
REPLY = {"id": "c", "object": "chat.completion", "model": "m", "choices": [CHOICE], "usage": USAGE}
TEXT = json.dumps(REPLY, ensure_ascii=False)
JSON = TEXT.encode()
HALF = len(JSON) // 2
GZIP = gzip.compress(JSON)
CHUNK = {"id": "c", "object": "chat.completion.chunk", "model": "m"}
EVENTS = [
    {**CHUNK, "choices": [{"index": 0, "delta": {"role": "assistant", "content": "hé"}}]},
    {**CHUNK, "choices": [{"index": 0, "delta": {"content": "llo"}}]},
    {**CHUNK, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    {**CHUNK, "choices": [], "usage": USAGE},
]
STREAM = b"".join(b"data: %b\n\n" % json.dumps(event).encode() for event in EVENTS) + b"data: [DONE]\n\n"

READ, BOTH_REFUSE = "read by both", "refused by both"
MORE = "read here, not by httpx"
LESS = "read by httpx, not here"

Rows = dict[str, tuple[bytes, str]]
"""Bytes of a provider's response, and who reads them."""


def raw_deflate(data: bytes) -> bytes:
    """A deflate stream without zlib's frame."""
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


def head(*fields: bytes, status: bytes = b"HTTP/1.1 200 OK", kind: bytes = b"application/json") -> bytes:
    """A response's head."""
    return b"".join(line + b"\r\n" for line in (status, b"Content-Type: " + kind, *fields)) + b"\r\n"


def sized(body: bytes, *fields: bytes, **more: bytes) -> bytes:
    """A response whose body's length is declared."""
    return head(b"Content-Length: %d" % len(body), *fields, **more) + body


def chunked(rest: bytes, *fields: bytes, **more: bytes) -> bytes:
    """A response whose body is in chunks; in *rest*, ``%x`` and ``%b`` are its one chunk."""
    return head(b"Transfer-Encoding: chunked", *fields, **more) + rest % (len(JSON), JSON)


def coded(coding: bytes, body: bytes) -> bytes:
    """A response with a content coding."""
    return sized(body, b"Content-Encoding: " + coding)


HEADS: Rows = {
    "plain": (sized(JSON), READ),
    # RFC 9112 section 5.1: who forwards a response must remove these blanks.
    "blank before a colon": (sized(JSON, b"X-A : b"), MORE),
    "tab before a colon": (sized(JSON, b"X-A\t: b"), MORE),
    "blank before the colon of the length": (head(b"Content-Length : %d" % len(JSON)) + JSON, MORE),
    "blank before the colon of the coding": (
        head(b"Transfer-Encoding : chunked") + b"%x\r\n%b\r\n0\r\n\r\n" % (len(JSON), JSON),
        MORE,
    ),
    "blank before a colon of an interim response": (b"HTTP/1.1 100 Continue\r\nX : y\r\n\r\n" + sized(JSON), MORE),
    "blank in a name": (sized(JSON, b"X A: b"), BOTH_REFUSE),
    "blank in a name and before the colon": (sized(JSON, b"X A : b"), BOTH_REFUSE),
    "no colon": (sized(JSON, b"nocolon"), BOTH_REFUSE),
    "no name": (sized(JSON, b": b"), BOTH_REFUSE),
    "bracket in a name": (sized(JSON, b"X(A): b"), BOTH_REFUSE),
    "no value": (sized(JSON, b"X-A:"), READ),
    "bytes beyond ASCII in a value": (sized(JSON, b"X-A: \xe9\xff"), READ),
    "control character in a value": (sized(JSON, b"X-A: a\x01b"), READ),
    "NUL in a value": (sized(JSON, b"X-A: a\0b"), BOTH_REFUSE),
    "bare CR in a value": (sized(JSON, b"X-A: a\rb"), BOTH_REFUSE),
    "folded value": (sized(JSON, b"X-A: b", b"  c"), READ),
    "fold at the beginning": (sized(JSON).replace(b"\r\nContent-Type", b"\r\n Content-Type"), BOTH_REFUSE),
    "bare LF everywhere": (sized(JSON).replace(b"\r\n", b"\n"), READ),
    "bare LF after the status": (sized(JSON).replace(b"\r\n", b"\n", 1), READ),
    "no reason": (sized(JSON, status=b"HTTP/1.1 200"), READ),
    "empty reason": (sized(JSON, status=b"HTTP/1.1 200 "), READ),
    "reason beyond ASCII": (sized(JSON, status=b"HTTP/1.1 200 \xc3\xa9"), READ),
    "HTTP/1.0": (sized(JSON, status=b"HTTP/1.0 200 OK"), READ),
    "HTTP/1.2": (sized(JSON, status=b"HTTP/1.2 200 OK"), READ),
    "HTTP/2 without a minor version": (sized(JSON, status=b"HTTP/2 200 OK"), BOTH_REFUSE),
    "lower-case version": (sized(JSON, status=b"http/1.1 200 OK"), BOTH_REFUSE),
    "two blanks before the status": (sized(JSON, status=b"HTTP/1.1  200 OK"), BOTH_REFUSE),
    "four digits of status": (sized(JSON, status=b"HTTP/1.1 0200 OK"), BOTH_REFUSE),
    "empty line before the status": (b"\r\n" + sized(JSON), BOTH_REFUSE),
    "100 before": (b"HTTP/1.1 100 Continue\r\n\r\n" + sized(JSON), READ),
    "102 before": (b"HTTP/1.1 102 Processing\r\n\r\n" + sized(JSON), READ),
    "100 before by bare LF": (b"HTTP/1.1 100 Continue\n\n" + sized(JSON), READ),
    "100 and 103s before": (
        b"HTTP/1.1 100 Continue\r\n\r\n" + b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 2 + sized(JSON),
        READ,
    ),
    "101 unasked": (b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + sized(JSON), BOTH_REFUSE),
    "two thousand fields": (sized(JSON, *(b"X-%d: y" % number for number in range(2000))), READ),
    # Everything is bounded: no provider's head has a tenth of this.
    "head over 64 KiB": (sized(JSON, b"X-A: " + b"x" * 80_000), LESS),
    "content type twice": (sized(JSON, b"Content-Type: application/json"), READ),
    "another content type": (sized(JSON, kind=b"text/plain"), READ),
}

FRAMINGS: Rows = {
    "until the connection closes": (head() + JSON, READ),
    "the same, announced": (head(b"Connection: close") + JSON, READ),
    "the same by HTTP/1.0": (head(status=b"HTTP/1.0 200 OK") + JSON, READ),
    "length twice": (sized(JSON, b"Content-Length: %d" % len(JSON)), READ),
    "length twice in one field": (head(b"Content-Length: %d, %d" % (len(JSON), len(JSON))) + JSON, READ),
    "length with zeros before": (head(b"Content-Length: 000%d" % len(JSON)) + JSON, READ),
    # Two readers of these may see two ends: the next response would be smuggled in (RFC 9112 section 11.2).
    "two lengths": (sized(JSON, b"Content-Length: 5"), BOTH_REFUSE),
    "length with a sign": (head(b"Content-Length: +%d" % len(JSON)) + JSON, BOTH_REFUSE),
    "empty length": (head(b"Content-Length:") + JSON, BOTH_REFUSE),
    "coding twice": (chunked(b"%x\r\n%b\r\n0\r\n\r\n", b"Transfer-Encoding: chunked"), BOTH_REFUSE),
    "transfer coding identity": (head(b"Transfer-Encoding: identity") + JSON, BOTH_REFUSE),
    "gzip as a transfer coding": (
        head(b"Transfer-Encoding: gzip, chunked") + b"%x\r\n%b\r\n0\r\n\r\n" % (len(GZIP), GZIP),
        BOTH_REFUSE,
    ),
    "body shorter than its length": (head(b"Content-Length: %d" % (len(JSON) + 5)) + JSON, BOTH_REFUSE),
    "bytes behind the body": (sized(JSON) + b"junk", READ),
    "chunks": (chunked(b"%x\r\n%b\r\n0\r\n\r\n"), READ),
    "chunks and a length": (chunked(b"%x\r\n%b\r\n0\r\n\r\n", b"Content-Length: 3"), READ),
    "chunks by HTTP/1.0": (chunked(b"%x\r\n%b\r\n0\r\n\r\n", status=b"HTTP/1.0 200 OK"), READ),
    "Chunked": (head(b"transfer-encoding: Chunked") + b"%x\r\n%b\r\n0\r\n\r\n" % (len(JSON), JSON), READ),
    "chunk extensions": (chunked(b'%x;a=b;c="d"\r\n%b\r\n0;x\r\n\r\n'), READ),
    "blanks behind a chunk's size": (chunked(b"%x  \r\n%b\r\n0\r\n\r\n"), READ),
    "zeros before a chunk's size": (chunked(b"000000%x\r\n%b\r\n000\r\n\r\n"), READ),
    "blank before a chunk's size": (chunked(b" %x\r\n%b\r\n0\r\n\r\n"), BOTH_REFUSE),
    "blank before an extension": (chunked(b"%x ;a=b\r\n%b\r\n0\r\n\r\n"), BOTH_REFUSE),
    "chunks by bare LF": (chunked(b"%x\n%b\n0\n\n"), BOTH_REFUSE),
    "no last chunk": (chunked(b"%x\r\n%b\r\n"), BOTH_REFUSE),
    "trailer": (chunked(b"%x\r\n%b\r\n0\r\nX-T: 1\r\n\r\n"), READ),
    "folded trailer": (chunked(b"%x\r\n%b\r\n0\r\nX-T: 1\r\n 2\r\n\r\n"), READ),
    "malformed trailer": (chunked(b"%x\r\n%b\r\n0\r\nX T: 1\r\n\r\n"), BOTH_REFUSE),
}

CODINGS: Rows = {
    "gzip": (coded(b"gzip", GZIP), READ),
    "gzip and junk": (coded(b"gzip", GZIP + b"junk"), READ),
    "gzip and zeros": (coded(b"gzip", GZIP + bytes(512)), READ),
    "gzip and a line end": (coded(b"gzip", GZIP + b"\r\n"), READ),
    "gzip and half a beginning of another": (coded(b"gzip", GZIP + b"\x1f"), READ),
    # RFC 1952 section 2.2 makes one body of them; httpx reads the first one alone.
    "two gzip members": (coded(b"gzip", gzip.compress(JSON[:HALF]) + gzip.compress(JSON[HALF:])), MORE),
    "gzip and an empty member": (coded(b"gzip", GZIP + gzip.compress(b"")), READ),
    # Half of a reply may be missing; here it is the second member.
    "gzip and half a member": (coded(b"gzip", GZIP + gzip.compress(b" " * 99)[:-9]), READ),
    "two gzip members, the second cut": (
        coded(b"gzip", gzip.compress(JSON[:HALF]) + gzip.compress(JSON[HALF:])[:-30]),
        BOTH_REFUSE,
    ),
    "gzip without its checksum": (coded(b"gzip", GZIP[:-8]), READ),
    "gzip cut in the middle": (coded(b"gzip", GZIP[:-40]), BOTH_REFUSE),
    "gzip with a wrong checksum": (coded(b"gzip", GZIP[:-8] + b"xxxx" + GZIP[-4:]), BOTH_REFUSE),
    "gzip that is none": (coded(b"gzip", JSON), BOTH_REFUSE),
    "GZIP": (coded(b"GZIP", GZIP), READ),
    "x-gzip": (coded(b"x-gzip", GZIP), MORE),
    "gzip, identity": (coded(b"gzip, identity", GZIP), READ),
    "identity, gzip": (coded(b"identity,gzip", GZIP), READ),
    "two fields": (sized(GZIP, b"Content-Encoding: gzip", b"Content-Encoding: identity"), READ),
    "two fields the other way": (sized(GZIP, b"Content-Encoding: identity", b"Content-Encoding: gzip"), READ),
    "gzip, gzip": (coded(b"gzip, gzip", gzip.compress(GZIP)), READ),
    "gzip twice in two fields": (
        sized(gzip.compress(GZIP), b"Content-Encoding: gzip", b"Content-Encoding: gzip"),
        READ,
    ),
    "deflate, gzip": (coded(b"deflate, gzip", gzip.compress(zlib.compress(JSON))), READ),
    "gzip, utf-8": (coded(b"gzip, utf-8", GZIP), READ),
    **{
        f"coding {name!r}": (coded(name, JSON), READ)
        for name in (b"utf-8", b"UTF8", b"none", b"null", b"", b" , ", b"*", b"chunked", b"8bit", b"binary", b"\xff")
    },
    "gzip;q=1.0": (coded(b"gzip;q=1.0", GZIP), BOTH_REFUSE),
    "br on what is not compressed": (coded(b"br", JSON), READ),
    "deflate": (coded(b"deflate", zlib.compress(JSON)), READ),
    "deflate without zlib's frame": (coded(b"deflate", raw_deflate(JSON)), READ),
    "deflate and junk": (coded(b"deflate", zlib.compress(JSON) + b"xx"), READ),
    "raw deflate and junk": (coded(b"deflate", raw_deflate(JSON) + b"xx"), READ),
    "deflate that is gzip": (coded(b"deflate", GZIP), BOTH_REFUSE),
    # httpx reads it where a package for it is installed.
    "zstd": (coded(b"zstd", zstandard.compress(JSON)), MORE),
    "zstd and junk": (coded(b"zstd", zstandard.compress(JSON) + b"xx"), BOTH_REFUSE),
}

TEXTS: Rows = {
    "byte order mark": (sized(b"\xef\xbb\xbf" + JSON), READ),
    "mark and blanks": (sized(b"\xef\xbb\xbf \r\n" + JSON + b"\n"), READ),
    "mark in gzip": (coded(b"gzip", gzip.compress(b"\xef\xbb\xbf" + JSON)), READ),
    "blanks around": (sized(b"\r\n  " + JSON + b"  \n"), READ),
    **{
        name: (sized(TEXT.encode(name), kind=b"application/json; charset=" + name.encode()), READ)
        for name in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be")
    },
    "NUL behind": (sized(JSON + b"\0"), BOTH_REFUSE),
    "HTML": (sized(b"<html></html>"), BOTH_REFUSE),
}


async def _by_httpx(client: httpx2.AsyncClient, world: Provider) -> str:
    try:
        response = await client.post(f"{world.origin}/v1/chat/completions", json={})
        return "read" if response.json() == REPLY else "something else"
    except (httpx2.HTTPError, ValueError):
        return "refused"


async def _here(port: int, target: str) -> tuple[str, bytes]:
    async with connected(port) as client:
        answer = await client.ask(
            "POST", target, b'{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"}]}'
        )
    return ("read" if answer.status == 200 else "refused"), answer.body


VERDICTS = {
    ("read", "read"): READ,
    ("refused", "read"): MORE,
    ("read", "refused"): LESS,
    ("refused", "refused"): BOTH_REFUSE,
}


@pytest.mark.parametrize("rows", [HEADS, FRAMINGS, CODINGS, TEXTS], ids=["heads", "framings", "codings", "texts"])
async def test_a_whole_reply_is_read_where_the_sdks_read_it(rows: Rows) -> None:
    """Passed through or translated; with its usage; and the client gets UTF-8, which every client reads."""
    answers = (response for response, _ in rows.values() for _ in range(3))
    async with (
        httpx2.AsyncClient(timeout=20, limits=httpx2.Limits(max_keepalive_connections=0)) as httpx,
        provider(_one_each(answers)) as world,
        gateway(
            configuration(
                [account("a", str(world.origin), models=["m"], dialect="openai-chat")], upstream={"max_attempts": 1}
            )
        ) as served,
    ):
        told: dict[str, str] = {}
        for name in rows:
            truth = await _by_httpx(httpx, world)
            here, body = await _here(served.port, "/v1/chat/completions")
            there, translated = await _here(served.port, "/v1/messages")
            assert there == here, name
            told[name] = VERDICTS[truth, here]
            if here == "read":
                assert json.loads(body.decode("utf-8")) == REPLY, name
                assert json.loads(translated)["content"][0]["text"] == "héllo", name
                assert [record.usage.output for record in served.records[-2:] if record.usage] == [2, 2], name
        assert told == {name: verdict for name, (_, verdict) in rows.items()}


def _one_each(answers: Iterable[bytes]) -> Script:
    waiting = iter(answers)

    async def script(visitor: Visitor) -> None:
        await visitor.request()
        await visitor.send(next(waiting))
        visitor.writer.write_eof()
        await visitor.reader.read()

    return script


def _event_stream(body: bytes, *fields: bytes) -> bytes:
    return head(*fields, kind=b"text/event-stream") + body


STREAMS = {
    "plain": _event_stream(STREAM),
    "byte order mark": _event_stream(b"\xef\xbb\xbf" + STREAM),
    "gzip": _event_stream(gzip.compress(STREAM), b"Content-Encoding: gzip"),
    "gzip and junk": _event_stream(gzip.compress(STREAM) + b"junk", b"Content-Encoding: gzip"),
    "gzip without its checksum": _event_stream(gzip.compress(STREAM)[:-8], b"Content-Encoding: gzip"),
    "gzip, identity": _event_stream(gzip.compress(STREAM), b"Content-Encoding: gzip, identity"),
    "two fields": _event_stream(gzip.compress(STREAM), b"Content-Encoding: identity", b"Content-Encoding: gzip"),
    "utf-8": _event_stream(STREAM, b"Content-Encoding: utf-8"),
    "no coding": _event_stream(STREAM, b"Content-Encoding:"),
    "deflate and junk": _event_stream(raw_deflate(STREAM) + b"xx", b"Content-Encoding: deflate"),
    "blank before a colon": _event_stream(STREAM, b"X-A : b"),
    "HTTP/1.0": _event_stream(STREAM).replace(b"HTTP/1.1", b"HTTP/1.0"),
}


async def test_so_is_a_stream() -> None:
    answers = (response for response in STREAMS.values() for _ in range(2))
    async with (
        provider(_one_each(answers)) as world,
        gateway(
            configuration(
                [account("a", str(world.origin), models=["m"], dialect="openai-chat")], upstream={"max_attempts": 1}
            )
        ) as served,
        connected(served.port) as client,
    ):
        asked = b'{"model":"m","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"x"}]}'
        for name in STREAMS:
            answer = await client.ask("POST", "/v1/chat/completions", asked)
            assert (answer.status, answer.body) == (200, STREAM), name
            answer = await client.ask("POST", "/v1/messages", asked)
            texts = [event["delta"]["text"] for event in _events(answer.body) if "text" in event.get("delta", {})]
            assert "".join(texts) == "héllo", name
            assert [record.usage.output for record in served.records[-2:] if record.usage] == [2, 2], name


def _events(stream: bytes) -> list[dict[str, dict[str, str]]]:
    lines = stream.decode().splitlines()
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: {")]


async def test_an_error_reply_in_an_unreadable_coding_is_known_by_its_status() -> None:
    """The account is limited, and another one serves the client."""
    limited = sized(b"\x0b\x02\x80", b"Content-Encoding: br", b"Retry-After: 60", status=b"HTTP/1.1 429 Slow")
    async with (
        provider(_one_each([limited])) as first,
        provider(_one_each([sized(JSON)] * 2)) as second,
        gateway(
            configuration([account("a", str(first.origin), priority=1), account("b", str(second.origin))])
        ) as served,
    ):
        for _ in range(2):
            assert (await _here(served.port, "/v1/chat/completions"))[0] == "read"
        assert [attempt.status for record in served.records for attempt in record.attempts] == [429, 200, 200]
