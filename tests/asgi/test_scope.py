"""What the adapter reads from a connection scope."""

from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gephyr.asgi.scope import handshake_headers, headers_of, peer_of, scheme_of, target_of


def scope(raw_path: bytes | None, query: bytes = b"", **more: Any) -> dict[str, Any]:
    path = "/" if raw_path is None else unquote(raw_path.decode("latin-1"))
    return {"path": path, "raw_path": raw_path, "query_string": query, "headers": [], **more}


@pytest.mark.parametrize(
    ("raw_path", "query", "target"),
    [
        (b"/v1/models", b"", "/v1/models"),
        (b"/v1/models", b"limit=1%200", "/v1/models?limit=1%200"),
        (b"/v1/models/a%2Fb%25", b"", "/v1/models/a%2Fb%25"),
        (b"/v1/models?limit=1", b"limit=1", "/v1/models?limit=1"),
        (b"/v1/models/\xc3\xbc", b"q=\xc3\xbc", "/v1/models/%C3%BC?q=%C3%BC"),
        (b"/v1/models/a#b", b"q=1#2", "/v1/models/a%23b?q=1%232"),
        (b"/v1/a b\r\nx: y", b"q= \n", "/v1/a%20b%0D%0Ax:%20y?q=%20%0A"),
    ],
)
def test_the_target_is_what_was_sent(raw_path: bytes, query: bytes, target: str) -> None:
    """Nothing is decoded, and nothing that a target may not have gets into it."""
    assert target_of(scope(raw_path, query)) == target


@pytest.mark.parametrize("path", ["/v1/models/a/b", "/v1beta/models/m:generateContent", "/v1/models/ü 100%"])
def test_a_host_without_raw_path_gets_its_path_encoded(path: str) -> None:
    """Decoding it again gives the same."""
    target = target_of({"path": path, "query_string": b"a=b"})
    assert unquote(target) == path + "?a=b"
    assert target.isascii()
    assert " " not in target


@pytest.mark.parametrize(
    ("root_path", "raw_path", "target"),
    [
        ("", b"/v1/models", "/v1/models"),
        ("/", b"/v1/models", "/v1/models"),
        ("/llm", b"/llm/v1/models", "/v1/models"),
        ("/llm/", b"/llm/v1/models", "/v1/models"),
        ("/llm", b"/v1/models", "/v1/models"),
        ("/llm", b"/llm", "/"),
        ("/llm", b"/llm/", "/"),
        ("/llm", b"/llmx/v1/models", "/llmx/v1/models"),
        ("/a/b", b"/a/b/v1/models/x%2Fy", "/v1/models/x%2Fy"),
        ("/ü", b"/%C3%BC/v1/models", "/v1/models"),
        ("/llm", b"/%6Clm/v1/models", "/v1/models"),
    ],
)
def test_the_mounts_path_is_taken_off(root_path: str, raw_path: bytes, target: str) -> None:
    """Whether the host leaves it in the path or not, and however the client encoded it."""
    assert target_of(scope(raw_path, root_path=root_path)) == target


@given(st.binary(max_size=30), st.binary(max_size=30), st.sampled_from(["", "/", "/llm", "/a/b"]))
def test_a_target_is_always_one_word_of_ascii(path: bytes, query: bytes, root: str) -> None:
    """Whatever a host lets through: a target never breaks the line that it is written in."""
    target = target_of(scope(b"/" + path, query, root_path=root))
    assert target.startswith("/")
    assert all("!" <= character <= "~" for character in target)


def test_header_names_are_lower_case_whatever_the_host_did() -> None:
    """A credential is found by its name."""
    assert headers_of({"headers": [[b"X-Api-Key", b"k"], (b"a", b"B")]}) == [(b"x-api-key", b"k"), (b"a", b"B")]


def test_a_handshake_without_upgrade_gets_one() -> None:
    """Over HTTP/2 it has none."""
    assert handshake_headers({"headers": []}) == [(b"upgrade", b"websocket")]
    assert handshake_headers({"headers": [(b"upgrade", b"WebSocket")]}) == [(b"upgrade", b"WebSocket")]


def test_the_peer_may_be_unknown() -> None:
    """A local socket has no address."""
    assert peer_of({"client": ("192.0.2.1", 5)}) == "192.0.2.1"
    assert peer_of({"client": None}) == peer_of({}) == ""


@pytest.mark.parametrize(
    ("scheme", "expected"), [("http", "http"), ("https", "https"), ("ws", "http"), ("wss", "https")]
)
def test_a_websockets_scheme_is_that_of_its_handshake(scheme: str, expected: str) -> None:
    """As the core knows two."""
    assert scheme_of({"scheme": scheme}) == expected
    assert scheme_of({}) == "http"
