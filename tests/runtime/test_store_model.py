"""The store against a naive model: whatever is saved, commanded and restarted, both hold the same."""

import math
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gephyr.runtime.account_book import AccountBook
from gephyr.runtime.store import Store
from gephyr_core.records import AccountState, Binding, Cooldown

NOW = 1_800_000_000.0

accounts = st.sampled_from("abc")
sessions = st.sampled_from(["s1", "s2", "s3"])
moments = st.integers(-100, 100).map(lambda seconds: NOW + seconds)
ends = moments | st.just(math.inf)
reasons = st.sampled_from(["invalid_grant", "operator", ""])


class StoreMachine(RuleBasedStateMachine):
    """What a server saves, with restarts, commands and edits of the configuration in between."""

    @initialize()
    def start(self) -> None:
        self.directory = TemporaryDirectory()
        self.now = NOW
        self.digests = dict.fromkeys("abc", "digest")
        self.bindings: dict[str, Binding] = {}
        self.cooldowns: dict[tuple[str, str], Cooldown] = {}
        self.found: dict[str, tuple[AccountState, str]] = {}
        self.commanded: dict[str, AccountState] = {}
        self._open()

    def teardown(self) -> None:
        self.store.close()
        self.directory.cleanup()

    @rule(session=sessions, account=accounts, used_at=moments, life=st.integers(-200, 200))
    def save_a_binding(self, session: str, account: str, used_at: float, life: int) -> None:
        record = Binding(session, account, NOW - 200, min(used_at, self.now), min(used_at, self.now) + life)
        self.store.save(record)
        self.bindings[session] = record

    @rule(scope=accounts, model=st.sampled_from(["", "m"]), until=ends)
    def save_a_cooldown(self, scope: str, model: str, until: float) -> None:
        record = Cooldown(scope, model, "rate_limit", until)
        self.store.save(record)
        self.cooldowns[scope, model] = record

    @rule(account=accounts, why=reasons)
    def save_a_state(self, account: str, why: str) -> None:
        record = AccountState(account, why, self.now)
        self.store.save(record)
        self.found[account] = (record, self.digests[account])

    @rule(account=accounts, disables=st.booleans())
    def command(self, account: str, disables: bool) -> None:
        """By another process, while no server runs."""
        self.store.close()
        book = AccountBook.open(self.directory.name, clock=lambda: self.now, environ={})
        if disables:
            book.disable(account)
            self.commanded[account] = AccountState(account, "operator", self.now)
        else:
            book.enable(account)
            self.commanded.pop(account, None)
            self.found.pop(account, None)
            self.cooldowns = {key: record for key, record in self.cooldowns.items() if record.scope != account}
        book.close()
        self._open()

    @rule(account=accounts)
    def change_a_credential(self, account: str) -> None:
        self.digests[account] += "'"

    @rule(seconds=st.integers(0, 60))
    def restart_later(self, seconds: int) -> None:
        self.store.close()
        self.now += seconds
        self._open()
        now = self.now
        bindings = [record for record in self.bindings.values() if record.expires_at > now]
        assert self.store.load_bindings(now) == sorted(bindings, key=lambda record: (record.used_at, record.session))
        cooldowns = [record for _, record in sorted(self.cooldowns.items()) if record.until > now]
        assert self.store.load_cooldowns(now) == cooldowns

    @invariant()
    def the_accounts_out_of_service_are_the_same(self) -> None:
        """Written or not, at any time."""
        for account, (state, digest) in list(self.found.items()):
            if not state.disabled or (state.disabled != "operator" and digest != self.digests[account]):
                del self.found[account]
        found = {account: state for account, (state, _) in self.found.items()}
        assert self.store.load_states() == [state for _, state in sorted((found | self.commanded).items())]

    def _open(self) -> None:
        self.store = Store.open(
            Path(self.directory.name), clock=lambda: self.now, credential_digests=self.digests, environ={}
        )


TestStore = StoreMachine.TestCase
TestStore.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)
