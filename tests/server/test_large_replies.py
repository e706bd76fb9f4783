"""Large replies arrive whole, and while they are on their way others are served."""

import hashlib

import pytest

from gephyr_core.events import RequestStarted
from tests.server.test_pipelining import LAST, get
from tests.server.world import reply, responses, serving

pytestmark = pytest.mark.anyio
BIG = bytes(range(256)) * 80_000


async def test_others_are_served_while_a_large_reply_goes_out() -> None:
    """A client that reads slowly, or not at all, is nobody else's business."""
    async with serving() as world:
        slow = await world.connect()
        slow.send(get(b"/wait"))
        await world.core.saw(RequestStarted)
        world.command(*reply(1, 200, BIG))
        ((status, _, _),) = responses(await world.talk(LAST))
        assert status == 200
        slow.send(LAST)
        first, _ = responses(await slow.read_all())
    assert hashlib.sha256(first[2]).digest() == hashlib.sha256(BIG).digest()


async def test_a_client_that_half_closes_gets_all_of_a_reply_that_was_made() -> None:
    """It has nothing more to say (RFC 9112, section 9.6), but reads what was said to it."""
    async with serving() as world:
        client = await world.connect()
        client.send(get(b"/wait"))
        await world.core.saw(RequestStarted)
        world.command(*reply(1, 200, BIG))
        client.writer.write_eof()
        ((_, _, body),) = responses(await client.read_all())
    assert hashlib.sha256(body).digest() == hashlib.sha256(BIG).digest()
