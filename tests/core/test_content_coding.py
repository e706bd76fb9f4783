"""Compressed bodies: decoded piece by piece, within bounds, and never half."""

import codecs
import gzip
import json
import zlib
from collections.abc import Callable

import pytest
import zstandard
from chunking import cut_anywhere, pieces_of
from hypothesis import example, given
from hypothesis import strategies as st

from gephyr_core.content_coding import (
    DECODABLE,
    CodingError,
    ExpansionError,
    UnknownCodingError,
    as_utf8,
    decode_whole,
    decoder_for,
    reply_decoder,
)


def raw_deflate(data: bytes) -> bytes:
    """A deflate stream without zlib's frame, as some senders understand ``deflate``."""
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


def streamed_zstd(data: bytes) -> bytes:
    """A zstd frame that does not say how much it holds, as a streaming sender writes it."""
    compressor = zstandard.ZstdCompressor().compressobj()
    return compressor.compress(data) + compressor.flush()


ENCODERS: dict[bytes, Callable[[bytes], bytes]] = {
    b"gzip": gzip.compress,
    b"x-gzip": gzip.compress,
    b"deflate": zlib.compress,
    b" Deflate ": raw_deflate,
    b"zstd": zstandard.ZstdCompressor().compress,
    b"ZSTD": streamed_zstd,
}
coded = st.tuples(st.sampled_from(sorted(ENCODERS)), st.binary(max_size=300) | st.just(b"{}" * 4000))
LIMIT = 10_000


def feed_all(coding: bytes, pieces: list[bytes]) -> bytes:
    """Decode what comes piece by piece."""
    decoder = decoder_for(coding, limit=LIMIT)
    assert decoder is not None
    return b"".join([*map(decoder.feed, pieces), decoder.finish()])


@given(coded, cut_anywhere())
def test_any_split_decodes_to_the_same_bytes(sample: tuple[bytes, bytes], cuts: list[int]) -> None:
    """Where a socket read ends is chance; what was sent is not."""
    coding, data = sample
    assert feed_all(coding, pieces_of(ENCODERS[coding](data), cuts)) == data


@given(coded, st.data())
def test_a_body_cut_short_is_an_error(sample: tuple[bytes, bytes], draw: st.DataObject) -> None:
    """Half a request must never be served as if it were whole."""
    coding, data = sample
    compressed = ENCODERS[coding](data)
    cut = draw.draw(st.integers(0, len(compressed) - 1))
    with pytest.raises(CodingError):
        decode_whole(coding, compressed[:cut], limit=LIMIT)


