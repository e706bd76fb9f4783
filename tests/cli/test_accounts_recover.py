"""``gephyr accounts recover``: what is left of a damaged store comes back, and nothing newer is replaced."""

import base64
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
import structlog

from gephyr.runtime.store import Store
from gephyr.runtime.store_tokens import StoredToken
from gephyr_core.records import AccountState
from tests.cli.accounts_world import World, world_in

NOW = 1_800_000_000.0
OLD = StoredToken("signs-in", "access-MARKED-old", "refresh-MARKED-old", NOW, "lineage", NOW - 100)
NEW = attrs.evolve(OLD, access_token="access-MARKED-new", obtained_at=NOW - 50.5)
LONG = StoredToken("added", "a-MARKED" * 3000, "r-MARKED" * 3000, NOW, "lineage", NOW - 70)
FILE = """
[server]
data_dir = "data"
[[accounts]]
id = "first"
provider = "openai"
api_key = "sk-MARKED-1"
[[accounts]]
id = "signs-in"
provider = "openai-compatible"
base_url = "https://llm.example"
oauth = { token_url = "https://login.example/token", client_id = "c", refresh_token = "r-MARKED" }
"""
ADDED = {"id": "added", "provider": "anthropic", "api_key": "sk-MARKED-2", "models": ["claude-*"]}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return world_in(tmp_path, FILE)


def aside(world: World) -> Path:
    return world.folder / "aside" / "gephyr.sqlite3"


def filled(world: World, *, log: bool = False) -> Path:
    """Fill a store and set it aside, by its key's side; return the file. With *log*, most of it is in the log."""
    with world.book() as book:
        book.sign_in(OLD)
        book.add_account(ADDED)
        book.add_account({**ADDED, "id": "gone"})
        book.sign_in(LONG)
        book.sign_in(NEW)
        book.remove_account("gone")
        book.disable("added")
        aside(world).parent.mkdir()
        if log:  # as at a power failure: nobody closed the file
            for suffix in ("", "-wal"):
                name = f"gephyr.sqlite3{suffix}"
                shutil.copy(world.folder / "data" / name, aside(world).with_name(name))
    if not log:
        shutil.copy(world.folder / "data" / "gephyr.sqlite3", aside(world))
    for file in (world.folder / "data").glob("gephyr.sqlite3*"):
        file.unlink()
    return aside(world)


def recovered(world: World, code: int = 0) -> list[str]:
    return world.run("recover", str(aside(world)), code=code).stdout.splitlines()


EVERYTHING = [
    "account added: recovered",
    "token of signs-in: recovered",
    "token of added: recovered",
    "account added: disabled, as it was",
]


def test_a_whole_file_comes_back_as_it_was(world: World) -> None:
    """Accounts with their keys, the newest tokens, the operator's command; not what had been removed."""
    filled(world)
    content = aside(world).read_bytes()
    assert sorted(recovered(world)) == sorted(EVERYTHING)
    assert aside(world).read_bytes() == content
    assert sorted(path.name for path in aside(world).parent.iterdir()) == ["gephyr.sqlite3"]
    assert world.tables() == {"added": ADDED}
    with world.book() as book:
        assert book.tokens.tokens() == [LONG, NEW]
        assert [(state.account, state.disabled) for state in book.states()] == [("added", "operator")]


def test_it_may_be_given_again_and_changes_nothing_then(world: World) -> None:
    """Whoever is not sure whether it worked tries again."""
    filled(world)
    recovered(world)
    assert sorted(recovered(world)) == [
        "account added: there is one; it was left as it is",
        "token of added: there is one that is as new; it was left as it is",
        "token of signs-in: there is one that is as new; it was left as it is",
    ]


def test_what_is_only_in_the_log_comes_back(world: World) -> None:
    """A power failure leaves the last changes there, and perhaps nothing else."""
    filled(world, log=True)
    assert sorted(recovered(world)) == sorted(EVERYTHING)


def test_a_log_without_its_file_comes_back(world: World) -> None:
    """Named by the file that is gone, or by its own name."""
    filled(world, log=True).unlink()
    told = world.run("recover", f"{aside(world)}-wal", code=1).stdout.splitlines()
    assert told.pop().startswith("the file is cut off: ")  # which held nothing but the empty tables
    assert sorted(told) == sorted(EVERYTHING)
    assert not aside(world).exists()


