"""The ASGI adapter: the gateway as an application for any asyncio ASGI host, alone or mounted in another."""

from gephyr.asgi.app import GephyrApp
from gephyr.asgi.exchange import ResponseAborted

__all__ = ["GephyrApp", "ResponseAborted"]
