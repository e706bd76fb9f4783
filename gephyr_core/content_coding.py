"""Content codings (RFC 9110 section 8.4.1), decoded within bounds: gzip, deflate, zstd."""

import zlib
from typing import Protocol

import zstandard

DECODABLE = b"gzip, deflate"
"""What Gephyr asks providers for where a whole reply is expected."""


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
        return _ZlibDecoder(zlib.MAX_WBITS | 16, limit)
    if coding == b"deflate":
        return _DeflateDecoder(limit)
    if coding == b"zstd":
        return _ZstdDecoder(limit)
    raise UnknownCodingError(coding.decode("latin-1"))


def decode_whole(coding: bytes, data: bytes, *, limit: int) -> bytes:
    """Decode a whole body. Raises the errors of this module."""
    decoder = decoder_for(coding, limit=limit)
    return data if decoder is None else decoder.feed(data) + decoder.finish()


class _ZlibDecoder:
    def __init__(self, window_bits: int, limit: int) -> None:
        self._window_bits = window_bits
        self._left = limit
        self._inflater = zlib.decompressobj(window_bits)

    def feed(self, data: bytes) -> bytes:
        pieces = []
        while data:
            if self._inflater.eof:  # a gzip body may have several members (RFC 1952 section 2.2)
                self._inflater = zlib.decompressobj(self._window_bits)
            try:
                piece = self._inflater.decompress(data, self._left + 1)
            except zlib.error as error:
                raise CodingError(str(error)) from error
            self._left -= len(piece)
            if self._left < 0:
                raise ExpansionError
            pieces.append(piece)
            data = self._inflater.unconsumed_tail or self._inflater.unused_data
        return b"".join(pieces)

    def finish(self) -> bytes:
        if not self._inflater.eof:
            raise CodingError("the compressed body is cut short")
        return b""


class _DeflateDecoder:
    """``deflate`` is a zlib stream by the standard, and a raw one by some senders: the first byte tells."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._inner: _ZlibDecoder | None = None

    def feed(self, data: bytes) -> bytes:
        if not data:
            return b""
        if self._inner is None:
            is_zlib = data[0] & 0x0F == 8
            self._inner = _ZlibDecoder(zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS, self._limit)
        return self._inner.feed(data)

    def finish(self) -> bytes:
        if self._inner is None:
            raise CodingError("the compressed body is empty")
        return self._inner.finish()


class _ZstdDecoder:
    """Holds the compressed bytes: zstd frames are decoded at the end, where the output can be bounded."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._pieces: list[bytes] = []

    def feed(self, data: bytes) -> bytes:
        self._pieces.append(data)
        return b""

    def finish(self) -> bytes:
        # A window of 8 MiB is what RFC 9659 section 3 asks of decoders of web content.
        decompressor = zstandard.ZstdDecompressor(max_window_size=8 << 20)
        try:
            with decompressor.stream_reader(b"".join(self._pieces), read_across_frames=True) as reader:
                data = reader.read(self._limit + 1)
        except zstandard.ZstdError as error:
            raise CodingError(str(error)) from error
        if len(data) > self._limit:
            raise ExpansionError
        if not data:
            raise CodingError("the compressed body is cut short")
        return data
