"""Tokens over restarts and changes of the configuration; and that none of them is ever shown."""

import asyncio
import logging

import pytest

from gephyr.runtime.credentials import Vault
from gephyr.runtime.store_tokens import StoredToken
from gephyr.runtime.tokens import MemoryTokens, ServiceAccountGrant
from gephyr_core.events import TokenRefreshed
from gephyr_core.records import TokenState
from tests.runtime.service_account_key import key_file
from tests.runtime.token_endpoint import answer, token_endpoint
from tests.runtime.token_world import HOME, NOW, Disk, grant_of, make, world
from tests.waiting import until

pytestmark = pytest.mark.anyio


async def test_a_restart_goes_on_with_what_was_kept():
    async with world() as w:
        await w.refresh()
        after = w.restarted()
        assert after.tokens.restore() == [TokenState("a", NOW + 3600)]
        assert after.token == "at-MARKED-1"
        assert isinstance(await after.refresh(), TokenRefreshed)
        assert w.endpoint.requests[-1]["refresh_token"] == "rt-MARKED-1"


async def test_a_new_refresh_token_in_the_configuration_beats_the_kept_one():
    """Decision 15: the operator has signed in anew."""
    async with world() as w:
        await w.refresh()
        w.endpoint.refresh_token = "rt-MARKED-new"
        after = make(w.endpoint, w.disk, grant_of(w.endpoint, refresh_token="rt-MARKED-new"))
        assert after.tokens.restore() == [TokenState("a", 0.0)]
        assert after.token is None
        assert isinstance(await after.refresh(), TokenRefreshed)


async def test_a_clock_that_was_wrong_gives_no_token_eternal_life():
    async with world() as w:
        grant = grant_of(w.endpoint)
        w.disk.keep_token(StoredToken("a", "at", "rt", NOW * 2, grant.lineage, NOW * 2))
        assert w.tokens.restore() == [TokenState("a", NOW + 31 * 86400)]


async def test_a_sign_in_by_command_is_taken_over():
    """And so are accounts that come and go."""
    async with world(refresh_token="") as w:
        assert w.tokens.restore() == []
        grant = grant_of(w.endpoint, refresh_token="")
        w.disk.keep_token(StoredToken("a", "at-login", "rt-MARKED-0", NOW + 60, grant.lineage, NOW))
        newer = Vault()
        newer.await_token("a", HOME)
        newer.await_token("b", HOME)
        w.vault.update(newer)
        states = await w.tokens.reload({"a": grant, "b": grant_of(w.endpoint)})
        assert states == [TokenState("a", NOW + 60), TokenState("b", 0.0)]
        assert w.token == "at-login"
        assert isinstance(await w.refresh(), TokenRefreshed)
        w.disk.forget_token("a")
        assert await w.tokens.reload({"a": grant}) == []
        assert w.token is None


async def test_what_is_read_beside_a_refresh_does_not_undo_it():
    """A command changes accounts while a token is being rotated."""
    async with world() as w:
        w.endpoint.opened.clear()
        asking = asyncio.create_task(w.refresh())
        await until(lambda: w.endpoint.count)
        changing = asyncio.create_task(w.tokens.reload({"a": grant_of(w.endpoint)}))
        w.endpoint.opened.set()
        assert await changing == [TokenState("a", NOW + 3600)]
        assert await asking == TokenRefreshed("a", NOW + 3600)
        assert w.token == "at-MARKED-1"


async def test_a_service_account_signs_its_requests_and_has_nothing_to_lose():
    """No note is written: its key is not used up."""
    async with token_endpoint() as endpoint:
        w = make(endpoint, Disk(), ServiceAccountGrant.parse(key_file(token_uri=endpoint.url)))
        assert w.tokens.restore() == [TokenState("a", 0.0)]
        assert await w.refresh() == TokenRefreshed("a", NOW + 3600)
        assert (w.token, w.disk.log) == ("at-MARKED-1", ["keep"])
        assert endpoint.requests[0].keys() == {"grant_type", "assertion"}
        assert w.restarted().tokens.restore() == [TokenState("a", NOW + 3600)]


async def test_no_secret_is_ever_logged(capsys, caplog):
    """Whatever goes wrong."""
    caplog.set_level(logging.DEBUG)
    async with world() as w:
        w.disk.refuses.append("keep")
        await w.failure()
        w.disk.refuses = ["abandon"]
        await w.refresh()
        w.endpoint.answers.append(answer(400, {"error": "invalid_grant", "error_description": "rt-MARKED-0"}))
        await w.failure()
        w.disk.refuses = ["begin"]
        await w.failure()
        shown = repr(w.tokens) + repr(vars(w.tokens)) + repr(w.grant) + repr(vars(w.vault)) + repr(w.disk.tokens())
    out = capsys.readouterr()
    assert "the store of tokens cannot be written" in out.out + out.err + caplog.text
    assert "MARKED" not in out.out + out.err + caplog.text + shown


def test_without_a_data_directory_the_operator_is_warned_once(capsys):
    """Renewed refresh tokens end with the process, and the configured one is void by then."""
    tokens = MemoryTokens()
    for account in ("a", "b", "a"):
        tokens.begin_refresh(account, NOW)
    out = capsys.readouterr()
    assert (out.out + out.err).count("set server.data_dir") == 1