def test_a_log_that_was_torn_counts_as_far_as_it_was_committed(world: World) -> None:
    """As SQLite reads it: what follows the tear is no part of it."""
    filled(world, log=True)
    log = aside(world).with_name("gephyr.sqlite3-wal")
    log.write_bytes(log.read_bytes()[:-1])
    assert "account added: disabled, as it was" not in recovered(world)
    assert "added" in world.tables()


@pytest.mark.parametrize("damage", ["head", "first page", "schema"])
def test_a_damaged_beginning_costs_nothing(world: World, damage: str) -> None:
    """SQLite calls such a file no database at all."""
    file = filled(world)
    content = file.read_bytes()
    size = {"head": 100, "first page": 4096, "schema": 4096}[damage]
    filler = b"\0" if damage == "schema" else b"\xff"
    file.write_bytes(filler * size + content[size:])
    assert sorted(recovered(world)) == sorted(EVERYTHING)


def test_a_file_that_was_cut_off_gives_what_is_left_and_says_what_is_missing(world: World) -> None:
    """Many lengths are tried: never more than there was, and never an error but the words."""
    file = filled(world)
    content = file.read_bytes()
    complete = 0
    for length in range(0, len(content), 6500):
        file.write_bytes(content[:length])
        for made in (world.folder / "data").glob("gephyr.sqlite3*"):
            made.unlink()
        lines = recovered(world, code=1)
        assert any("pages are gone" in line or "no account and no token was found" in line for line in lines)
        complete += "account added: recovered" in lines
        assert set(world.tables()) <= {"added"}
    assert complete > 0


def test_what_is_lost_is_named_as_far_as_an_index_tells_of_it(world: World) -> None:
    """Whose secrets are gone has to be signed in or added again: the operator reads who that is."""
    file = filled(world)
    content = bytearray(file.read_bytes())
    for start in range(4096, len(content), 4096):
        if content[start] == 0x0D:  # a page of rows, of whichever table
            content[start : start + 4096] = bytes(4096)
    file.write_bytes(content)
    reason = "it is damaged, or was encrypted with another key than the present one"
    assert sorted(recovered(world, code=1)) == [
        f"account added: not recovered: {reason}",
        f"token of added: not recovered: {reason}",
        f"token of signs-in: not recovered: {reason}",
    ]


def test_any_bytes_changed_anywhere_are_survived(world: World) -> None:
    """What comes back is what was there: the seal of each secret is checked."""
    file = filled(world)
    content = file.read_bytes()
    draw = random.Random(7)
    for _ in range(10):
        broken = bytearray(content)
        for _ in range(60):
            broken[draw.randrange(len(broken))] = draw.randrange(256)
        file.write_bytes(broken)
        for made in (world.folder / "data").glob("gephyr.sqlite3*"):
            made.unlink()
        with world.book() as book:
            pass
        result = world.run("recover", str(file), code=None)
        assert result.exit_code in (0, 1)
        for table in world.tables().values():
            assert table["api_key"] == ADDED["api_key"]
        with world.book() as book:
            known = {(token.access_token, token.refresh_token) for token in (LONG, NEW)}
            assert {(token.access_token, token.refresh_token) for token in book.tokens.tokens()} <= known


def test_a_newer_token_and_a_later_command_stay(world: World) -> None:
    """A refresh token that was rotated since is the only one that counts."""
    filled(world)
    newer = attrs.evolve(NEW, access_token="access-MARKED-newest", obtained_at=NOW)
    with world.book() as book:
        book.sign_in(newer)
        book.enable("added")
    told = recovered(world)
    assert "token of signs-in: there is one that is as new; it was left as it is" in told
    assert "account added: disabled, as it was" not in told
    with world.book() as book:
        assert newer in book.tokens.tokens()
        assert book.states() == []


def test_an_older_token_gives_way(world: World) -> None:
    """The file of before may hold one that was rotated since the copy that is in use was made."""
    filled(world)
    older = attrs.evolve(NEW, access_token="access-MARKED-older", obtained_at=NEW.obtained_at - 1.0)
    with world.book() as book:
        book.sign_in(older)
    assert "token of signs-in: recovered" in recovered(world)
    with world.book() as book:
        assert NEW in book.tokens.tokens()


def test_what_the_missing_token_led_to_does_not_hold_any_more(world: World) -> None:
    """With the token of the file, long used up, the account was found to be signed out."""
    filled(world)
    store = Store.open(world.folder / "data", clock=lambda: NOW, environ={})
    store.save(AccountState("signs-in", "invalid_grant", NOW))
    store.close()
    recovered(world)
    with world.book() as book:
        assert [state.account for state in book.states()] == ["added"]


