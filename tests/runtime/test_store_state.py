"""What the scheduler knows outlives the process: bindings, accounts out of service, cooldowns."""

import math
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import attrs
import pytest
import structlog

from gephyr.runtime import store as store_module
from gephyr.runtime import store_accounts, store_bindings
from gephyr.runtime.store import MemoryStore, Store
from gephyr.runtime.store_queue import WriteQueue
from gephyr_core.records import AccountState, Binding, Cooldown, Pin, Saved
from tests.waiting import WAIT

NOW = 1_800_000_000.0
DAY = 86400.0


def opened(directory: Path, digests: Mapping[str, str] | None = None, now: float = NOW) -> Store:
    return Store.open(directory, clock=lambda: now, credential_digests=digests or {})


def saved(directory: Path, *records: Saved, digests: Mapping[str, str] | None = None, now: float = NOW) -> None:
    store = opened(directory, digests, now)
    for record in records:
        store.save(record)
    store.close()


def binding(number: int, *, used_at: float = NOW - 10, account: str = "a") -> Binding:
    return Binding(f"session-{number}", account, NOW - 100, used_at, used_at + 3600)


# -- bindings --------------------------------------------------------------------------------------------------


def test_bindings_come_back_the_longest_unused_first(tmp_path: Path) -> None:
    """The core forgets in that order when it has too many."""
    saved(tmp_path, binding(1, used_at=NOW - 1), binding(2, used_at=NOW - 3), binding(3, used_at=NOW - 2))
    store = opened(tmp_path)
    assert store.load_bindings(NOW) == [
        binding(2, used_at=NOW - 3),
        binding(3, used_at=NOW - 2),
        binding(1, used_at=NOW - 1),
    ]
    store.close()


def test_a_binding_saved_again_replaces_the_older_one(tmp_path: Path) -> None:
    """A session keeps one account."""
    saved(tmp_path, binding(1, account="a"), binding(1, account="b"))
    saved(tmp_path, binding(2, account="a"))
    saved(tmp_path, binding(2, account="c"))
    store = opened(tmp_path)
    assert [(b.session, b.account) for b in store.load_bindings(NOW)] == [("session-1", "b"), ("session-2", "c")]
    store.close()


def test_a_binding_that_expires_in_the_past_deletes_it(tmp_path: Path) -> None:
    """That is how the core releases one, whether the disk had it or not."""
    released = attrs.evolve(binding(1), expires_at=0.0)
    saved(tmp_path, binding(1), released, binding(2))
    saved(tmp_path, attrs.evolve(binding(2), expires_at=0.0))
    store = opened(tmp_path)
    assert store.load_bindings(0.0) == []
    store.close()


def test_expired_bindings_are_removed_when_they_are_loaded(tmp_path: Path) -> None:
    """The file does not grow for ever."""
    saved(tmp_path, binding(1, used_at=NOW - 100), binding(2))
    for now in (NOW + 3550, NOW):
        store = opened(tmp_path)
        assert store.load_bindings(now) == [attrs.evolve(binding(2))]
        store.close()


def test_the_bindings_used_last_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as there may be."""
    monkeypatch.setattr(store_bindings, "MOST_BINDINGS", 3)
    saved(tmp_path, *(binding(number, used_at=NOW - abs(number - 5)) for number in range(10)))
    store = opened(tmp_path)
    assert [b.session for b in store.load_bindings(NOW)] == ["session-4", "session-6", "session-5"]
    store.close()


def test_a_binding_written_under_a_wrong_clock_is_clamped(tmp_path: Path) -> None:
    """A clock that was years ahead must not make bindings that never go (decision 24)."""
    ahead = NOW + 4000 * DAY
    saved(tmp_path, Binding("s", "a", ahead - 5, ahead, ahead + 3600), Binding("t", "a", NOW, NOW, ahead))
    store = opened(tmp_path)
    assert sorted(store.load_bindings(NOW), key=lambda b: b.session) == [
        Binding("s", "a", NOW, NOW, NOW + 3600),
        Binding("t", "a", NOW, NOW, NOW + 30 * DAY),
    ]
    store.close()


def test_a_binding_touched_a_thousand_times_is_one_write() -> None:
    """So are a state and a cooldown; pins keep every version's place."""
    queue = WriteQueue(10**6)
    for n in range(1000):
        queue.add(attrs.evolve(binding(1), used_at=NOW + n), 100)
        queue.add(Cooldown("a", "m", "rate_limit", NOW + n), 100)
    assert len(queue) == 2
    assert queue.take() == [attrs.evolve(binding(1), used_at=NOW + 999), Cooldown("a", "m", "rate_limit", NOW + 999)]


def test_a_hanging_disk_costs_the_oldest_of_what_there_is_most_of() -> None:
    """A flood of bindings does not drive out the few pins."""
    queue = WriteQueue(10**6)
    queue.add(Pin("o", "resp_1", "a", "a", NOW), 10)
    given_up = sum(queue.add(binding(number), 10) for number in range(20))
    kept = queue.take()
    assert given_up == 11
    assert [getattr(record, "session", "pin") for record in kept] == ["pin", *(f"session-{n}" for n in range(11, 20))]


# -- accounts --------------------------------------------------------------------------------------------------


def test_accounts_out_of_service_stay_so_across_a_restart(tmp_path: Path) -> None:
    """Until a state that is not disabled puts them back."""
    out = [AccountState("a", "invalid_grant", NOW - 5), AccountState("b", "operator", NOW - 4)]
    saved(tmp_path, *out, AccountState("c", "invalid_grant", NOW))
    saved(tmp_path, AccountState("c", "", NOW))
    store = opened(tmp_path)
    assert store.load_states() == out
    store.close()


