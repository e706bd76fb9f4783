"""The rules that a single value of the configuration can break: type, range and form.

A rule stands in the annotation of its field (``Annotated[int, Whole(least=1)]``). Types are TOML's: a boolean is
not a number, and a number is not text.
"""

import ipaddress
import math
import re
from collections.abc import Callable
from typing import Protocol
from urllib.parse import urlsplit

import attrs

from gephyr_core.addresses import parse_range
from gephyr_core.config.problems import RefusedValueError, kind_of, shown
from gephyr_core.model_names import fault_of_name


class Rule(Protocol):
    """What a value has to be."""

    def read(self, value: object) -> object:
        """Return the value, brought into its one form, or raise :class:`RefusedValueError`."""


@attrs.frozen
class Whole:
    """A whole number within bounds, both included."""

    least: int = 0
    most: int | None = None

    def read(self, value: object) -> int:
        """Return the number."""
        if isinstance(value, bool) or not isinstance(value, int):
            raise RefusedValueError(f"expected a whole number, got {shown(value)}")
        if value < self.least or (self.most is not None and value > self.most):
            bounds = f"of at least {self.least}" if self.most is None else f"from {self.least} to {self.most}"
            raise RefusedValueError(f"expected a whole number {bounds}, got {shown(value)}")
        return value


@attrs.frozen
class Seconds:
    """A length of time. Zero is allowed only where *least* says so."""

    least: float | None = None
    most: float = 86400.0

    def read(self, value: object) -> float:
        """Return the number of seconds as a float."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise RefusedValueError(f"expected a number of seconds, got {shown(value)}")
        too_small = value <= 0 if self.least is None else value < self.least
        if math.isnan(value) or too_small or value > self.most:
            least = "more than 0" if self.least is None else f"at least {self.least:g}"
            raise RefusedValueError(f"expected {least} and at most {self.most:g} seconds, got {shown(value)}")
        return float(value)


@attrs.frozen
class Text:
    """A string of a given form; the empty string where *optional* means "not set"."""

    pattern: str
    expected: str
    optional: bool = False

    def read(self, value: object) -> str:
        """Return the string."""
        if isinstance(value, str) and ((self.optional and not value) or re.fullmatch(self.pattern, value)):
            return value
        raise RefusedValueError(f"expected {self.expected}, got {shown(value)}")


@attrs.frozen
class Word:
    """One of several words, in any case; or another word for one of them."""

    words: tuple[str, ...]
    others: tuple[tuple[str, str], ...] = ()
    """Another word, and the one that it stands for."""

    def read(self, value: object) -> str:
        """Return the word as it is in :attr:`words`."""
        word = value.strip().lower() if isinstance(value, str) else ""
        word = dict(self.others).get(word, word)
        if word not in self.words:
            raise RefusedValueError(f"expected one of {', '.join(map(repr, self.words))}, got {shown(value)}")
        return word


@attrs.frozen
class ModelName(Text):
    """A model's name of a given form, as clients and providers may have one (``gephyr_core.model_names``)."""

    def read(self, value: object) -> str:
        """Return the name."""
        name = super().read(value)
        fault = fault_of_name(name.replace("*", "x"))
        if fault is not None:
            raise RefusedValueError(f"expected {self.expected}, got {shown(value)}: {fault}")
        return name


@attrs.frozen
class Reference:
    """A name in a secret's place: the runtime has moved the secret itself into its vault. Never quoted."""

    pattern: str
    expected: str

    def read(self, value: object) -> str:
        """Return the reference; empty when nothing is set."""
        if not isinstance(value, str):
            raise RefusedValueError(f"expected {self.expected}, got {kind_of(value)}")
        if value and not re.fullmatch(self.pattern, value):
            raise RefusedValueError(f"expected {self.expected}")
        return value


@attrs.frozen
class Form:
    """A string that a function can read; the empty string where *optional* means "not set"."""

    parse: Callable[[str], str]
    """Returns the string in its one form or raises ``ValueError``."""
    expected: str
    optional: bool = False

    def read(self, value: object) -> str:
        """Return the string as *parse* gives it."""
        if isinstance(value, str):
            if self.optional and not value:
                return value
            try:
                return self.parse(value)
            except ValueError:
                pass
        raise RefusedValueError(f"expected {self.expected}, got {shown(value)}")


def _http_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise ValueError("no http(s) URL")
    if "@" in parts.netloc or "?" in text or "#" in text or not re.fullmatch(r"[\x21-\x7e]+", text):
        raise ValueError("an URL that holds more than an origin and a path")
    return text.rstrip("/")


def _browser_origin(text: str) -> str:
    if text != "*" and urlsplit(_http_url(text)).path:
        raise ValueError("an origin has no path")
    return text.rstrip("/").lower()


def _network(text: str) -> str:
    return str(parse_range(text))


def _host(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        if re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,252})", text):
            return text
        raise


def _network_or_name(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        # What ends in a number is an address gone wrong, never a name.
        if re.fullmatch(r"([A-Za-z0-9]([A-Za-z0-9_-]{0,62})\.)*[A-Za-z]([A-Za-z0-9-]{0,62})", text):
            return text.lower()
        raise


def _listener(text: str) -> str:
    parts = urlsplit(f"//{text}")
    if not parts.hostname or parts.port is None or text != parts.netloc or "@" in text:
        raise ValueError("no host and port")
    _host(parts.hostname)
    return text


HTTP_URL = Form(_http_url, "an http(s) URL without user, query or fragment")
OPTIONAL_HTTP_URL = Form(_http_url, "an http(s) URL", optional=True)
BROWSER_ORIGIN = Form(_browser_origin, "'*' or an origin like 'https://app.example.com'")
NETWORK = Form(_network, "an IP address, or a network in CIDR form without host bits")
NETWORK_OR_NAME = Form(_network_or_name, "an IP address, a network in CIDR form without host bits, or a host name")
HOST = Form(_host, "an IP address or a host name")
OPTIONAL_LISTENER = Form(_listener, "a host and a port like '127.0.0.1:9108'", optional=True)
NAME = Text(
    r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}",
    "1 to 64 letters, digits and any of . _ @ + -, a letter or digit first",
)
MODEL_PATTERN = ModelName(r"\S(.*\S)?", "a model's name, '*' standing for any text")
MODEL_TARGET = ModelName(r"[^\s*/]([^*]*[^\s*/])?", "'provider/model' or a model's name")
ANY_TEXT = Text(r"[^\x00]*", "a string")
DIGEST = Reference(r"[0-9a-f]{64}", "a string")
ACCOUNT_SECRET = Reference(r"(?s)account:.*", "a string")
PROXY_ROUTE = Reference(r"(?s)(proxy|pool):.*", "a proxy's URL, or the id of one of proxy_pool.proxies")
