"""What each selected recording becomes, as a digest: a change of any translation of real traffic is seen.

The digests say that something changed, and the failure shows what is made of the recording now. The change is reviewed
with the tables of ``test_approved.py``, and the digests are written anew by ``GEPHYR_APPROVE=1``.
"""

import hashlib
from collections.abc import Iterator

import attrs
import msgspec
import pytest

from gephyr_core.conversation.assembly import deltas_of
from gephyr_core.conversation.fields import FieldError
from gephyr_core.conversation.reply import Delta, Reply
from gephyr_core.conversation.report import Report, UntranslatableError
from gephyr_core.dialects.translator import Destination
from gephyr_core.translation.writing import write_prompt
from tests.approved import check_table
from tests.recordings.traffic import selected_ids
from tests.translation.recorded import DIALECTS, Recording, recordings
from tests.translation.test_approved import DESTINATIONS
from tests.translation.translating import CONTEXT, TRANSLATORS, read_deltas, read_reply, write_reply, write_stream

TARGETS = (
    "claude-now",
    "claude-before",
    "gemini-now",
    "gemini-before",
    "gpt-chat",
    "gpt-responses",
    "openrouter-claude",
)


def request_for(recording: Recording, destination: Destination) -> str:
    """What a recorded request becomes, and what is said of it."""
    report = Report()
    try:
        prompt = TRANSLATORS[recording.dialect].read_request(
            recording.body(), report, model=recording.model, stream=recording.stream
        )
        prompt = attrs.evolve(prompt, model=destination.model)
        written = write_prompt(prompt, destination, report)
        told = f"{written.structured} {msgspec.json.encode(written.body).decode()}"
    except (FieldError, UntranslatableError) as error:
        told = f"refused: {error}"
    return "\n".join([told, *(f"{one.fate.value} {one.path}: {one.reason}" for one in report.entries)])


def replies_of(recording: Recording) -> Iterator[str]:
    """What a recorded reply becomes for a client of each dialect, whole and streamed."""
    try:
        reply: Reply | None = read_reply(recording)
    except ValueError as error:
        yield f"no reply: {error}"
        return
    assert reply is not None
    deltas: list[Delta] = (
        read_deltas(recording.dialect, recording.reply) if recording.streamed else list(deltas_of(reply))
    )
    for dialect in DIALECTS:
        yield write_reply(dialect, reply, CONTEXT).decode()
        yield write_stream(dialect, deltas, CONTEXT).decode()


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


@pytest.mark.recordings
@pytest.mark.parametrize("dialect", DIALECTS)
def test_recorded_requests_become_what_they_did(dialect: str) -> None:
    lines = []
    for recording in recordings(dialect):
        if recording.id in selected_ids():
            digests = [digest(request_for(recording, DESTINATIONS[name])) for name in TARGETS]
            lines.append(" ".join([recording.id, *digests]))
    check_table(f"recorded-requests-{dialect}", lines)


@pytest.mark.recordings
@pytest.mark.parametrize("dialect", DIALECTS)
def test_recorded_replies_become_what_they_did(dialect: str) -> None:
    chosen = [recording for recording in recordings(dialect) if recording.id in selected_ids()]
    lines = [" ".join([recording.id, *map(digest, replies_of(recording))]) for recording in chosen]
    check_table(f"recorded-replies-{dialect}", lines)
