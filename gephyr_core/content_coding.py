"""Content codings (RFC 9110 section 8.4.1), decoded within bounds: gzip, deflate, zstd. And character codings of JSON.

Requests are read as the standard has them. Replies are read as the official SDKs read them, whose client is httpx: a
provider that they understand is understood here.
"""

import zlib
from collections.abc import Callable, Iterable
from typing import Protocol

import zstandard

DECODABLE = b"gzip, deflate"
"""What Gephyr asks providers for where a whole reply is expected."""

_MOST_MEMBERS = 1000
"""Members of one gzip body, frames of one zstd body. Each costs time although it may hold nothing."""


class CodingError(ValueError):
    """The bytes are not what their content coding says, or end too early."""


class CutShortError(CodingError):
    """The bytes end before their content coding does."""


class ExpansionError(ValueError):
    """The decoded bytes exceed the limit."""


class UnknownCodingError(ValueError):
    """A content coding that is not supported."""


class Decoder(Protocol):
    """Decodes one body piece by piece."""

    def feed(self, data: bytes) -> bytes:
        """Decode *data*. Raises ``CodingError`` or ``ExpansionError``."""

    def finish(self) -> bytes:
        """Return what is left at the end of the body. Raises ``CodingError`` when the body is cut short."""


def decoder_for(coding: bytes, *, limit: int) -> Decoder | None:
    """Return a decoder for a request's ``content-encoding``, None for identity.

    *limit* bounds the decoded size in bytes. Raises ``UnknownCodingError``, for several codings too: nobody sends them,
    and each layer multiplies what a bomb can do.
    """
    codings = _listed([coding])
    if not codings:
        return None
    if len(codings) > 1 or codings[0] not in _DECODERS:
        raise UnknownCodingError(coding.strip().lower().decode("latin-1"))
    return _DECODERS[codings[0]](limit, lenient=False)


def reply_decoder(values: Iterable[bytes], *, limit: int) -> Decoder | None:
    """Return a decoder for the ``content-encoding`` fields of a reply, None where there is nothing to undo.

    Names that are no content codings (``utf-8``, ``none``, ``chunked``) say nothing, as in httpx. *limit* bounds the
    decoded size in bytes. Raises ``UnknownCodingError`` for a coding that cannot be undone, and for too many.
    """
    codings = [name for name in _listed(values) if name in _DECODERS or name in _NOT_DECODABLE]
    strange = [name for name in codings if name not in _DECODERS]
    if strange or len(codings) > _MOST_LAYERS:
        raise UnknownCodingError(b", ".join(strange or codings).decode("latin-1"))
    decoders = [_DECODERS[name](limit, lenient=True) for name in reversed(codings)]
    return _Layers(decoders) if len(decoders) > 1 else decoders[0] if decoders else None


def _listed(values: Iterable[bytes]) -> list[bytes]:
    """The codings in the order in which they were applied, lower case; ``identity`` is none."""
    names = [name.strip().lower() for value in values for name in value.split(b",")]
    return [name for name in names if name not in {b"", b"identity"}]


_NOT_DECODABLE = frozenset({b"br", b"compress", b"x-compress", b"dcb", b"dcz", b"exi", b"pack200-gzip", b"aes128gcm"})
"""The other registered codings (RFC 9110 section 16.6.1), which Gephyr never asks for."""
_MOST_LAYERS = 5
"""Codings of one reply, as in httpx."""


def decode_whole(coding: bytes, data: bytes, *, limit: int) -> bytes:
    """Decode a whole body. Raises the errors of this module."""
    decoder = decoder_for(coding, limit=limit)
    return data if decoder is None else decoder.feed(data) + decoder.finish()