@pytest.mark.parametrize("coding", ENCODERS)
def test_half_of_a_large_body_is_an_error(coding: bytes) -> None:
    """Also where the first half alone decodes to something."""
    data = b"".join(b"%d," % number for number in range(60_000))
    compressed = ENCODERS[coding](data)
    with pytest.raises(CodingError):
        decode_whole(coding, compressed[: len(compressed) * 3 // 4], limit=1 << 20)


@pytest.mark.parametrize("coding", ENCODERS)
def test_a_bomb_is_refused_long_before_it_is_decoded(coding: bytes) -> None:
    """64 MiB of zeros in a few KiB: refused at the limit, in one piece or in many."""
    bomb = ENCODERS[coding](bytes(1 << 26))
    with pytest.raises(ExpansionError):
        decode_whole(coding, bomb, limit=LIMIT)
    with pytest.raises(ExpansionError):
        feed_all(coding, pieces_of(bomb, list(range(100, len(bomb), 100))))


@given(coded)
def test_the_limit_is_exact(sample: tuple[bytes, bytes]) -> None:
    """A body of just the limit passes, one byte more does not."""
    coding, data = sample
    assert decode_whole(coding, ENCODERS[coding](data), limit=len(data)) == data
    if data:
        with pytest.raises(ExpansionError):
            decode_whole(coding, ENCODERS[coding](data), limit=len(data) - 1)


@given(st.sampled_from(sorted(ENCODERS)), st.binary(max_size=100))
def test_bytes_that_are_no_such_body_give_only_our_errors(coding: bytes, junk: bytes) -> None:
    """What is read nevertheless keeps the limit, and is what the same coding's own reader makes of it again."""
    try:
        found = decode_whole(coding, junk, limit=LIMIT)
    except (CodingError, ExpansionError):
        return
    assert len(found) <= LIMIT
    assert decode_whole(coding, ENCODERS[coding](found), limit=LIMIT) == found


@pytest.mark.parametrize("coding", [b"gzip", b"zstd"])
def test_members_that_follow_each_other_are_one_body(coding: bytes) -> None:
    """RFC 1952 section 2.2 and RFC 8878 section 3: such files are concatenations."""
    encode = ENCODERS[coding]
    assert decode_whole(coding, encode(b"one ") + encode(b"") + encode(b"two"), limit=LIMIT) == b"one two"


@pytest.mark.parametrize("coding", [b"gzip", b"deflate", b"zstd"])
def test_a_body_of_empty_members_is_refused(coding: bytes) -> None:
    """A million empty members hold nothing and would cost seconds."""
    with pytest.raises(CodingError, match="members"):
        decode_whole(coding, ENCODERS[coding](b"") * 1_000_000, limit=LIMIT)


@pytest.mark.parametrize("coding", [b"gzip", b"deflate", b"zstd"])
def test_junk_behind_the_end_is_an_error(coding: bytes) -> None:
    with pytest.raises(CodingError):
        decode_whole(coding, ENCODERS[coding](b"{}") + b"junk and more junk", limit=LIMIT)


@pytest.mark.parametrize("coding", [b"", b"identity", b" Identity "])
def test_identity_needs_no_decoder(coding: bytes) -> None:
    assert decoder_for(coding, limit=1) is None
    assert decode_whole(coding, b"as it came", limit=LIMIT) == b"as it came"


@pytest.mark.parametrize("coding", [b"br", b"gzip, gzip", b"compress", b"*", b"\xff"])
def test_other_codings_are_unknown(coding: bytes) -> None:
    """Lists of codings too: nobody sends them, and each layer multiplies what a bomb can do."""
    with pytest.raises(UnknownCodingError):
        decoder_for(coding, limit=LIMIT)


def test_providers_are_only_asked_for_what_can_be_decoded() -> None:
    for coding in DECODABLE.split(b", "):
        assert decoder_for(coding, limit=LIMIT) is not None


def test_a_window_larger_than_web_content_may_use_is_refused() -> None:
    """RFC 9659 section 3: 8 MiB; a frame that asks for 128 MiB would make us hold as much."""
    parameters = zstandard.ZstdCompressionParameters.from_level(1, window_log=27)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    with pytest.raises(CodingError):
        decode_whole(b"zstd", compressor.compress(b"x" * 1000) + compressor.flush(), limit=LIMIT)


@pytest.mark.parametrize("coding", [b"gzip, identity", b"identity,GZIP", b" gzip ,"])
def test_a_request_may_list_one_coding_beside_identity(coding: bytes) -> None:
    assert decode_whole(coding, gzip.compress(b"{}"), limit=LIMIT) == b"{}"


# -- replies: as lenient as the client of the official SDKs ---------------------------------------------------------


def read_reply(values: list[bytes], pieces: list[bytes], limit: int = LIMIT) -> bytes:
    """Decode a reply that comes piece by piece."""
    decoder = reply_decoder(values, limit=limit)
    return b"".join(pieces if decoder is None else [*map(decoder.feed, pieces), decoder.finish()])


@given(
    st.sampled_from([b"gzip", b"deflate", b" Deflate "]),
    st.binary(max_size=200),
    st.sampled_from([b"", b"junk", bytes(99), b"\r\n", b"\x1f", b"\x1f\x8c", b"\x8b\x1f"]),
    cut_anywhere(),
)
def test_bytes_behind_a_compressed_reply_are_ignored(
    coding: bytes, data: bytes, behind: bytes, cuts: list[int]
) -> None:
    """Some servers pad, some proxies append; wherever a read ends."""
    assert read_reply([coding], pieces_of(ENCODERS[coding](data) + behind, cuts)) == data


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=4), cut_anywhere())
def test_members_of_a_reply_are_one_body(parts: list[bytes], cuts: list[int]) -> None:
    packed = b"".join(map(gzip.compress, parts)) + b"and junk"
    assert read_reply([b"gzip"], pieces_of(packed, cuts)) == b"".join(parts)


