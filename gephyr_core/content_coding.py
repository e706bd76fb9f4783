"""Content codings (RFC 9110 section 8.4.1), decoded within bounds: gzip, deflate, zstd."""

import zlib
from collections.abc import Callable
from typing import Protocol

import zstandard

DECODABLE = b"gzip, deflate"
"""What Gephyr asks providers for where a whole reply is expected."""

_MOST_MEMBERS = 1000
"""Members of one gzip body, frames of one zstd body. Each costs time although it may hold nothing."""


class CodingError(ValueError):
    """The bytes are not what their content coding says, or end too early."""


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
    """Return a decoder for a ``content-encoding`` value, None for identity.

    *limit* bounds the decoded size in bytes. Raises ``UnknownCodingError``.
    """
    coding = coding.strip().lower()
    if coding in {b"", b"identity"}:
        return None
    if coding in {b"gzip", b"x-gzip"}:
        return _MembersDecoder(_gzip_member, _DEFLATE_SLICE, limit)
    if coding == b"deflate":
        return _DeflateDecoder(limit)
    if coding == b"zstd":
        return _MembersDecoder(_zstd_frame, _ZSTD_SLICE, limit)
    raise UnknownCodingError(coding.decode("latin-1"))


def decode_whole(coding: bytes, data: bytes, *, limit: int) -> bytes:
    """Decode a whole body. Raises the errors of this module."""
    decoder = decoder_for(coding, limit=limit)
    return data if decoder is None else decoder.feed(data) + decoder.finish()


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

    def __init__(self, new: Callable[[], _Member], slice_size: int, limit: int, most: int = _MOST_MEMBERS) -> None:
        self._new = new
        self._slice_size = slice_size
        self._left = limit
        self._members_left = most - 1
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
            raise CodingError("the compressed body is cut short")
        return b""


class _DeflateDecoder:
    """``deflate`` is a zlib stream by the standard, and a raw one by some senders: the first byte tells."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._inner: _MembersDecoder | None = None

    def feed(self, data: bytes) -> bytes:
        if not data:
            return b""
        if self._inner is None:
            stream = _zlib_stream if data[0] & 0x0F == 8 else _raw_stream
            self._inner = _MembersDecoder(stream, _DEFLATE_SLICE, self._limit, most=1)
        return self._inner.feed(data)

    def finish(self) -> bytes:
        if self._inner is None:
            raise CodingError("the compressed body is empty")
        return self._inner.finish()
