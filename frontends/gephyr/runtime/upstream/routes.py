"""Outbound routes: which proxy, if any, a call goes through."""

from typing import Self
from urllib.parse import unquote, urlsplit

import attrs

_DEFAULT_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}


@attrs.frozen
class ProxyUrl:
    """A proxy's address and credentials.

    ``socks5`` and ``socks5h`` mean the same here: the proxy looks names up, so that no name leaks past it.
    """

    scheme: str
    """``http``, ``https`` (TLS to the proxy), ``socks5`` or ``socks5h``."""
    host: str
    port: int
    username: str = ""
    """Empty when the proxy wants no credentials."""
    password: str = attrs.field(default="", repr=False)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read ``scheme://[user[:password]@]host[:port]``. Raises ValueError, whose text never quotes the URL."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            # The original text may quote the URL, password included.
            raise ValueError("not a proxy URL: bad host or port") from None
        if parts.scheme not in _DEFAULT_PORTS:
            raise ValueError(f"a proxy URL starts with one of {', '.join(f'{s}://' for s in _DEFAULT_PORTS)}")
        if not parts.hostname:
            raise ValueError("a proxy URL needs a host")
        if port == 0:
            raise ValueError("a proxy's port is between 1 and 65535")
        if parts.path not in ("", "/") or parts.query or parts.fragment:
            raise ValueError("a proxy URL ends after host and port")
        username, password = unquote(parts.username or ""), unquote(parts.password or "")
        if password and not username:
            raise ValueError("a proxy's password needs a user name")
        # RFC 1929: one octet holds the length of each.
        if parts.scheme.startswith("socks") and max(len(username.encode()), len(password.encode())) > 255:
            raise ValueError("a SOCKS user name or password is at most 255 bytes long")
        return cls(parts.scheme, parts.hostname, port or _DEFAULT_PORTS[parts.scheme], username, password)