_BOMS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\0\0", "utf-32-le"),
    (b"\0\0\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
"""UTF-32 comes before UTF-16, whose mark its own begins with."""


def as_utf8(text: bytes) -> bytes:
    """Return JSON text as UTF-8 without a byte order mark (RFC 8259 section 8.1); as it is if it is neither.

    Python's ``json.loads`` reads UTF-16 and UTF-32 too, told by their mark or their zeros, and so do the SDKs.
    """
    if text[:1] in _ASCII_STARTS and text[1:2] != b"\0":
        return text
    mark, coding = next(((mark, coding) for mark, coding in _BOMS if text.startswith(mark)), (b"", _by_zeros(text)))
    text = text[len(mark) :]
    return text if coding == "utf-8" else text.decode(coding, "replace").encode()


_ASCII_STARTS = (b"{", b"[", b" ", b"\n", b"\r", b"\t", b'"')


def _by_zeros(text: bytes) -> str:
    """Tell the coding of JSON text, whose first character is ASCII (RFC 4627 section 3)."""
    first, second, *next_two = text[:4] if len(text) >= 4 else text[:2] if len(text) == 2 else b"xx"
    if not first:
        return "utf-16-be" if second else "utf-32-be"
    if not second:
        return "utf-16-le" if any(next_two) or not next_two else "utf-32-le"
    return "utf-8"


# Compressed bytes are decoded in slices, so that at most 8 MiB are decoded beyond the limit before it is looked at.
_DEFLATE_SLICE = 8192
"""Deflate makes at most 1032 bytes of one (a match of 258 bytes in 2 bits)."""
_ZSTD_SLICE = 256
"""zstd makes at most 128 KiB of 4 bytes (a block of one repeated byte, RFC 8878 section 3.1.1.2)."""


class _Member(Protocol):
    """One gzip member, zlib stream or zstd frame being decoded."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, /) -> bytes: ...


def _gzip_member() -> _Member:
    return zlib.decompressobj(zlib.MAX_WBITS | 16)


def _zlib_stream() -> _Member:
    return zlib.decompressobj()


def _raw_stream() -> _Member:
    return zlib.decompressobj(-zlib.MAX_WBITS)


def _zstd_frame() -> _Member:
    # A window of 8 MiB is what RFC 9659 section 3 asks of decoders of web content.
    return zstandard.ZstdDecompressor(max_window_size=8 << 20).decompressobj()


class _MembersDecoder:
    """Decodes members that follow each other (RFC 1952 section 2.2, RFC 8878 section 3)."""

    def __init__(
        self,
        new: Callable[[], _Member],
        slice_size: int,
        limit: int,
        most: int = _MOST_MEMBERS,
        magic: bytes | None = None,
    ) -> None:
        """*magic*: what another member begins with, empty where there is never one; anything else that follows a
        member is ignored then."""
        self._new = new
        self._slice_size = slice_size
        self._left = limit
        self._members_left = most - 1
        self._magic = magic
        self._behind = b""
        """The first bytes behind a member, until it shows whether they are another one."""
        self._member = new()

    def feed(self, data: bytes) -> bytes:
        pieces: list[bytes] = []
        try:
            for start in range(0, len(data), self._slice_size):
                self._decode(data[start : start + self._slice_size], pieces)
        except (zlib.error, zstandard.ZstdError) as error:
            raise CodingError(str(error)) from error
        return b"".join(pieces)

    def _decode(self, data: bytes, pieces: list[bytes]) -> None:
        while data:
            if self._member.eof:
                if self._magic is not None:
                    data = self._behind + data
                    self._behind = data[: len(self._magic)]
                    if not self._magic or self._behind != self._magic:
                        return
                    self._behind = b""
                if not self._members_left:
                    raise CodingError("bytes follow the end, or too many members")
                self._members_left -= 1
                self._member = self._new()
            piece = self._member.decompress(data)
            self._left -= len(piece)
            if self._left < 0:
                raise ExpansionError
            pieces.append(piece)
            data = self._member.unused_data if self._member.eof else b""

    def finish(self) -> bytes:
        if not self._member.eof:
            raise CutShortError("the compressed body is cut short")
        return b""


class _DeflateDecoder:
    """``deflate`` is a zlib stream by the standard, and a raw one by some senders: the first byte tells."""

    def __init__(self, limit: int, *, lenient: bool) -> None:
        self._limit = limit
        self._magic = b"" if lenient else None
        self._inner: _MembersDecoder | None = None

    def feed(self, data: bytes) -> bytes:
        if not data:
            return b""
        if self._inner is None:
            stream = _zlib_stream if data[0] & 0x0F == 8 else _raw_stream
            self._inner = _MembersDecoder(stream, _DEFLATE_SLICE, self._limit, most=1, magic=self._magic)
        return self._inner.feed(data)

    def finish(self) -> bytes:
        if self._inner is None:
            raise CutShortError("the compressed body is empty")
        return self._inner.finish()


class _Layers:
    """Undoes several codings, the one that was applied last first."""

    def __init__(self, decoders: list[Decoder]) -> None:
        self._decoders = decoders

    def feed(self, data: bytes) -> bytes:
        for decoder in self._decoders:
            data = decoder.feed(data)
        return data

    def finish(self) -> bytes:
        data = b""
        for decoder in self._decoders:
            data = (decoder.feed(data) if data else b"") + decoder.finish()
        return data


def _gzip(limit: int, *, lenient: bool) -> Decoder:
    magic = b"\x1f\x8b" if lenient else None
    return _MembersDecoder(_gzip_member, _DEFLATE_SLICE, limit, magic=magic)


def _zstd(limit: int, *, lenient: bool) -> Decoder:  # noqa: ARG001 (httpx is strict here too)
    return _MembersDecoder(_zstd_frame, _ZSTD_SLICE, limit)


class _Make(Protocol):
    """Makes a decoder; *lenient* for replies."""

    def __call__(self, limit: int, *, lenient: bool) -> Decoder: ...


_DECODERS: dict[bytes, _Make] = {
    b"gzip": _gzip,
    b"x-gzip": _gzip,
    b"deflate": _DeflateDecoder,
    b"zstd": _zstd,
}
