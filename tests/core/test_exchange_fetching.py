"""Addresses that a provider must be given as bytes are fetched first, if the operator allows it."""

import base64

import msgspec

from gephyr_core.commands import (
    CallUpstream,
    CancelQuestions,
    EndResponse,
    FetchUrl,
    ReadBody,
    SendBody,
    StartResponse,
)
from gephyr_core.config import ModelsConfig, ServerConfig, TranslationConfig
from gephyr_core.events import ClientGone, RequestBody, RequestEnded, UrlFetched, UrlFetchFailed
from tests.core.play import Play, account

URLS = ("https://example.com/a.png", "https://example.com/b.png")
PNG = b"\x89PNG\r\n\x1a\n0"


def gemini(*, fetch: bool = True, **sections: object) -> Play:
    return Play(
        account("g", "gemini"),
        models=ModelsConfig(routes={"m": ("gemini/gemini-2.5-pro",)}),
        translation=TranslationConfig(fetch_urls=fetch),
        **sections,
    )


def body(*urls: str) -> bytes:
    images = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    content = [{"type": "text", "text": "What is this?"}, *images]
    return msgspec.json.encode({"model": "m", "messages": [{"role": "user", "content": content}]})


def ask(play: Play, *urls: str) -> list[FetchUrl]:
    play.start()
    play.expect(ReadBody)
    play.feed(RequestBody(play.exchange, body(*urls)))
    play.expect()
    play.feed(RequestEnded(play.exchange))
    asked = play.expect(*[FetchUrl for _ in urls])
    return list(asked) if isinstance(asked, list) else [asked]


def test_what_was_fetched_goes_to_the_provider_as_bytes() -> None:
    play = gemini()
    first, second = ask(play, *URLS)
    assert (first.url, second.url) == URLS
    play.feed(UrlFetched(play.exchange, second.question, "image/png", PNG))
    play.expect()
    play.feed(UrlFetched(play.exchange, first.question, "image/png", PNG))
    call = play.expect(CallUpstream)
    parts = msgspec.json.decode(call.body)["contents"][0]["parts"]
    data = base64.b64encode(PNG).decode()
    assert [part.get("inlineData") for part in parts[1:]] == [{"mimeType": "image/png", "data": data}] * 2


def test_an_address_that_stands_twice_is_fetched_once() -> None:
    play = gemini()
    play.start()
    play.expect(ReadBody)
    play.feed(RequestBody(play.exchange, body(URLS[0], URLS[0])))
    play.expect()
    play.feed(RequestEnded(play.exchange))
    assert play.expect(FetchUrl).url == URLS[0]


def test_what_cannot_be_fetched_is_a_400_that_names_the_field() -> None:
    play = gemini()
    (asked,) = ask(play, URLS[0])
    play.feed(UrlFetchFailed(play.exchange, asked.question, "the server answered 404"))
    start, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert start.status == 400
    error = msgspec.json.decode(sent.data)["error"]
    assert error["param"].startswith("messages[0].content[1]")
    assert "404" in error["message"]
    play.finish()


def test_what_this_machine_has_no_room_to_fetch_is_a_503_that_may_be_repeated() -> None:
    """The client's address may be as good as any: a 400 would have its program give up."""
    play = gemini()
    (asked,) = ask(play, URLS[0])
    play.feed(
        UrlFetchFailed(play.exchange, asked.question, "the gateway has no room for another connection", ours=True)
    )
    start, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert (start.status, dict(start.headers)[b"retry-after"]) == (503, b"1")
    assert b"no room for another connection" in sent.data
    play.finish()


def test_where_fetching_is_off_the_request_is_refused_before_any_call() -> None:
    refusal = gemini(fetch=False).refused(body(URLS[0]))
    assert refusal.status == 400
    assert b"messages[0].content[1]" in refusal.body


def test_a_fetch_that_takes_too_long_is_given_up() -> None:
    play = gemini()
    ask(play, URLS[0])
    play.wait()
    _, start, _, _ = play.expect(CancelQuestions, StartResponse, SendBody, EndResponse)
    assert start.status == 400
    play.finish()


def test_a_client_that_leaves_meanwhile_leaves_nothing_behind() -> None:
    play = gemini()
    ask(play, URLS[0])
    play.feed(ClientGone(play.exchange))
    play.expect()
    play.finish()


def test_what_is_fetched_counts_among_what_is_held() -> None:
    play = gemini(server=ServerConfig(max_buffered_bytes=400, max_body_size=400))
    (asked,) = ask(play, URLS[0])
    play.feed(UrlFetched(play.exchange, asked.question, "image/png", b"0" * 500))
    start, _, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert start.status == 503
    play.finish()
