"""Headers and bodies: which go on, and what is read of them, in tables that were read and approved."""

import itertools

from gephyr_core.content_coding import as_utf8, decode_whole, decoder_for
from gephyr_core.dates import (
    bounded_wait,
    go_duration,
    parse_http_date,
    parse_rfc3339,
    retry_after,
    sent_at,
    until_pacific_midnight,
)
from gephyr_core.dialects import DIALECTS
from gephyr_core.envelope import EnvelopeError, read_envelope
from gephyr_core.forwarding import to_client, to_provider, translated_to_client
from gephyr_core.http import content_length, media_type, without_charset
from gephyr_core.routing.sessions import SESSION_HEADERS
from gephyr_core.sse import parse
from tests.approved import check_table

NOW = 1_800_000_000.0

NAMES = (
    *(
        "accept",
        "accept-encoding",
        "accept-language",
        "authorization",
        "x-api-key",
        "x-goog-api-key",
        "cookie",
        "host",
        "origin",
        "referer",
    ),
    *(
        "forwarded",
        "x-forwarded-for",
        "x-real-ip",
        "cf-ray",
        "sec-fetch-mode",
        "expect",
        "te",
        "trailer",
        "upgrade",
        "keep-alive",
    ),
    *(
        "proxy-authorization",
        "proxy-connection",
        "transfer-encoding",
        "content-length",
        "content-type",
        "content-encoding",
        "connection",
    ),
    *(
        "openai-organization",
        "openai-project",
        "openai-beta",
        "x-goog-user-project",
        "anthropic-version",
        "anthropic-beta",
        "x-gephyr-explain",
    ),
    *(
        "x-stainless-lang",
        "idempotency-key",
        "x-request-id",
        "request-id",
        "x-odd",
        "user-agent",
        "via",
        "set-cookie",
        "alt-svc",
        "server",
        "date",
    ),
    *(
        "strict-transport-security",
        "anthropic-organization-id",
        "openai-version",
        "openai-processing-ms",
        "x-ratelimit-remaining-requests",
    ),
    *(
        "access-control-allow-origin",
        "vary",
        "age",
        "etag",
        "cache-control",
        "retry-after",
        "x-should-retry",
        "www-authenticate",
        "location",
    ),
    *(name.decode() for name in SESSION_HEADERS),
)


def test_each_header_goes_on_or_does_not_as_was_approved() -> None:
    headers = [(name.encode(), b"v") for name in NAMES]
    forward, back = to_provider(headers, accept_encoding=b"gzip"), to_client(headers)
    lines = [f"to the provider: {name.decode()}: {value.decode()}" for name, value in forward]
    lines += [f"to the client: {name.decode()}: {value.decode()}" for name, value in back]
    named = [(b"connection", b"x-a, X-B"), (b"x-a", b"1"), (b"x-b", b"2"), (b"x-c", b"3")]
    lines += [f"named by connection: {to_client(named)} {to_provider(named, accept_encoding=b'x')}"]
    for dialect, stream, array in itertools.product(DIALECTS, (False, True), (False, True)):
        if stream or not array:
            told = translated_to_client(
                [(b"x-request-id", b"a"), (b"request-id", b"b")], dialect=dialect, stream=stream, array=array
            )
            lines.append(f"translated for {dialect}, stream {stream}, array {array}: {told}")
    check_table("headers", lines)


