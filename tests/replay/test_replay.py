"""Recorded traffic through the real server, the real core and real sockets: nothing of it may change on its way.

The client sends the recorded request, a stub in another process answers with the recorded reply, cut at random places.
"""

import asyncio
import hashlib
import json
import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import pytest

from gephyr.runtime.clock import GatewayClock
from gephyr.runtime.store import MemoryStore
from gephyr_core.pins import LIFETIME
from gephyr_core.records import Pin
from tests.acceptance.client import KEY, Client, Response, connected
from tests.acceptance.gateway import Gateway, account, configuration, gateway
from tests.acceptance.stub import Stub, fresh_stub
from tests.recordings import traffic
from tests.replay.recordings import Exchange, recordings

pytestmark = [pytest.mark.anyio, pytest.mark.recordings]

_CLIENTS = 8
"""Connections over which the exchanges are spread."""
_CREDENTIALS = {"openai": "authorization", "anthropic": "x-api-key", "gemini": "x-goog-api-key"}
_RELAYED = re.compile(r"content-type|retry-after(-ms)?|x-should-retry|x-ratelimit-.*|anthropic-ratelimit-.*")
OWNER = hashlib.sha256(KEY.encode()).hexdigest()


class PinnedStore(MemoryStore):
    """A store that an earlier process left: it knows who made the objects."""

    def __init__(self, objects: Collection[str]) -> None:
        super().__init__()
        self._pinned = objects

    def load_pins(self, now: float) -> list[Pin]:
        expires_at = now + LIFETIME
        return [Pin(OWNER, object_id, "openai", "openai", expires_at) for object_id in self._pinned]


def blames_credential(exchange: Exchange) -> bool:
    """Whether a recorded reply says that the provider does not know its caller: the gateway's fault, not the client's.

    By the documents of the providers; the one recorded 403 is Gemini's for a call without a key. Gemini and xAI tell
    a bad key with a 400.
    """
    said = (b"API_KEY_INVALID", b"Incorrect API key provided")
    return exchange.status in {401, 402, 403} or any(words in exchange.reply for words in said)


def settings(stub: Stub) -> dict[str, Any]:
    """An account at each provider. Their names are no prefixes of recorded models (``openai/gpt-4o`` at OpenRouter)."""
    names = list(_CREDENTIALS)
    accounts = [account(name, stub.url(name), f"stub-{name}") for name in names]
    return configuration(accounts, providers={f"stub-{name}": {"kind": name} for name in names})


async def replay(stub: Stub, world: Gateway, exchanges: Sequence[Exchange], folder: Path) -> list[Response]:
    """Send every request, and return the responses in the order of *exchanges*."""
    with (folder / "answers.jsonl").open("w", encoding="utf-8") as file:
        for exchange in exchanges:
            file.write(json.dumps([exchange.id, exchange.answer()]) + "\n")
    await stub.order("load", path=str(folder / "answers.jsonl"))
    responses: dict[int, Response] = {}
    waiting = iter(enumerate(exchanges))

    async def work(client: Client) -> None:
        for number, exchange in waiting:
            headers = {**exchange.headers, "x-stub-answer": exchange.id}
            responses[number] = await client.ask(exchange.method, exchange.target, exchange.body, headers)

    async def connect_and_work() -> None:
        async with connected(world.port) as client:
            await work(client)

    await asyncio.gather(*(connect_and_work() for _ in range(_CLIENTS)))
    return [responses[number] for number in range(len(exchanges))]


def differences_upstream(exchange: Exchange, seen: dict[str, Any]) -> list[str]:
    """What the provider saw that the client did not send."""
    headers = {name.lower(): value for name, value in seen["headers"]}
    wanted = {name.lower(): value for name, value in exchange.headers.items()}
    credential = headers.pop(_CREDENTIALS[exchange.provider], "")
    found = []
    if (seen["method"], seen["target"]) != (exchange.method, f"/{exchange.provider}{exchange.target}"):
        found.append(f"asked {seen['method']} {seen['target']} for {exchange.method} {exchange.target}")
    if seen["body"] != exchange.body:
        found.append("another body")
    if changed := {name: headers.get(name) for name in wanted if headers.get(name) != wanted[name]}:
        found.append(f"headers {changed}")
    if credential.removeprefix("Bearer ") != f"credential-of-{exchange.provider}" or KEY in str(seen["headers"]):
        found.append("the wrong credential")
    return found


