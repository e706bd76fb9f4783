"""What commands change comes into the running service: the accounts, their secrets, and what is known of them."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest
from structlog.testing import capture_logs

from gephyr.runtime.account_book import AccountBook
from gephyr.runtime.configuration import Loaded, load_mapping
from gephyr.runtime.live_accounts import LiveAccounts, with_added_accounts
from gephyr.runtime.store import Store
from gephyr_core.config import ConfigError
from gephyr_core.events import AdminChanged, Event
from tests.waiting import until

pytestmark = pytest.mark.anyio

NOW = 1_800_000_000.0
FILE: Mapping[str, Any] = {"accounts": [{"id": "own", "provider": "openai", "api_key": "sk-own"}]}
ADDED = {"id": "new", "provider": "anthropic", "api_key": "sk-new", "proxy": "http://user:pass@proxy.test:1"}


class NoWatch:
    """Tells of nothing: each test says itself when something has changed."""

    def __init__(self, directory: Path, changed: Any) -> None:
        """Take what a watch takes."""

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture(autouse=True)
def _no_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gephyr.runtime.live_accounts.AccountWatch", NoWatch)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(tmp_path, clock=lambda: NOW, environ={})
    yield store
    store.close()


@pytest.fixture
def book(tmp_path: Path, store: Store) -> Iterator[AccountBook]:
    del store  # is there first
    book = AccountBook.open(tmp_path, clock=lambda: NOW, environ={})
    yield book
    book.close()


@pytest.fixture
def loaded() -> Loaded:
    return attrs.evolve(load_mapping(FILE, {}), warnings=("of the file",))


def names(loaded: Loaded) -> list[str]:
    return [account.id for account in loaded.config.accounts]


async def test_without_added_accounts_the_configuration_is_the_files(loaded: Loaded, store: Store) -> None:
    assert with_added_accounts(loaded, store) is loaded


async def test_added_accounts_come_behind_the_files_with_their_secrets_and_routes(
    loaded: Loaded, store: Store, book: AccountBook
) -> None:
    book.add_account(ADDED)
    fresh = with_added_accounts(loaded, store)
    assert names(fresh) == ["own", "new"]
    assert attrs.evolve(fresh.config, accounts=()) == attrs.evolve(loaded.config, accounts=())
    assert fresh.warnings == ("of the file",)
    assert len(fresh.routes) == len(loaded.routes) + 1
    assert fresh.credential_digests.keys() == {"own", "new"}


async def test_an_added_account_that_does_not_fit_the_file_is_named(
    loaded: Loaded, store: Store, book: AccountBook
) -> None:
    book.add_account({**ADDED, "id": "own"})
    with capture_logs() as told, pytest.raises(ConfigError):
        LiveAccounts(loaded, store)
    assert [(one["log_level"], one["event"], one["added"]) for one in told] == [
        ("error", "accounts that commands added do not fit the file", ["own"])
    ]


class Refresher:
    """Takes over grants, and fails where it is told to."""

    def __init__(self) -> None:
        self.grants: list[list[str]] = []

    async def reload(self, grants: Mapping[str, object]) -> Sequence[Any]:
        self.grants.append(sorted(grants))
        return ["token"]


class Service:
    """What is told of changes."""

    def __init__(self) -> None:
        self.events: list[AdminChanged] = []

    def feed(self, event: Event) -> None:
        assert isinstance(event, AdminChanged)
        self.events.append(event)


async def test_a_change_is_told_with_what_is_new_of_it(loaded: Loaded, store: Store, book: AccountBook) -> None:
    live, refresher, service = LiveAccounts(loaded, store), Refresher(), Service()
    assert names(live.loaded) == ["own"]
    live.changed()  # before the service is there: nobody is told
    await asyncio.sleep(0)
    assert (refresher.grants, service.events) == ([], [])
    live.attach(refresher, service.feed)  # type: ignore[arg-type]
    book.add_account(ADDED)
    live.changed()
    await until(lambda: bool(service.events))
    event = service.events[-1]
    assert [account.id for account in event.accounts] == ["own", "new"]
    assert (list(event.tokens), list(event.renewed)) == (["token"], [])
    assert store.credential_digests.keys() == {"own", "new"}
    assert [(proxy.host, proxy.password) for proxy in live.loaded.routes.values()] == [("proxy.test", "pass")]
    await live.aclose()


async def test_a_credential_is_renewed_where_its_digest_is_another(
    loaded: Loaded, store: Store, book: AccountBook
) -> None:
    book.add_account(ADDED)
    live, service = LiveAccounts(loaded, store), Service()
    live.attach(Refresher(), service.feed)  # type: ignore[arg-type]
    renewed = []
    for key in ("sk-new", "sk-other", "sk-other"):
        book.remove_account("new")
        book.add_account({**ADDED, "api_key": key})
        told = len(service.events)
        live.changed()
        await until(lambda told=told: len(service.events) > told)
        renewed.append(list(service.events[-1].renewed))
    assert renewed == [[], ["new"], []]
    await live.aclose()


async def test_a_change_that_does_not_fit_changes_nothing_and_is_told(
    loaded: Loaded, store: Store, book: AccountBook
) -> None:
    live, refresher, service = LiveAccounts(loaded, store), Refresher(), Service()
    live.attach(refresher, service.feed)  # type: ignore[arg-type]
    book.add_account({**ADDED, "id": "own"})
    with capture_logs() as told:
        live.changed()
        await until(lambda: any(one["event"] == "the accounts stay as they were" for one in told))
    assert (refresher.grants, service.events, names(live.loaded)) == ([], [], ["own"])
    await live.aclose()


async def test_an_end_while_a_change_is_brought_in_leaves_no_task_and_tells_nothing(
    loaded: Loaded, store: Store, book: AccountBook
) -> None:
    """The service is being taken apart: whatever is told now would reach what has ended."""
    before, service = asyncio.all_tasks(), Service()
    live = LiveAccounts(loaded, store)
    live.attach(Refresher(), service.feed)  # type: ignore[arg-type]
    book.add_account(ADDED)
    live.changed()
    await asyncio.sleep(0)
    await live.aclose()
    assert (asyncio.all_tasks() - before, service.events) == (set(), [])
