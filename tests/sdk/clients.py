"""The SDKs' clients, and what lets one test drive the sync and the async ones alike."""

import contextlib
import inspect
from collections.abc import AsyncIterator, Callable
from typing import Any

import attrs
import pytest


@attrs.define
class Clients:
    """Makes clients of one gateway. OpenAI's and Anthropic's raise for a reply that their types do not describe."""

    url: str
    key: str
    kind: str
    """``sync`` or ``async``."""
    _stack: contextlib.AsyncExitStack

    async def openai(self, **more: Any) -> Any:
        openai = pytest.importorskip("openai", reason="the openai SDK is not installed")
        make = openai.OpenAI if self.kind == "sync" else openai.AsyncOpenAI
        return await self._made(make, base_url=f"{self.url}/v1", **more)

    async def anthropic(self, **more: Any) -> Any:
        anthropic = pytest.importorskip("anthropic", reason="the anthropic SDK is not installed")
        make = anthropic.Anthropic if self.kind == "sync" else anthropic.AsyncAnthropic
        return await self._made(make, base_url=self.url, **more)

    async def _made(self, make: Any, **more: Any) -> Any:
        options = {"api_key": self.key, "max_retries": 0, "_strict_response_validation": True, **more}
        return await self._stack.enter_async_context(entered(make(**options)))

    async def gemini(self, **more: Any) -> Any:
        genai = pytest.importorskip("google.genai", reason="the google-genai SDK is not installed")
        client = genai.Client(**{"api_key": self.key, "http_options": {"base_url": self.url}, **more})
        self._stack.callback(client.close)
        return await self._stack.enter_async_context(entered(client if self.kind == "sync" else client.aio))


async def raised_by_anthropic(call: Callable[[], Any], name: str) -> Any:
    """What *call* raises: an exception of exactly this class. Releases before 1.0 lack some, for which they raise a more
    general one."""
    sdk = pytest.importorskip("anthropic", reason="the anthropic SDK is not installed")
    with pytest.raises(sdk.APIStatusError) as caught:
        await settled(call())
    assert type(caught.value) is getattr(sdk, name, type(caught.value))
    return caught.value


def type_told(error: Any) -> str:
    """The type of an error of Anthropic's: a field of its own since 1.0, in the body before."""
    told: str = error.type if hasattr(error, "type") else error.body["error"]["type"]
    return told


async def settled(value: Any) -> Any:
    """The value itself, of a sync or an async client's call."""
    return await value if inspect.isawaitable(value) else value


async def collected(stream: Any) -> list[Any]:
    """All that a stream, or a call that gives one, or a list with pages yields."""
    stream = stream if hasattr(stream, "__aiter__") else await settled(stream)
    return [item async for item in stream] if hasattr(stream, "__aiter__") else list(stream)


@contextlib.asynccontextmanager
async def entered(manager: Any) -> AsyncIterator[Any]:
    """Enter a sync or an async context manager."""
    if hasattr(manager, "__aenter__"):
        async with manager as value:
            yield value
    else:
        with manager as value:
            yield value
