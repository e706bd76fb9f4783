"""The way to the providers: HTTP/1.1 over TCP and TLS, directly or through proxies, on connections that are kept."""

from gephyr.runtime.upstream.keepalive import KeepAlive
from gephyr.runtime.upstream.routes import ProxyUrl
from gephyr.runtime.upstream.sockets import SocketUpstream

__all__ = ["KeepAlive", "ProxyUrl", "SocketUpstream"]