def test_a_reply_of_too_many_members_is_refused_and_not_cut() -> None:
    with pytest.raises(CodingError, match="members"):
        read_reply([b"gzip"], [gzip.compress(b"") * 2000])


@pytest.mark.parametrize(
    "values",
    [
        [],
        [b""],
        [b"identity"],
        [b"utf-8"],
        [b"UTF-8, identity"],
        [b"none", b"binary"],
        [b"*"],
        [b"\xff"],
        [b"chunked"],
    ],
)
def test_what_is_no_content_coding_says_nothing(values: list[bytes]) -> None:
    assert reply_decoder(values, limit=1) is None


@given(st.lists(st.sampled_from([b"gzip", b"deflate", b"zstd"]), min_size=1, max_size=5), st.binary(max_size=99))
def test_layers_are_undone_from_the_outside(codings: list[bytes], data: bytes) -> None:
    packed = data
    for coding in codings:
        packed = ENCODERS[coding](packed)
    assert read_reply([b", ".join(codings)], [packed]) == data
    assert read_reply([*codings, b"identity", b"utf-8"], [packed]) == data


@pytest.mark.parametrize("values", [[b"br"], [b"gzip, br"], [b"compress"], [b"gzip"] * 6])
def test_codings_that_cannot_be_undone_are_unknown(values: list[bytes]) -> None:
    with pytest.raises(UnknownCodingError):
        reply_decoder(values, limit=LIMIT)


def test_every_layer_of_a_bomb_is_bounded() -> None:
    bomb = gzip.compress(gzip.compress(bytes(1 << 28)))
    with pytest.raises(ExpansionError):
        read_reply([b"gzip, gzip"], [bomb], limit=1 << 20)


JSON_TEXTS = st.recursive(
    st.none() | st.integers() | st.text(max_size=9), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
).map(lambda value: json.dumps(value, ensure_ascii=False))


@example("0", "utf-16-le")
@example("0", "utf-16-be")
@example('"中"', "utf-16-le")
@example('"中"', "utf-16-be")
@given(
    JSON_TEXTS,
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]),
)
def test_json_in_any_coding_of_unicode_becomes_utf_8(text: str, coding: str) -> None:
    """As Python's ``json.loads`` tells them apart, by which the SDKs read."""
    data = text.encode(coding)
    assert json.loads(as_utf8(data).decode()) == json.loads(data) == json.loads(text)


@pytest.mark.parametrize(
    ("mark", "coding"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
)
@pytest.mark.parametrize("text", ["\u4e2d", '"\u4e2d"', "0", "{}"])
def test_a_byte_order_mark_says_the_coding_whatever_follows_it(mark: bytes, coding: str, text: str) -> None:
    assert as_utf8(mark + text.encode(coding)) == text.encode()


@given(st.binary(max_size=40))
def test_other_bytes_do_no_harm(data: bytes) -> None:
    """They are read or refused later, as what they are: unless they look like UTF-16 or UTF-32, only a mark goes."""
    found = as_utf8(data)
    if b"\0" not in data[:2] and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        assert found == data.removeprefix(b"\xef\xbb\xbf")
    else:
        assert found.decode().encode() == found


def test_utf_8_is_not_copied() -> None:
    """Nearly every reply is: it costs one look at two bytes."""
    data = b'{"a": 1}'
    assert as_utf8(data) is data
