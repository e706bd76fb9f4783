"""Refreshing: one request however many ask, nothing used before it is on the disk, nothing lost that was rotated."""

import asyncio

import pytest

from gephyr_core.commands import RefreshToken
from gephyr_core.events import TokenRefreshed
from gephyr_core.records import TokenState
from tests.runtime.token_endpoint import answer
from tests.runtime.token_world import NOW, world
from tests.runtime.upstream_world import Visitor
from tests.waiting import until

pytestmark = pytest.mark.anyio


# -- the order ------------------------------------------------------------------------------------------------


async def test_a_token_is_on_the_disk_before_anybody_learns_of_it():
    """Decision 15: intent, request, disk, vault, answer."""
    async with world() as w:
        assert w.tokens.restore() == [TokenState("a", 0.0)]
        in_vault = []
        w.disk.on_keep = lambda: in_vault.append((w.endpoint.count, w.token))
        assert await w.refresh() == TokenRefreshed("a", NOW + 3600)
        assert in_vault == [(1, None)]
        assert w.disk.log == ["begin", "keep"]
        assert (w.token, w.kept()) == ("at-MARKED-1", ("at-MARKED-1", "rt-MARKED-1"))
        assert w.disk.notes == []


async def test_a_rotated_refresh_token_is_the_one_that_is_sent_next():
    async with world() as w:
        for number in range(1, 4):
            w.now += 1000
            assert await w.refresh() == TokenRefreshed("a", w.now + 3600)
            assert w.kept() == (f"at-MARKED-{number}", f"rt-MARKED-{number}")
        assert [form["refresh_token"] for form in w.endpoint.requests] == ["rt-MARKED-0", "rt-MARKED-1", "rt-MARKED-2"]


async def test_a_refresh_token_that_is_not_rotated_stays():
    async with world() as w:
        w.endpoint.rotates = False
        await w.refresh()
        await w.refresh()
        assert w.kept() == ("at-MARKED-2", "rt-MARKED-0")


async def test_two_hundred_who_ask_at_once_are_served_by_one_request():
    async with world() as w:
        w.endpoint.opened.clear()
        asking = [asyncio.create_task(w.refresh()) for _ in range(200)]
        await until(lambda: w.endpoint.count)
        w.endpoint.opened.set()
        assert await asyncio.gather(*asking) == [TokenRefreshed("a", NOW + 3600)] * 200
        assert w.endpoint.count == 1
        assert w.disk.log == ["begin", "keep"]


async def test_a_token_that_comes_after_its_asker_gave_up_is_not_lost():
    """The rotated refresh token is kept, the vault has the new token, and who asks again soon is told of it."""
    async with world() as w:
        w.endpoint.opened.clear()
        asking = asyncio.create_task(w.refresh())
        await until(lambda: w.endpoint.count)
        asking.cancel()
        await asyncio.wait([asking])
        w.endpoint.opened.set()
        await until(lambda: w.token)
        assert w.kept() == ("at-MARKED-1", "rt-MARKED-1")
        assert await w.refresh() == TokenRefreshed("a", NOW + 3600)
        assert w.endpoint.count == 1
        assert isinstance(await w.refresh(), TokenRefreshed)
        assert w.endpoint.count == 2


async def test_stopping_waits_for_a_refresh_under_way():
    """The endpoint has rotated the refresh token by then: to leave now would lose the account."""
    async with world() as w:
        w.endpoint.opened.clear()
        asking = asyncio.create_task(w.refresh())
        await until(lambda: w.endpoint.count)
        asking.cancel()
        asyncio.get_running_loop().call_later(0.02, w.endpoint.opened.set)
        await w.tokens.aclose()
        assert w.kept() == ("at-MARKED-1", "rt-MARKED-1")


# -- failures -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "code", "permanent", "wait"),
    [
        (answer(400, {"error": "invalid_grant"}), "invalid_grant", True, None),
        (answer(401, {"error": "unauthorized_client"}), "unauthorized_client", True, None),
        (answer(429, {}, retry_after="7"), "http_429", False, 7.0),
        (answer(503, "busy", retry_after="30"), "http_503", False, 30.0),
        ((200, {}, b"<html>at-MARKED"), "bad_answer", False, None),
        (answer(400, {"error": "x", "error_description": "rt-MARKED-0 cs-MARKED"}), "x", False, None),
    ],
)
async def test_what_an_endpoint_answers_ends_the_refresh(said, code, permanent, wait):
    """The old refresh token still counts; the next try may work."""
    async with world() as w:
        w.endpoint.answers.append(said)
        failed = await w.failure()
        assert (failed.code, failed.permanent, failed.retry_after) == (code, permanent, wait)
        assert w.disk.log == ["begin", "abandon"]
        assert w.token is None
        assert isinstance(await w.refresh(), TokenRefreshed)


