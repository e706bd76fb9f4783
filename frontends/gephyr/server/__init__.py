"""The HTTP/1.1 server: h11 on asyncio transports, pumping the core by plain function calls."""

from gephyr.server.listener import Listener, ListenError, raise_open_file_limit, tls_context
from gephyr.server.response import Render, plain_error
from gephyr.server.shared import ServerLimits

__all__ = [
    "ListenError",
    "Listener",
    "Render",
    "ServerLimits",
    "plain_error",
    "raise_open_file_limit",
    "tls_context",
]
