"""The recordings in the repository show everything that the whole corpus does, and may be passed on."""

import json
import lzma
import re
from pathlib import Path

import pytest

from tests.recordings.choose import MOST_PACKED, packed
from tests.recordings.features import features, frames
from tests.recordings.traffic import CORPUS, SELECTION, corpus_lines, selected_ids, selected_lines

FOLDER = Path(__file__).parent
needs_the_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason="compares the selection with the whole corpus")


@needs_the_corpus
def test_the_selection_shows_everything_that_the_corpus_does() -> None:
    """A test that passes on the selection has met each field, event, error and header of the corpus."""
    wanted, found = (
        {name for lines in source.values() for line in lines for name in features(json.loads(line))}
        for source in (corpus_lines(), selected_lines())
    )
    assert sorted(wanted - found) == []


@needs_the_corpus
def test_no_recording_is_altered() -> None:
    """Each line of the selection is a line of the corpus, in its order."""
    corpus = corpus_lines()
    for dialect, lines in selected_lines().items():
        chosen = set(lines)
        assert [line for line in corpus[dialect] if line in chosen] == lines


def test_the_selection_is_small() -> None:
    """Two megabytes with the licences: a clone stays light."""
    stored = [SELECTION, *(FOLDER / "licences").iterdir()]
    assert sum(path.stat().st_size for path in stored) <= MOST_PACKED


def test_recordings_have_one_door() -> None:
    """Whatever else looked for the corpus beside the repository would fail, or be skipped, where there is none."""
    files = [path for folder in ("tests", "docs", "benchmarks") for path in (FOLDER.parents[1] / folder).rglob("*.py")]
    others = [path for path in files if path.parent != FOLDER and re.search(r"[\"/](corpus|shared/)", path.read_text())]
    assert others == []


def test_tests_that_read_recordings_are_marked() -> None:
    """``pytest -m recordings`` runs them all, and CI does so where there is nothing but the repository."""
    reads = re.compile(
        r"^(?:from .* import .*| {4})\b(?:traffic|recordings|translations|recorded_errors)\b", re.MULTILINE
    )
    tests = [path for path in FOLDER.parent.rglob("test_*.py") if path.parent != FOLDER]
    readers = {path: path.read_text() for path in tests if reads.search(path.read_text())}
    assert len(readers) > 12
    assert [path for path, text in readers.items() if "mark.recordings" not in text] == []


def test_packing_keeps_every_line() -> None:
    lines = [b'{"dialect":"a"}', '{"dialect":"\u00e9\u2028"}'.encode()]
    assert unpacked(packed(lines)) == lines


def unpacked(data: bytes) -> list[bytes]:
    """Read an archive as the tests do, with nothing but the standard library."""
    return lzma.decompress(data).splitlines()


def test_no_recording_is_there_twice() -> None:
    lines = [line for lines in selected_lines().values() for line in lines]
    assert len(selected_ids()) == len(lines) == len(set(lines))


def test_every_source_is_named_with_its_licence() -> None:
    """The licence's text is in the folder, and the README tells repository, commit, licence and owner."""
    told = {
        cells[0]: cells[1:]
        for line in (FOLDER / "README.md").read_text(encoding="utf-8").splitlines()
        if len(cells := [cell.strip() for cell in line.strip("|").split("|")]) == 5 and "/" in cells[0]
    }
    counts: dict[str, int] = {}
    for lines in selected_lines().values():
        for record in map(json.loads, lines):
            counts[record["repo"]] = counts.get(record["repo"], 0) + 1
            assert told[record["repo"]][1] == record["licence"]
    assert {repository: int(cells[3]) for repository, cells in told.items()} == counts
    for repository, (commit, _, owner, _) in told.items():
        texts = list((FOLDER / "licences").glob(f"{repository.replace('/', '+')}.LICENSE*"))
        assert texts, repository
        assert all(path.stat().st_size for path in texts)
        assert len(commit.strip("`")) == 12
        assert owner


def record(**fields: object) -> dict[str, object]:
    """A recording with little in it."""
    plain = {"id": "a/b/c#0", "repo": "a/b", "licence": "MIT", "provider": "openai", "dialect": "openai-chat"}
    sent = {"stream": False, "method": "POST", "url_path": "/v1/x", "query": {}, "request_headers": {}, "request": {}}
    return {**plain, **sent, "status": 200, "response_headers": {}, "response": {}, **fields}


@pytest.mark.parametrize(
    "fields",
    [
        {"request": {"seed": 1}},
        {"request": {"seed": None}},
        {"request": {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]}]}},
        {"response": {"choices": [{"finish_reason": "stop"}]}},
        {"status": 429},
        {"provider": "groq"},
        {"url_path": "/v1/y"},
        {"query": {"alt": "sse"}},
        {"request_headers": {"anthropic-beta": "a,b"}},
        {"response_headers": {"retry-after": "1"}},
        {"response_sse": 'data: {"type":"a"}\n\n'},
    ],
    ids=str,
)
def test_what_differs_is_a_feature(fields: dict[str, object]) -> None:
    """Each of these shows something that the plain recording does not."""
    assert features(record(**fields)) - features(record())


def test_calls_side_by_side_are_a_feature() -> None:
    one = {"content": [{"type": "text"}, {"type": "tool_use"}]}
    two = {"content": [{"type": "text"}, {"type": "tool_use"}, {"type": "tool_use"}]}
    assert features(record(response=two)) - features(record(response=one))


@pytest.mark.parametrize("framing", ["\r\n", "\n: comment\n", "\ndata:", "\nid: 1\n", "\nevent: error\n"])
def test_how_a_stream_is_framed_is_a_feature(framing: str) -> None:
    plain = 'data: {"a":1}\n\ndata: {"a":1}\n\n'
    odd = plain.replace("\ndata: ", "\ndata:", 1) if framing == "\ndata:" else plain.replace("\n", framing, 1)
    assert features(record(response_sse=odd)) - features(record(response_sse=plain))


def test_where_a_name_varies_it_is_no_feature() -> None:
    """An id, a model in the path, or a number in an error's words makes no recording special."""
    for one, other in (
        ({"response": {"id": "a"}}, {"response": {"id": "b"}}),
        ({"url_path": "/v1/responses/resp_1/cancel"}, {"url_path": "/v1/responses/resp_2/cancel"}),
        ({"status": 400, "response": {"error": "3 of 4"}}, {"status": 400, "response": {"error": "5 of 6"}}),
    ):
        assert features(record(**one)) == features(record(**other))


def test_an_event_stream_of_aws_is_read() -> None:
    """Its frames are told by their names and their payloads; other bytes have none."""
    name = b"\x0b:event-type\x07\x00\x05chunk"
    payload = b'{"bytes":"eyJ0eXBlIjoicGluZyJ9"}'
    total = 16 + len(name) + len(payload)
    frame = total.to_bytes(4) + len(name).to_bytes(4) + b"\0\0\0\0" + name + payload + b"\0\0\0\0"
    assert list(frames(frame * 2)) == [{"type": "chunk", "payload": {"bytes": {"type": "ping"}}}] * 2
    assert list(frames(b"not a stream of frames")) == []