async def test_a_client_that_is_not_recognised_is_shown_by_basic_and_so_from_then_on():
    """RFC 6749 section 2.3.1: some servers know no other way."""
    async with world() as w:
        w.endpoint.answers.append(answer(401, {"error": "invalid_client"}))
        assert isinstance(await w.refresh(), TokenRefreshed)
        assert isinstance(await w.refresh(), TokenRefreshed)
        assert ["client_secret" in form for form in w.endpoint.requests] == [True, False, False]
        w.endpoint.answers.extend([answer(401, {"error": "invalid_client"})] * 2)
        failed = await w.failure()
        assert (failed.code, failed.permanent, w.endpoint.count) == ("invalid_client", True, 5)


async def test_an_answer_that_was_lost_leaves_a_note():
    """At the next start the account is named; and if its refresh token turns out void, the reason is."""
    async with world() as w:
        w.endpoint.answers.append(Visitor.reset)
        failed = await w.failure()
        assert (failed.code, failed.permanent) == ("reset", False)
        assert w.disk.notes == ["a"]
        after = w.restarted()
        after.tokens.restore()
        w.endpoint.refresh_token = "rt-MARKED-1"
        for one in (w, after):
            failed = await one.failure()
            assert failed.detail == (
                "status 400: [redacted] is void; the answer to an earlier refresh was lost, "
                "and a new refresh token with it"
            )


async def test_an_endpoint_that_cannot_be_reached_was_not_asked():
    async with world() as w:
        failed = await w.tokens.refresh(RefreshToken("a", "proxy:gone", 5.0))
        assert (failed.code, failed.permanent) == ("proxy", False)
        assert w.disk.log == ["begin", "abandon"]


async def test_a_refresh_ends_within_its_time():
    async with world() as w:
        w.endpoint.opened.clear()
        failed = await w.tokens.refresh(RefreshToken("a", "direct", 0.1))
        assert (failed.code, failed.permanent) == ("timeout", False)
        w.endpoint.opened.set()


@pytest.mark.parametrize("account", ["a", "b"])
async def test_an_account_without_a_way_to_get_a_token_says_so(account):
    """Nobody has signed in, or the account has a key."""
    async with world(refresh_token="") as w:
        assert w.tokens.restore() == []
        failed = await w.tokens.refresh(RefreshToken(account, "direct", 5.0))
        assert (failed.code, failed.permanent) == ({"a": "not_signed_in", "b": "unavailable"}[account], True)
        assert w.disk.log == []


# -- a disk that fails ----------------------------------------------------------------------------------------


async def test_without_a_disk_nothing_is_asked():
    """A rotated refresh token would have no place."""
    async with world() as w:
        w.disk.refuses.append("begin")
        failed = await w.failure()
        assert (failed.code, failed.permanent, w.endpoint.count) == ("store", False, 0)


async def test_a_rotated_token_that_the_disk_refuses_is_held_until_it_does_not():
    """Used by nobody before; and not asked for again, since the refresh token before it is void."""
    async with world() as w:
        w.disk.refuses.append("keep")
        assert (await w.failure()).code == "store"
        assert (await w.failure()).code == "store"
        assert w.token is None
        w.disk.refuses.clear()
        assert await w.refresh() == TokenRefreshed("a", NOW + 3600)
        assert (w.token, w.kept(), w.endpoint.count) == ("at-MARKED-1", ("at-MARKED-1", "rt-MARKED-1"), 1)


async def test_stopping_tries_the_disk_once_more():
    async with world() as w:
        w.disk.refuses.append("keep")
        await w.failure()
        w.disk.refuses.clear()
        await w.tokens.aclose()
        assert w.kept() == ("at-MARKED-1", "rt-MARKED-1")


async def test_a_token_that_can_be_had_again_needs_no_disk():
    """The refresh token is as it was: nothing is lost by using what came of it."""
    async with world() as w:
        w.endpoint.rotates = False
        w.disk.refuses.extend(["keep", "abandon"])
        assert isinstance(await w.refresh(), TokenRefreshed)
        assert w.token == "at-MARKED-1"
