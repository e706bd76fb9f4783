"""Proxy URLs."""

import pytest

from gephyr.runtime.upstream import ProxyUrl


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://proxy", ProxyUrl("http", "proxy", 80)),
        ("https://proxy/", ProxyUrl("https", "proxy", 443)),
        ("socks5://10.0.0.1", ProxyUrl("socks5", "10.0.0.1", 1080)),
        ("SOCKS5H://Proxy:9", ProxyUrl("socks5h", "proxy", 9)),
        ("http://u:p@proxy:3128", ProxyUrl("http", "proxy", 3128, "u", "p")),
        ("http://u%40x:p%3A%2F@[::1]:3128", ProxyUrl("http", "::1", 3128, "u@x", "p:/")),
        ("http://u@proxy", ProxyUrl("http", "proxy", 80, "u")),
    ],
)
def test_a_proxy_url_is_read(url: str, expected: ProxyUrl) -> None:
    assert ProxyUrl.parse(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "proxy:3128",
        "ftp://proxy",
        "http://",
        "http://:hunter2@",
        "http://:hunter2@proxy",
        "http://u:hunter2@proxy:port",
        "http://u:hunter2@proxy:70000",
        "http://u:hunter2@proxy:0",
        "http://u:hunter2@[::1",
        "http://u:hunter2@proxy/path",
        "http://u:hunter2@proxy?x=1",
        "socks5://u:hunter2" + "x" * 256 + "@proxy",
    ],
)
def test_what_is_no_proxy_url_is_refused_without_quoting_it(url: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        ProxyUrl.parse(url)
    assert "hunter2" not in str(caught.value)


def test_a_password_shows_nowhere() -> None:
    proxy = ProxyUrl.parse("http://u:hunter2@[::1]:3128")
    assert "hunter2" not in repr(proxy) + str(proxy)
    assert str(proxy) == "http://[::1]:3128"
