"""A gateway in this process, on a real socket, whose one account is at a strict provider."""

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator
from typing import Any

import attrs

from gephyr.harness.in_process import InProcessUpstream
from gephyr.harness.strict import StrictProvider
from gephyr.runtime.clock import GatewayClock
from gephyr.runtime.configuration import load_mapping
from gephyr.runtime.observers import Observers, RequestLog
from gephyr.runtime.service import Service, render_error
from gephyr.runtime.store import MemoryStore
from gephyr.server import Listener, ServerLimits
from tests.waiting import WAIT

KEY = "a-client-key"


@attrs.frozen
class StrictGateway:
    """Where the gateway listens, and the provider behind it."""

    url: str
    provider: StrictProvider


@contextlib.asynccontextmanager
async def strict_gateway(kind: str, **sections: Any) -> AsyncIterator[StrictGateway]:
    """Serve one account at a strict provider of *kind* (a provider's name in the configuration)."""
    account = {"id": "the-account", "provider": kind, "api_key": "an-account-key", "models": ["*"]}
    mapping = {"auth": {"api_keys": [KEY]}, "accounts": [account], **sections}
    provider, clock = StrictProvider(), GatewayClock()
    service = Service(
        load_mapping(mapping, {}).config,
        upstream=InProcessUpstream({"the-account": provider}, clock),
        store=MemoryStore(),
        observers=Observers(request_log=RequestLog(io.BytesIO())),
        clock=clock,
    )
    limits = ServerLimits()
    listener = Listener(service.driver, host="127.0.0.1", port=0, limits=limits, render=render_error)
    await listener.start()
    try:
        yield StrictGateway(f"http://127.0.0.1:{listener.port}", provider)
    finally:
        listener.stop_accepting()
        listener.abort()
        await asyncio.wait_for(listener.wait_closed(), WAIT)
        await service.aclose()