def _relayed(exchange: Exchange) -> bytes:
    """The reply up to its end by its dialect: OpenRouter lets ``[DONE]`` follow the last event of a response."""
    if exchange.file.startswith("openai-responses"):
        return exchange.reply.removesuffix(b"data: [DONE]\n\n")
    return exchange.reply


def differences_downstream(exchange: Exchange, response: Response) -> list[str]:
    """What the client saw that the provider did not send."""
    found = []
    if response.status != exchange.status:
        found.append(f"status {response.status} for {exchange.status}: {response.body[:200]!r}")
    elif response.body != _relayed(exchange):
        found.append("another reply")
    for name, value in exchange.reply_headers.items():
        if exchange.status == 429 and name == "retry-after-ms":
            continue  # the wait that is told is the gateway's own: that of the account which is free first
        if _RELAYED.fullmatch(name) and response.header(name) != value:
            found.append(f"{name}: {response.header(name)} for {value}")
    return found


async def test_recorded_exchanges_pass_unchanged_both_ways(stub_ports: dict[str, int], tmp_path: Path) -> None:
    """Byte for byte: the request but for credentials, the reply with its status and its limits' headers.

    Errors that are no fault of the credential are relayed as they are, those after which other accounts would have
    been asked (429, 500) too: there is one account. Objects that requests refer to were made before the recording
    began or by exchanges that come later in the files, so their pins are restored from the store.
    """
    exchanges = [exchange for exchange in recordings() if not blames_credential(exchange)]
    store = PinnedStore({name for exchange in exchanges for name in exchange.references})
    async with fresh_stub(stub_ports) as stub, gateway(settings(stub), store, GatewayClock()) as world:
        responses = await replay(stub, world, exchanges, tmp_path)
        seen = {dict(request["headers"])["x-stub-answer"]: request for request in await stub.take()}
        assert world.in_use() | {"client_connections": 0, "upstream_connections": 0} == dict.fromkeys(world.in_use(), 0)
    found = {
        exchange.id: problems
        for exchange, response in zip(exchanges, responses, strict=True)
        if (problems := differences_downstream(exchange, response))
        or (problems := differences_upstream(exchange, seen[exchange.id]))
    }
    assert not found, json.dumps(found, indent=1)
    assert len(exchanges) > traffic.counted(whole=2500, selected=900)


async def test_recorded_refusals_of_the_credential_are_the_gateways_fault(
    stub_ports: dict[str, int], tmp_path: Path
) -> None:
    """502 in the dialect, without a word of the provider's: the client would think its own key bad.

    Each has a gateway of its own, since an account whose credential was refused is left alone afterwards.
    """
    exchanges = [exchange for exchange in recordings() if blames_credential(exchange)]
    responses = []
    async with fresh_stub(stub_ports) as stub:
        for exchange in exchanges:
            async with gateway(settings(stub)) as world:
                responses += await replay(stub, world, [exchange], tmp_path)
    assert {response.status for response in responses} == {502}
    for exchange, response in zip(exchanges, responses, strict=True):
        error = json.loads(response.body)["error"]
        assert "accepts none of the accounts" in error["message"]
        kind = {"anthropic": ("type", "api_error"), "gemini": ("code", 502), "openai": ("type", "server_error")}
        name, value = kind[exchange.provider]
        assert error[name] == value, exchange.id
    assert len(exchanges) > 20


async def test_recorded_follow_ups_find_the_account_that_made_their_objects(
    stub_ports: dict[str, int], tmp_path: Path
) -> None:
    """Nothing is restored: the exchanges that made the objects are replayed first, and the gateway learns from them."""
    everything = [exchange for exchange in recordings() if exchange.provider == "openai"]
    wanted = {name for exchange in everything for name in exchange.references}
    made = {exchange.made: exchange for exchange in everything if exchange.made in wanted}
    follow_ups = [
        exchange for exchange in everything if exchange.references and all(name in made for name in exchange.references)
    ]
    strangers = [exchange for exchange in everything if any(name not in made for name in exchange.references)]
    creations = [exchange for exchange in made.values() if exchange not in follow_ups]
    async with fresh_stub(stub_ports) as stub, gateway(settings(stub)) as world:
        await replay(stub, world, creations, tmp_path)
        for exchange in follow_ups:  # in their order: a follow-up may refer to the one before it
            [response] = await replay(stub, world, [exchange], tmp_path)
            assert differences_downstream(exchange, response) == []
        asked = (await stub.count())["requests"]
        refusals = await replay(stub, world, strangers, tmp_path)
        assert {response.status for response in refusals} == {404}
        assert (await stub.count())["requests"] == asked
    assert len(follow_ups) > 10
    assert strangers
