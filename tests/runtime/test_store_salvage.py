"""A damaged store's rows are read without SQLite as SQLite wrote them, at every size at which its format changes."""

import sqlite3
from pathlib import Path

import pytest

from gephyr.runtime.store_salvage import CommandedState, SealedAccount, SealedToken, salvage
from gephyr.runtime.store_schema import MIGRATIONS

PAGE = 512


def file_of(folder: Path, page: int = PAGE, **rows: list[tuple]) -> Path:
    """A store's file with pages of *page* bytes and *rows* by table, which SQLite wrote."""
    path = folder / "gephyr.sqlite3"
    database = sqlite3.connect(path)
    database.execute(f"PRAGMA page_size = {page}")
    for statement in (one for migration in MIGRATIONS for one in migration):
        database.execute(statement)
    for table, values in rows.items():
        places = ", ".join("?" * len(values[0]))
        database.executemany(f"INSERT INTO {table} VALUES ({places})", values)  # noqa: S608 (this file's own names)
    database.commit()
    database.close()
    return path


def accounts(sizes: range) -> list[tuple]:
    return [(f"a{size:06}", b"{}", bytes(number % 251 for number in range(size)), float(size)) for size in sizes]


@pytest.mark.parametrize(
    ("page", "sizes"),
    [
        (512, range(PAGE - 80, PAGE + 10)),
        (512, range(2 * PAGE - 80, 2 * PAGE + 10)),
        (512, range(20_000, 20_003)),
        (4096, range(4096 - 70, 4096)),
        (65536, range(65530, 65534)),
    ],
)
def test_a_row_of_a_table_comes_back_at_any_size(tmp_path: Path, page: int, sizes: range) -> None:
    """Whole on its page, or with a rest on one, two or many others."""
    rows = accounts(sizes)
    found = salvage(file_of(tmp_path, page, added_accounts=rows))
    assert found.accounts == tuple(SealedAccount(*row) for row in rows)
    assert (found.lost_accounts, found.missing) == ((), 0)


@pytest.mark.parametrize(
    ("page", "sizes"),
    [
        (512, range(1, 140)),
        (512, range(PAGE - 60, PAGE + 60)),
        (1024, range(190, 220)),
        (1024, range(1020, 1140)),
        (4096, range(950, 1000)),
    ],
)
def test_a_row_of_an_index_comes_back_at_any_size(tmp_path: Path, page: int, sizes: range) -> None:
    """Its own limits apply, on leaves and on the pages above them."""
    rows = [(f"s{size:04}", 1, "operator", 0.5 + size, "c" * size) for size in sizes]
    found = salvage(file_of(tmp_path, page, account_states=rows))
    assert sorted(found.states, key=lambda state: state.since) == [CommandedState(*row) for row in rows]


@pytest.mark.parametrize("number", [0, 1, 127, -128, 128, 32_767, 32_768, 2**23, 2**31, 2**40, 2**47, 2**53, 0.5, -1.5])
def test_a_time_comes_back_in_any_of_the_forms_that_it_is_stored_in(tmp_path: Path, number: float) -> None:
    """SQLite stores a whole number of a column of reals in as few bytes as it takes."""
    row = ("a", "0123456789abcdef", b"sealed", number, "lineage", 0.0)
    assert salvage(file_of(tmp_path, tokens=[row])).tokens == (SealedToken(*row),)


@pytest.mark.parametrize("filler", [b"\0", b"\xff"])
def test_a_row_whose_rest_is_gone_is_no_row(tmp_path: Path, filler: bytes) -> None:
    """Not one with half a secret; those beside it come back, and it is named among what is lost."""
    rows = accounts(range(3000, 3002))
    path = file_of(tmp_path, added_accounts=rows)
    content = path.read_bytes()
    start = content.index(bytes(number % 251 for number in range(2000, 2200))) // PAGE * PAGE
    path.write_bytes(content[:start] + filler * PAGE + content[start + PAGE :])
    found = salvage(path)
    assert len(found.accounts) == 1
    assert {one.account for one in found.accounts} | set(found.lost_accounts) == {"a003000", "a003001"}


def test_a_row_whose_rest_was_cut_off_is_no_row(tmp_path: Path) -> None:
    path = file_of(tmp_path, added_accounts=accounts(range(3000, 3001)))
    content = path.read_bytes()
    path.write_bytes(content[: -2 * PAGE])
    found = salvage(path)
    assert found.accounts == ()
    assert (found.lost_accounts, found.missing) == (("a003000",), 2)


def test_a_rest_that_leads_back_to_itself_is_read_once(tmp_path: Path) -> None:
    """A damaged number of the following page must not keep the operator waiting for ever."""
    rows = accounts(range(600, 601))
    path = file_of(tmp_path, added_accounts=rows)
    content = path.read_bytes()
    start = content.index(rows[0][2][-50:]) // PAGE * PAGE
    itself = (start // PAGE + 1).to_bytes(4, "big")
    path.write_bytes(content[:start] + itself + content[start + 4 :])
    assert salvage(path).accounts == (SealedAccount(*rows[0]),)


@pytest.mark.parametrize("left", range(5))
def test_a_rest_of_which_nothing_is_left_but_where_it_leads_is_no_rest(tmp_path: Path, left: int) -> None:
    """Although it leads back to itself: the reading ends."""
    rows = accounts(range(600, 601))
    path = file_of(tmp_path, added_accounts=rows)
    content = path.read_bytes()
    start = content.index(rows[0][2][-50:]) // PAGE * PAGE
    assert start + PAGE == len(content)
    path.write_bytes(content[:start] + (start // PAGE + 1).to_bytes(4, "big")[:left])
    found = salvage(path)
    assert (found.accounts, found.lost_accounts) == ((), ("a000600",))


def test_a_row_of_a_size_that_no_account_has_is_left(tmp_path: Path) -> None:
    """What a damaged page claims is not read into memory without a bound."""
    found = salvage(file_of(tmp_path, 65536, added_accounts=[("large", b"{}", bytes(16 * 1024 * 1024), 1.0)]))
    assert (found.accounts, found.lost_accounts) == ((), ("large",))


def test_each_key_keeps_its_token(tmp_path: Path) -> None:
    """One that was sealed by an earlier key may be all that can be opened."""
    rows = [("a", f"{key:016x}", b"sealed", 9.0, "lineage", float(key)) for key in range(3)]
    assert salvage(file_of(tmp_path, tokens=rows)).tokens == tuple(SealedToken(*row) for row in rows)
