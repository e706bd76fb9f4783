"""Small parts of the runtime by themselves: queues, errands, handshakes with proxies, stores in memory, ciphers, clocks."""

import asyncio
import base64
import itertools
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gephyr.runtime.clock import GatewayClock
from gephyr.runtime.errands import Errands
from gephyr.runtime.store_accounts import FoundState
from gephyr.runtime.store_file import StoreError
from gephyr.runtime.store_memory import MemoryStore
from gephyr.runtime.store_queue import MOST_OBJECT_BYTES, WriteQueue, without_excess
from gephyr.runtime.token_encryption import KEY_FILE, VARIABLE, Cipher, UnreadableSecretError, load_cipher
from gephyr.runtime.upstream.proxies import ProxyRefusedError, Tunnel, open_tunnel
from gephyr.runtime.upstream.routes import ProxyUrl
from gephyr_core.commands import CheckProxy, RefreshToken
from gephyr_core.events import Event, FrontEndFailed, ProxyChecked, TokenRefreshed, TokenRefreshFailed
from gephyr_core.http import Origin
from gephyr_core.records import AccountState, Binding, Cooldown, Pin, StoredObject, TokenState
from tests.approved import check_table
from tests.waiting import until

# -- the queue of writes --------------------------------------------------------------------------------------------


def an_object(number: int, size: int, expires_at: float = 100.0) -> StoredObject:
    return StoredObject("owner", f"o{number}", "response", bytes(size), 0.0, expires_at)


