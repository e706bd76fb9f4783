"""The header that tells a client what its request lost: as much as it holds, and how much more there was."""

import pytest

from gephyr_core.conversation.report import LONGEST_DROPPED_HEADER, MOST_ENTRIES, Report

ROOM = LONGEST_DROPPED_HEADER - len(", +99999")


def header_of(*paths: str) -> bytes:
    report = Report()
    for path in paths:
        report.dropped(path, "why")
    return report.dropped_header()


def test_it_names_what_was_dropped_each_once() -> None:
    assert header_of() == b""
    assert header_of("a") == b"a"
    assert header_of("a", "b", "a") == b"a, b"
    assert header_of("\u00e9") == b"?"


@pytest.mark.parametrize("odd", ["\r\n", "\n", "\0", "\x7f", "\x85", "\u2028", "\t", "\udc0a"])
def test_a_fields_name_makes_no_other_header(odd: str) -> None:
    """It is the client's to choose, and a line end would end the header."""
    assert header_of(f"x{odd}set-cookie: a=b") == b"x" + b"?" * len(odd) + b"set-cookie: a=b"


@pytest.mark.parametrize(("length", "told"), [(ROOM - 2, True), (ROOM - 1, False)])
def test_a_path_is_named_while_there_is_room_for_it(length: int, told: bool) -> None:
    path = "a" * length
    assert header_of(path, "b") == (path.encode() + b", +1" if told else b"+2")


@pytest.mark.parametrize("each", [1, 2, 7, 98, 500])
def test_it_is_never_longer_than_it_may_be(each: int) -> None:
    paths = [f"{number:0{each}}" for number in range(99)]
    header = header_of(*paths)
    named = [path for path in header.decode().split(", ") if not path.startswith("+")]
    assert len(header) <= LONGEST_DROPPED_HEADER
    assert named == list(dict.fromkeys(paths))[: len(named)]


def test_what_a_report_has_no_room_for_is_counted() -> None:
    header = header_of(*(str(number) for number in range(MOST_ENTRIES + 5)))
    named = header.decode().split(", ")
    assert named[-1] == f"+{MOST_ENTRIES + 5 - (len(named) - 1)}"
