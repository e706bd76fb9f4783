"""TCP keep-alive: a connection on which nothing is said for long stays known to what lies between (RFC 9293, 3.8.4).

A provider may think for minutes before it answers. NAT devices and load balancers forget a connection that is silent
for so long, and neither end is told. OpenAI's and Anthropic's SDKs therefore set what stands here by default.
"""

import contextlib
import socket

import attrs

from gephyr_core.config import UpstreamConfig

_IDLE = ("TCP_KEEPIDLE", "TCP_KEEPALIVE")
"""Linux, BSD and Windows have the first name, macOS the second."""
_INTERVAL = ("TCP_KEEPINTVL",)
_PROBES = ("TCP_KEEPCNT",)


@attrs.frozen
class KeepAlive:
    """When the system probes a silent connection, and after how many probes without an answer it closes it."""

    idle: int = 60
    """Seconds of silence before the first probe; 0: there are none."""
    interval: int = 60
    """Seconds between probes."""
    probes: int = 5

    @classmethod
    def configured(cls, upstream: UpstreamConfig) -> "KeepAlive":
        """Return what the settings ``upstream.tcp_keepalive_*`` ask for."""
        return cls(upstream.tcp_keepalive_idle, upstream.tcp_keepalive_interval, upstream.tcp_keepalive_probes)

    def apply(self, sock: socket.socket) -> None:
        """Set the options of *sock*. What the system does not have, or does not allow, stays as the system has it."""
        if not self.idle:
            return
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for names, value in ((_IDLE, self.idle), (_INTERVAL, self.interval), (_PROBES, self.probes)):
            option = next((getattr(socket, name) for name in names if hasattr(socket, name)), None)
            if option is not None:
                with contextlib.suppress(OSError):
                    sock.setsockopt(socket.IPPROTO_TCP, option, value)
