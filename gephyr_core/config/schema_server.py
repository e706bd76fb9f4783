"""The gateway's own side of the configuration: listener, auth, admin, CORS and who may connect."""

from typing import Annotated, Literal, get_args

import attrs

from gephyr_core.config.rules import (
    ANY_TEXT,
    BROWSER_ORIGIN,
    DIGEST,
    HOST,
    NETWORK,
    OPTIONAL_HTTP_URL,
    OPTIONAL_LISTENER,
    Seconds,
    Whole,
    Word,
)

AuthMode = Literal["strict", "off", "all_except_health"]


@attrs.frozen(kw_only=True)
class ServerConfig:
    """``[server]``: where Gephyr listens, and the limits it keeps towards its clients."""

    host: Annotated[str, HOST] = "127.0.0.1"
    port: Annotated[int, Whole(0, 65535)] = 8045
    """0 takes any free port."""
    data_dir: Annotated[str, ANY_TEXT] = "~/.gephyr"
    """Where the store is. Absolute once the runtime has loaded the configuration."""
    max_body_size: Annotated[int, Whole(1)] = 104857600
    """Bytes of one request's body, after its content coding is undone."""
    request_timeout: Annotated[float, Seconds()] = 600.0
    drain_timeout: Annotated[float, Seconds(0)] = 10.0
    max_header_size: Annotated[int, Whole(1024, 16777216)] = 65536
    """Bytes of a request's line and headers together."""
    header_timeout: Annotated[float, Seconds()] = 10.0
    idle_timeout: Annotated[float, Seconds()] = 75.0
    max_connections: Annotated[int, Whole(1)] = 10000
    max_connections_per_address: Annotated[int, Whole(0)] = 2000
    """Of one client's address; trusted proxies have as many as they like. 0: no limit."""
    max_buffered_bytes: Annotated[int, Whole(1)] = 1073741824
    """Bytes of all request bodies, whole replies being collected and preludes held at one time."""
    keepalive_interval: Annotated[float, Seconds(1, 60)] = 10.0
    """Silence before a sign of life is sent into a stream, seconds."""
    tls_cert: Annotated[str, ANY_TEXT] = ""
    tls_key: Annotated[str, ANY_TEXT] = ""
    metrics_listen: Annotated[str, OPTIONAL_LISTENER] = ""
    """A listener of its own for ``/metrics``, without auth; empty: ``/metrics`` is served with the rest."""
    expose_account: bool = False


@attrs.frozen(kw_only=True)
class AuthConfig:
    """``[auth]``: which clients are let in. Holds digests, never a key."""

    mode: Annotated[AuthMode, Word(get_args(AuthMode), (("auto", "strict"),))] = "strict"
    api_keys: tuple[Annotated[str, DIGEST], ...] = attrs.field(default=(), repr=False)
    """SHA-256 hex digests of the client keys."""
    web_password: Annotated[str, DIGEST] = attrs.field(default="", repr=False)
    """SHA-256 hex digest; empty when none is set."""
    allow_lan_access: bool = False


@attrs.frozen(kw_only=True)
class AdminConfig:
    """``[admin]``: the admin API."""

    enabled: bool = False
    public_url: Annotated[str, OPTIONAL_HTTP_URL] = ""


@attrs.frozen(kw_only=True)
class CorsConfig:
    """``[cors]``: which web pages may call Gephyr. No origin: none may."""

    origins: tuple[Annotated[str, BROWSER_ORIGIN], ...] = ()


@attrs.frozen(kw_only=True)
class SecurityConfig:
    """``[security]``: lists of addresses and networks, each as ``10.0.0.0/8``."""

    trusted_proxies: tuple[Annotated[str, NETWORK], ...] = ()
    """Peers whose ``x-forwarded-for`` is believed."""
    allow: tuple[Annotated[str, NETWORK], ...] = ()
    """If not empty, only these clients are served."""
    block: tuple[Annotated[str, NETWORK], ...] = ()
    """These are refused, even when they are in *allow*."""