def test_what_headers_say_is_read_as_was_approved() -> None:
    lines = [
        f"content type {value!r}: {media_type([(b'content-type', value)])!r}"
        for value in (b"A/B; c=d", b" a/b ", b"", b";x")
    ]
    lines += [
        f"without charset {value!r}: {without_charset([(b'content-type', value)])}"
        for value in (b"a/b; charset=x", b"a/b;charset=x; d=e", b"a/b")
    ]
    lines += [
        f"length {value!r}: {content_length([(b'content-length', value)])}"
        for value in (b"5", b"05", b"x", b"", b"-1", b"5, 5", b"9" * 30)
    ]
    texts = (
        *(
            "7",
            "7.5",
            "-1",
            "0",
            "",
            "x",
            "1e3",
            "99999999999",
            "Fri, 15 Jan 2027 08:00:07 GMT",
            "Friday, 15-Jan-27 08:00:07 GMT",
        ),
        *(
            "Fri Jan 15 08:00:07 2027",
            "Fri, 32 Jan 2027 08:00:07 GMT",
            "15 Jan 2027",
            "2027-01-15T08:00:07Z",
            "2027-01-15T10:00:07+02:00",
        ),
        *("2027-01-15T08:00:07.5Z", "2027-13-15T08:00:07Z", "1m30s", "2h", "5ms", "1h1m1.5s", "1d", "m", "1.s", "-5s"),
    )
    for text in texts:
        headers = [(b"retry-after", text.encode())]
        lines.append(
            f"{text!r}: date {parse_http_date(text)}, stamp {parse_rfc3339(text)}, duration {go_duration(text)}, "
            f"retry after {retry_after(headers, NOW)}, in ms {retry_after([(b'retry-after-ms', text.encode())], NOW)}, "
            f"sent at {sent_at([(b'date', text.encode())], NOW)}"
        )
    lines += [f"a wait of {seconds}: {bounded_wait(seconds)}" for seconds in (-1.0, 0.0, 5.0, 1e9, float("inf"))]
    # Noon of days around the changes of summer time in California, UTC.
    lines += [
        f"midnight there, {day}: {until_pacific_midnight(NOW + 86400.0 * day)}"
        for day in (0, 57, 58, 59, 60, 294, 295, 296, 297, 298)
    ]
    check_table("headers-read", lines)


def test_each_body_is_opened_as_was_approved() -> None:
    bodies = (
        *(
            b"{}",
            b"[]",
            b"",
            b" ",
            b"x",
            b'{"a":1}',
            b'{"a":1,"a":2}',
            b'{"model":"m","model":"n"}',
            b'{"stream":true,"stream":true}',
        ),
        *(
            b'{"a":\xff}',
            b'{"a":"\xff"}',
            b"\xef\xbb\xbf{}",
            b'{"a":NaN}',
            b'{"a":1}x',
            b"null",
            b'"x"',
            b"7",
            b"{'a':1}",
        ),
    )
    lines = []
    for body in bodies:
        try:
            told = str(sorted(read_envelope(body).fields))
        except EnvelopeError as error:
            told = f"refused: {error} ({error.param})"
        lines.append(f"{body[:40]!r}: {told}")
    texts = (
        b"{}",
        b"\xef\xbb\xbf{}",
        "{}".encode("utf-16"),
        "{}".encode("utf-16-le"),
        "{}".encode("utf-32-be"),
        b"\xff\xfe",
        b"",
    )
    lines += [f"as UTF-8 {text!r}: {as_utf8(text)!r}" for text in texts]
    for coding in (b"identity", b"gzip", b"x-gzip", b"deflate", b"zstd", b"br", b"gzip, deflate", b"", b"GZIP"):
        try:
            told = repr(decoder_for(coding, limit=100) is not None)
            told += f" {decode_whole(coding, b'', limit=100)!r}"
        except ValueError as error:
            told = f"{type(error).__name__}: {error}"
        lines.append(f"coding {coding!r}: {told}")
    events = (
        b"data: a\n\n",
        b"data:a\ndata: b\n\n",
        b"event: e\ndata: a\n\n",
        b": c\n\n",
        b"id: 1\ndata\n\n",
        b"data: a\r\n\r\n",
        b"data: a\r\r",
        b"odd\n\n",
        b"event:\n\n",
    )
    lines += [f"event {event!r}: {parse(event)}" for event in events]
    check_table("bodies", lines)