class AgainstALine(RuleBasedStateMachine):
    """Whatever is queued, taken and done with in any order: nothing is counted twice, and the newest is found."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = WriteQueue(most_bytes=20)
        self.line: list[Any] = []
        self.changing: dict[Any, Any] = {}
        self.taken: list[list[Any]] = []

    @rule(number=st.integers(1, 3), size=st.integers(0, 12), most=st.integers(1, 5))
    def add_an_object(self, number: int, size: int, most: int) -> None:
        self._add(an_object(number, size), None, most)

    @rule(
        kind=st.sampled_from(["pin", "binding", "cooldown", "state"]), number=st.integers(1, 3), most=st.integers(1, 5)
    )
    def add_another(self, kind: str, number: int, most: int) -> None:
        records: dict[str, tuple[Any, Any]] = {
            "pin": (Pin("owner", f"p{number}", "a", "a", 1.0), None),
            "binding": (Binding(f"s{number}", "a", 0.0, 0.0, 1.0), f"s{number}"),
            "cooldown": (Cooldown("a", f"m{number}", "rate_limit", 1.0), ("a", f"m{number}")),
            "state": (FoundState(AccountState(f"a{number}", "operator", 0.0), ""), (f"a{number}",)),
        }
        self._add(*records[kind], most)

    def _add(self, record: Any, key: Any, most: int) -> None:
        if key is None:
            self.line.append(record)
        else:
            self.changing[key] = record
        given_up = 0
        while self.line and self._bytes() > 20:
            self.line.pop(0)
            given_up += 1
        while len(self.line) + len(self.changing) > most:
            if len(self.line) >= len(self.changing):
                self.line.pop(0)
            else:
                del self.changing[next(iter(self.changing))]
            given_up += 1
        assert self.queue.add(record, most) == given_up

    def _bytes(self) -> int:
        waiting = [*self.line, *itertools.chain(*self.taken)]
        return sum(len(one.data) for one in waiting if isinstance(one, StoredObject))

    @rule()
    def take(self) -> None:
        taken = self.queue.take()
        assert taken == [*self.line, *self.changing.values()]
        self.taken.append(taken)
        self.line, self.changing = [], {}

    @rule()
    def done(self) -> None:
        if self.taken:
            self.queue.done(self.taken.pop(0))

    @invariant()
    def it_is_as_long_as_the_line(self) -> None:
        assert len(self.queue) == len(self.line) + len(self.changing)


TestAgainstALine = AgainstALine.TestCase


def test_the_queue_takes_as_many_bytes_and_records_as_it_may_hold() -> None:
    queue = WriteQueue(most_bytes=10)
    assert queue.add(an_object(1, 10), 2) == 0
    assert queue.add(Pin("o", "p", "a", "a", 1.0), 2) == 0
    assert queue.add(an_object(2, 1), 9) == 1
    assert queue.find("owner", "o1") is None
    assert queue.find("owner", "o2") is not None
    first, second = (FoundState(AccountState("a", why, 0.0), "") for why in ("x", "y"))
    queue.add(first, 9)
    queue.add(second, 9)
    assert queue.states() == [second]
    taken = queue.take()
    assert queue.states() == [second]
    queue.done(taken)
    assert (queue.states(), len(queue)) == ([], 0)


@pytest.mark.parametrize(("more", "kept"), [(0, True), (1, False)])
def test_an_object_that_is_too_long_is_a_deletion(more: int, kept: bool) -> None:
    record = an_object(1, MOST_OBJECT_BYTES + more)
    assert (without_excess(record) is record) is kept
    if not kept:
        assert (without_excess(record).data, without_excess(record).expires_at) == (b"", 0.0)


# -- a store in memory ----------------------------------------------------------------------------------------------


def test_objects_in_memory_are_bounded_replaced_and_forgotten_at_their_time() -> None:
    now = 50.0
    store = MemoryStore(clock=lambda: now, most_bytes=2 * 512 + 10)

    def load(number: int) -> int | None:
        found = asyncio.run(store.load("owner", f"o{number}"))
        return None if found is None else len(found.data)

    store.save(an_object(1, 5))
    store.save(an_object(2, 5))
    assert (load(1), load(2)) == (5, 5)
    store.save(an_object(1, 4))
    assert (load(1), load(2)) == (4, 5)
    store.save(an_object(3, 1))
    assert (load(1), load(2), load(3)) == (4, None, 1), "the longest unchanged goes"
    store.save(an_object(1, 4, expires_at=50.0))
    assert load(1) is None
    store.save(an_object(4, 0, expires_at=51.0))
    assert load(4) == 0
    now = 51.0
    assert load(4) is None
    store.save(Pin("o", "p", "a", "a", 100.0))
    assert (store.load_pins(now), store.load_bindings(now), store.load_states()) == ([], [], [])
    assert (store.load_enabled(), store.load_cooldowns(now)) == ([], [])


# -- errands --------------------------------------------------------------------------------------------------------


class Scripted:
    """A refresher and a checker that do one thing."""

    def __init__(self, act: Callable[[], Awaitable[Any]]) -> None:
        self._act = act
        self.closed = False

    def restore(self) -> Sequence[TokenState]:
        return [TokenState("a", 1.0)]

    async def refresh(self, command: RefreshToken) -> Any:
        return await self._act()

    async def check(self, command: CheckProxy) -> Any:
        return await self._act()

    async def aclose(self) -> None:
        self.closed = True


async def _never() -> None:
    await asyncio.get_running_loop().create_future()


async def _breaks() -> None:
    raise OSError("no")


async def _well() -> Event:
    return TokenRefreshed("a", 9.0)


async def _checked() -> Event:
    return ProxyChecked("p", healthy=True, detail="well")


async def run_errand(act: Callable[[], Awaitable[Any]] | None, errand: str) -> tuple[Event, list[str]]:
    """What an errand feeds, and what it reports."""
    fed: list[Event] = []
    scripted = None if act is None else Scripted(act)
    errands = Errands(scripted, scripted)
    if errand == "refresh":
        errands.refresh_token(RefreshToken("a", "direct", 0.01), fed.append)
    else:
        errands.check_proxy(CheckProxy("p", "pool:p", "http://x.test", 204, 0.01), fed.append)
    await until(lambda: [one for one in fed if not isinstance(one, FrontEndFailed)])
    *faults, event = fed
    assert list(errands.restore_tokens()) == ([] if scripted is None else [TokenState("a", 1.0)])
    await errands.aclose()
    assert scripted is None or scripted.closed
    return event, [one.fault.during for one in faults if isinstance(one, FrontEndFailed)]


@pytest.mark.parametrize(
    ("act", "errand", "event", "reported"),
    [
        (None, "refresh", TokenRefreshFailed("a", "unavailable", "this gateway gets no tokens", permanent=True), []),
        (_well, "refresh", TokenRefreshed("a", 9.0), []),
        (_never, "refresh", TokenRefreshFailed("a", "timeout", "no token within 0.01 s"), []),
        (_breaks, "refresh", TokenRefreshFailed("a", "internal", "a fault of the gateway"), ["RefreshToken"]),
        (None, "check", ProxyChecked("p", healthy=True), []),
        (_checked, "check", ProxyChecked("p", healthy=True, detail="well"), []),
        (_never, "check", ProxyChecked("p", healthy=False, detail="no answer within 0.01 s"), []),
        (_breaks, "check", ProxyChecked("p", healthy=None, detail="a fault of the gateway"), ["CheckProxy"]),
    ],
)
def test_each_errand_feeds_one_answer(
    act: Callable[[], Awaitable[Any]] | None, errand: str, event: Event, reported: list[str]
) -> None:
    assert asyncio.run(run_errand(act, errand)) == (event, reported)


def test_errands_that_are_given_up_feed_nothing() -> None:
    async def give_up() -> list[Event]:
        fed: list[Event] = []
        errands = Errands(Scripted(_never))
        errands.refresh_token(RefreshToken("a", "direct", 60.0), fed.append)
        await asyncio.sleep(0)
        await errands.aclose()
        return fed

    assert asyncio.run(give_up()) == []


# -- handshakes with proxies ----------------------------------------------------------------------------------------


class Wire(asyncio.Transport):
    """Writes down what is sent, and answers from a script: one answer for each write."""

    def __init__(self, tunnel: Tunnel, answers: list[bytes], step: int) -> None:
        super().__init__()
        self.sent: list[bytes] = []
        self._tunnel, self._answers, self._step = tunnel, answers, step

    def write(self, data: Any) -> None:
        self.sent.append(bytes(data))
        loop = asyncio.get_running_loop()
        answer = self._answers.pop(0) if self._answers else b""
        for at in range(0, len(answer), self._step):
            loop.call_soon(self._tunnel.data_received, answer[at : at + self._step])
        if not self._answers:
            loop.call_soon(self._tunnel.eof_received)


async def shake(proxy: ProxyUrl, origin: Origin, answers: list[bytes], step: int) -> str:
    """What is sent to a proxy, and what comes of its answers."""
    tunnel = Tunnel()
    wire = Wire(tunnel, list(answers), step)
    tunnel.carry(wire)
    try:
        await open_tunnel(tunnel, proxy, origin)
        told = f"open, leftover {tunnel.leftover}"
    except ProxyRefusedError as error:
        told = f"refused: {error}"
    return f"{wire.sent} -> {told}"


CONNECTED = b"HTTP/1.1 200 OK\r\n\r\n"
GRANTED = b"\x05\x00\x00\x01\x01\x02\x03\x04\x00\x50"
HANDSHAKES: tuple[tuple[str, tuple[bytes, ...]], ...] = (
    ("http", (CONNECTED,)),
    ("http", (b"HTTP/1.1 299 Fine\r\nx: y\r\n\r\n",)),
    ("http", (b"HTTP/1.1 300 No\r\n\r\n",)),
    ("http", (b"HTTP/1.1 407 No\r\ncontent-length: 0\r\n\r\n",)),
    ("http", (b"HTTP/1.1 100 Go on\r\n\r\n" + CONNECTED,)),
    ("http", (CONNECTED + b"more",)),
    ("http", (b"SSH-2.0\r\n\r\n",)),
    ("http", (b"HTTP/1.1 2",)),
    ("http", ()),
    ("https", (CONNECTED,)),
    ("socks5", (b"\x05\x00", GRANTED)),
    ("socks5h", (b"\x05\x00", b"\x05\x00\x00\x03\x03abc\x00\x50")),
    ("socks5", (b"\x05\x00", b"\x05\x00\x00\x04" + bytes(16) + b"\x00\x50")),
    ("socks5", (b"\x05\x00", GRANTED + b"more")),
    *(("socks5", (b"\x05\x00", b"\x05" + bytes([code]) + GRANTED[2:])) for code in range(1, 10)),
    ("socks5", (b"\x05\xff",)),
    ("socks5", (b"\x05\x02", b"\x01\x00", GRANTED)),
    ("socks5", (b"\x05\x02", b"\x01\x01")),
    ("socks5", (b"\x04\x00",)),
    ("socks5", (b"\x05\x00", b"\x05\x00\x00\x02\x00\x00")),
    ("socks5", (b"\x05\x00", b"\x05\x00\x00")),
    ("socks5", (b"\x05",)),
)


def test_each_handshake_with_a_proxy_goes_as_was_approved() -> None:
    lines = []
    for (scheme, answers), named in itertools.product(HANDSHAKES, (False, True)):
        proxy = ProxyUrl(scheme, "p.test", 1080, *(("user", "pass:word") if named else ()))
        for host in ("h.test", "::1"):
            told = [asyncio.run(shake(proxy, Origin("https", host, 443), list(answers), step)) for step in (1000, 1)]
            lines.append(f"{scheme} {'named ' if named else ''}{host} {list(answers)}: {told[0]}")
            if told[1] != told[0]:
                lines.append(f"    byte by byte: {told[1]}")
    long = asyncio.run(
        shake(ProxyUrl("socks5", "p.test", 1), Origin("https", "h" * 256, 443), [b"\x05\x00", GRANTED], 9)
    )
    check_table("runtime-handshakes", [*lines, f"a long name: {long.partition(' -> ')[2]}"])


PROXIES = (
    *(
        "http://p.test",
        "https://p.test",
        "socks5://p.test",
        "socks5h://p.test",
        "ftp://p.test",
        "p.test",
        "",
        "http://",
    ),
    *("http://u@p.test:8080", "http://u:p@p.test", "http://:p@p.test", "http://u%40:p%3A@p.test", "http://[::1]:8080"),
    *("http://p.test/", "http://p.test/x", "http://p.test?x", "http://p.test#x", "http://p.test:x", "http://p.test:0"),
    *("http://p.test:65536", f"socks5://{'u' * 255}:p@p.test", f"socks5://{'u' * 256}:p@p.test", "http://[::1"),
    *(f"socks5://u:{'é' * 127}@p.test", f"socks5://u:{'é' * 128}@p.test", f"http://{'u' * 256}:p@p.test"),
)


def test_each_address_of_a_proxy_is_read_as_was_approved() -> None:
    """No text of a mistake quotes the address: it may hold a password."""
    lines = []
    for url in PROXIES:
        try:
            read = ProxyUrl.parse(url)
            told = f"{read} as {read.username[:40]!r} {len(read.password)}, shown {repr(read)[:60]}"
            assert "password" not in repr(read)
        except ValueError as error:
            told = f"refused: {error}"
        lines.append(f"{url[:60]}: {told}")
    check_table("runtime-proxy-addresses", lines)


# -- ciphers and clocks ---------------------------------------------------------------------------------------------


def test_what_is_sealed_is_read_for_its_purpose_by_its_key_unaltered() -> None:
    one, other = Cipher(bytes(32)), Cipher(bytes([1]) * 32)
    sealed = one.seal(b"secret", "token a")
    assert one.unseal(sealed, "token a") == b"secret"
    assert sealed != one.seal(b"secret", "token a")
    assert one.key_id != other.key_id
    assert len(one.key_id) == 16
    for cipher, text, purpose in ((other, sealed, "token a"), (one, sealed, "token b"), (one, sealed[:-1], "token a")):
        with pytest.raises(UnreadableSecretError):
            cipher.unseal(text, purpose)
    with pytest.raises(UnreadableSecretError):
        one.unseal(b"short", "token a")


def test_the_key_is_the_variables_or_else_the_files_which_is_made_once(tmp_path: Path) -> None:
    made = load_cipher(tmp_path, {})
    assert load_cipher(tmp_path, {VARIABLE: "  "}).key_id == made.key_id
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE]
    key = base64.urlsafe_b64encode(bytes([251]) * 32).decode()
    named = load_cipher(tmp_path, {VARIABLE: f" {key}\n"})
    assert named.key_id == Cipher(bytes([251]) * 32).key_id
    for bad in (
        "x",
        key[:-4],
        base64.urlsafe_b64encode(bytes(31)).decode(),
        base64.urlsafe_b64encode(bytes(33)).decode(),
    ):
        with pytest.raises(StoreError, match="GEPHYR_ENCRYPTION_KEY: expected a key of 32 bytes"):
            load_cipher(tmp_path, {VARIABLE: bad})
    (tmp_path / KEY_FILE).write_text("no key")
    with pytest.raises(StoreError, match="expected a key of 32 bytes"):
        load_cipher(tmp_path, {})


def test_the_clock_runs_from_the_wall_clocks_time_at_its_start() -> None:
    times = iter([1000.0])
    elapsed = iter([7.0, 7.0, 9.5])
    clock = GatewayClock(wall=lambda: next(times), elapsed=lambda: next(elapsed))
    assert [clock(), clock()] == [1000.0, 1002.5]
    assert GatewayClock()() <= GatewayClock()()
