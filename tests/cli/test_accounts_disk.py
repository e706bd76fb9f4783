"""``gephyr accounts`` on a disk that is full, or beside somebody who holds the store: a clear word, and nothing half done."""

import contextlib
import sqlite3
from pathlib import Path

import pytest

from gephyr.runtime import store_file
from tests.cli.accounts_world import World, world_in
from tests.full_disk import full_disk, unix_only

ADD = ("add", "--id", "new", "--provider", "openai", "--api-key", "env:KEY")


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = world_in(tmp_path)
    world.environ["KEY"] = "sk-MARKED-3"
    return world


@unix_only
@pytest.mark.parametrize("most", [0, 1, 4096, 40_000])
def test_adding_on_a_full_disk_says_so_and_leaves_nothing_behind(world: World, most: int) -> None:
    """However much still fits: the key file, an empty database, a part of its tables."""
    with full_disk(most):
        assert "server.data_dir: " in world.run(*ADD, code=2).stderr
    assert world.tables() == {}
    world.run(*ADD)
    assert list(world.tables()) == ["new"]


@unix_only
@pytest.mark.parametrize("command", [ADD, ("disable", "first"), ("enable", "first"), ("remove", "old")])
def test_a_change_that_a_full_disk_refuses_is_no_change(world: World, command: tuple[str, ...]) -> None:
    """What was there before is there after it."""
    world.run("add", "--id", "old", "--provider", "openai", "--api-key", "env:KEY")
    with world.book() as book:
        book.disable("old")
        before = book.states()
        with full_disk():
            assert "nothing was changed: disk I/O error" in world.run(*command, code=1).stderr
        assert book.states() == before
        assert [added.account for added in book.added_accounts()] == ["old"]


def test_a_store_that_somebody_holds_for_long_is_told_of(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backup tool, or a stuck process: the command gives up after some seconds, and has changed nothing."""
    world.run(*ADD)
    monkeypatch.setattr(store_file, "_BUSY_TIMEOUT", 0.01)
    with contextlib.closing(sqlite3.connect(world.folder / "data" / "gephyr.sqlite3", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        told = world.run("disable", "first", code=1).stderr
        assert told == "error: the data directory cannot be used now, and nothing was changed: database is locked\n"
        other.execute("ROLLBACK")
    with world.book() as book:
        assert book.states() == []