def test_what_does_not_fit_any_more_is_told_and_not_recovered(world: World) -> None:
    """A gateway does not start with an account that does not fit its file."""
    filled(world)
    world.file.write_text(FILE.replace('id = "signs-in"', 'id = "renamed"') + "\n[models]\nlist = []\n")
    world.run("add", "--id", "added", "--provider", "openai", "--api-key", "-", stdin="sk-MARKED-9")
    told = recovered(world, code=1)
    assert "account added: there is one; it was left as it is" in told
    assert "token of signs-in: not recovered: there is no such account" in told


def test_with_another_key_it_is_told_what_cannot_be_read(world: World) -> None:
    """The key file belongs to the backup."""
    filled(world)
    world.environ["GEPHYR_ENCRYPTION_KEY"] = base64.urlsafe_b64encode(bytes(32)).decode()
    reason = "it is damaged, or was encrypted with another key than the present one"
    assert sorted(recovered(world, code=1)) == sorted(
        [
            f"account added: not recovered: {reason}",
            f"token of signs-in: not recovered: {reason}",
            f"token of added: not recovered: {reason}",
        ]
    )


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda file: file.parent.mkdir(), "there is no such file"),
        (lambda file: file.mkdir(parents=True), "cannot be read: Is a directory"),
    ],
)
def test_what_is_no_file_is_told(world: World, make: Callable[[Path], None], told: str) -> None:
    """In one line, with the name."""
    make(aside(world))
    assert world.run("recover", str(aside(world)), code=1).stderr == f"error: {aside(world)}: {told}\n"


def test_the_store_in_use_and_one_of_a_newer_version_are_refused(world: World) -> None:
    """Neither is damaged."""
    world.tables()
    in_use = world.folder / "data" / "gephyr.sqlite3"
    assert "is the store in use" in world.run("recover", str(in_use), code=1).stderr
    file = filled(world)
    content = bytearray(file.read_bytes())
    content[60:64] = (99).to_bytes(4, "big")
    file.write_bytes(content)
    assert "newer version of Gephyr (schema 99)" in world.run("recover", str(file), code=1).stderr


@pytest.mark.parametrize("content", [b"", b"garbage" * 1000])
def test_a_command_on_a_damaged_store_says_who_sets_it_aside(world: World, content: bytes) -> None:
    """A command never does: a gateway may be running."""
    world.tables()
    (world.folder / "data" / "gephyr.sqlite3").write_bytes(content)
    assert "gephyr serve sets it aside when it starts" in world.run("list", code=2).stderr


@pytest.mark.parametrize("left", ["empty", "log alone", "cut off"])
def test_a_server_sets_aside_what_is_left_of_its_store_and_names_the_way_back(world: World, left: str) -> None:
    """An empty file is no new store: a disk that was full, or a crash of the file system, leaves one."""
    filled(world, log=left == "log alone")
    store = world.folder / "data" / "gephyr.sqlite3"
    for suffix in ("", "-wal"):
        source = aside(world).with_name(f"gephyr.sqlite3{suffix}")
        if source.exists():
            shutil.copy(source, store.with_name(source.name))
    match left:
        case "empty":
            store.write_bytes(b"")
        case "log alone":
            store.unlink()
        case _:
            store.write_bytes(store.read_bytes()[:-4096])
    if left != "cut off":
        assert "gephyr serve sets it aside" in world.run("list", code=2).stderr
    with structlog.testing.capture_logs() as logs:
        Store.open(world.folder / "data", clock=lambda: NOW, environ={}).close()
    (told,) = logs
    assert (told["event"], told["log_level"]) == ("the store was corrupt and was set aside", "error")
    assert told["recover"] == f"gephyr accounts recover {told['kept_as']}"
    if left == "log alone":
        lines = world.run("recover", told["kept_as"], code=1).stdout.splitlines()
        assert set(EVERYTHING) < set(lines)
    assert set(world.tables()) <= {"added"}


def test_a_directory_in_the_stores_place_is_named(world: World) -> None:
    (world.folder / "data" / "gephyr.sqlite3").mkdir(parents=True)
    assert world.run("list", code=2).stderr.endswith("gephyr.sqlite3: is a directory\n")