def test_a_changed_credential_puts_an_account_back_into_service(tmp_path: Path) -> None:
    """What was said of the old one does not hold for the new one; what the operator said does."""
    digests = {"a": "old", "b": "old", "c": "same"}
    states = [AccountState(account, "invalid_grant", NOW) for account in "acd"]
    saved(tmp_path, *states, AccountState("b", "operator", NOW), digests=digests)
    for digest in ("new", "old"):
        store = opened(tmp_path, {"a": digest, "b": digest, "c": "same"})
        assert [state.account for state in store.load_states()] == ["b", "c", "d"], "removed, not only passed over"
        store.close()


def test_a_state_belongs_to_the_credential_that_counted_when_it_was_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not to one that came before the disk had it."""
    monkeypatch.setattr(store_module, "_BATCH_INTERVAL", 60.0)  # the writer is held until the store closes
    digests = {"a": "old"}
    store = opened(tmp_path, digests)
    store.save(AccountState("a", "invalid_grant", NOW))
    assert store.load_states() == [AccountState("a", "invalid_grant", NOW)], "found although it is not written"
    digests["a"] = "new"
    assert store.load_states() == []
    store.close()
    store = opened(tmp_path, digests)
    assert store.load_states() == []
    store.close()


def test_a_state_since_a_time_ahead_is_clamped(tmp_path: Path) -> None:
    saved(tmp_path, AccountState("a", "invalid_grant", NOW + DAY))
    store = opened(tmp_path)
    assert store.load_states() == [AccountState("a", "invalid_grant", NOW)]
    store.close()


# -- cooldowns -------------------------------------------------------------------------------------------------


def test_cooldowns_come_back_until_they_are_over(tmp_path: Path) -> None:
    """One without an end has none, and one for a model stands beside one for all."""
    kept = [
        Cooldown("a", "", "out_of_credit", math.inf),
        Cooldown("a", "gpt", "rate_limit", NOW + 20),
        Cooldown("openai:acme", "", "rate_limit", NOW + 30),
    ]
    saved(tmp_path, *kept, Cooldown("b", "", "rate_limit", NOW + 10), Cooldown("c", "", "rate_limit", NOW + 20))
    saved(tmp_path, Cooldown("c", "", "rate_limit", NOW))
    store = opened(tmp_path)
    assert store.load_cooldowns(NOW + 10) == kept
    assert store.load_cooldowns(NOW) == kept
    store.close()


def test_a_cooldown_written_under_a_wrong_clock_is_clamped(tmp_path: Path) -> None:
    """No quota's reset is further ahead than a month's (decision 24)."""
    saved(tmp_path, Cooldown("a", "", "rate_limit", NOW + 400 * DAY))
    store = opened(tmp_path)
    assert store.load_cooldowns(NOW) == [Cooldown("a", "", "rate_limit", NOW + 31 * DAY)]
    store.close()


def test_the_cooldowns_that_last_longest_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as there may be: clients choose the names of models."""
    monkeypatch.setattr(store_accounts, "MOST_COOLDOWNS", 2)
    saved(tmp_path, *(Cooldown("a", f"model-{n}", "rate_limit", NOW + n) for n in range(1, 6)))
    store = opened(tmp_path)
    assert [cooldown.model for cooldown in store.load_cooldowns(NOW)] == ["model-4", "model-5"]
    store.close()


# -- the file --------------------------------------------------------------------------------------------------


def test_one_odd_record_is_lost_alone(tmp_path: Path) -> None:
    """The others of its batch are written."""
    with structlog.testing.capture_logs() as logs:
        saved(tmp_path, binding(1), Cooldown("a", "\ud800", "rate_limit", NOW + 5), AccountState("a", "operator", NOW))
    store = opened(tmp_path)
    assert store.load_bindings(NOW) == [binding(1)]
    assert store.load_states() == [AccountState("a", "operator", NOW)]
    assert store.load_cooldowns(NOW) == []
    store.close()
    assert [(entry["log_level"], entry["kind"]) for entry in logs] == [("error", "Cooldown")]


def test_two_processes_may_bring_a_file_up_to_date_at_once(tmp_path: Path) -> None:
    """A command and a server that start together."""
    program = (
        "import sys; from pathlib import Path; from gephyr.runtime.store_file import open_database\n"
        "sys.stdin.readline(); open_database(Path(sys.argv[1]), 0.0).close()"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "gephyr.sqlite3")]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(3)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.flush()
    assert [(process.communicate(timeout=WAIT)[1], process.returncode) for process in processes] == [(b"", 0)] * 3


def test_without_a_data_directory_nothing_is_restored() -> None:
    store = MemoryStore()
    store.save(binding(1))
    store.save(AccountState("a", "operator", NOW))
    assert (store.load_bindings(NOW), store.load_states(), store.load_cooldowns(NOW)) == ([], [], [])


def test_a_hundred_thousand_bindings_load_by_as_many_queries_as_one(tmp_path: Path) -> None:
    """A start does not take longer than reading them takes: 0.4 s on an idle machine."""
    store = opened(tmp_path)
    with store._database_lock, store._database:
        store._database.execute("BEGIN")
        bindings = [attrs.evolve(binding(n), session=f"{n:064x}") for n in range(100_000)]
        store_bindings.save_bindings(store._database, bindings, NOW)
    queries: list[str] = []
    store._database.set_trace_callback(queries.append)
    assert len(store.load_bindings(NOW)) == 100_000
    assert len(queries) == 3, "two that forget, and one that reads"
    store.close()
