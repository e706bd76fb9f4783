"""Accounts that break without saying so, over real sockets: a session leaves them after a few requests."""

from collections.abc import Callable

import pytest

from tests.acceptance.client import connected
from tests.acceptance.gateway import account, configuration, gateway
from tests.acceptance.speech import CHAT, SPEECHES, Speech
from tests.acceptance.stub import Answer, Stub, sse_answer

pytestmark = pytest.mark.anyio

_PAGE = "<!doctype html><html><body>Just a moment...</body></html>"


def _cut_stream(speech: Speech) -> Answer:
    return sse_answer(*speech.prelude, speech.content, then="reset")


def _page(_: Speech) -> Answer:
    return {"status": 200, "headers": [["content-type", "text/html"]], "body": _PAGE}


def _reset(_: Speech) -> Answer:
    return {"status": 0, "then": "reset"}


BROKEN: dict[str, Callable[[Speech], Answer]] = {"cut stream": _cut_stream, "page": _page, "reset": _reset}
SESSION = {"x-session-id": "s"}


@pytest.mark.parametrize("speech", SPEECHES, ids=lambda speech: speech.name)
@pytest.mark.parametrize("how", BROKEN)
async def test_a_session_asks_a_broken_account_at_most_four_times_in_twelve(
    stub: Stub, speech: Speech, how: str
) -> None:
    """The account that the session is bound to begins to fail; the other one is well."""
    accounts = [account(name, stub.url(name), speech.provider) for name in ("first", "second")]
    for name in ("first", "second"):
        await stub.script(name, speech.answer(stream=True))
    async with gateway(configuration(accounts)) as world, connected(world.port) as client:
        client.send("POST", speech.stream_target, speech.body(stream=True), SESSION)
        assert (await client.response()).status == 200
        [bound] = [one["account"] for one in await stub.take()]
        await stub.script(bound, BROKEN[how](speech))
        for _ in range(12):
            client.send("POST", speech.stream_target, speech.body(stream=True), SESSION)
            assert (await client.response()).status == 200
        asked = [one["account"] for one in await stub.take()]
    assert asked.count(bound) <= 4
    assert len(asked) >= 12


async def test_four_accounts_on_one_dead_host_are_not_asked_one_after_the_other(stub: Stub) -> None:
    """A refusal may be a moment's, so it is tried once more a second later; what two calls learned is enough."""
    url = stub.url("dead", "refused")
    accounts = [account(f"dead-{number}", url) for number in range(4)]
    async with gateway(configuration(accounts)) as world, connected(world.port) as client:
        client.send("POST", CHAT.target, CHAT.body())
        await world.until(lambda world: b'event="unreachable"' in world.observers.metrics()[1])
        world.pass_time(1.0)
        answer = await client.response()
        assert answer.status == 502
        assert b"could not be reached" in answer.body
        assert [len(record.attempts) for record in world.records] == [2]
