"""Bodies that need not be read to be refused."""

from gephyr_core.content_coding import UnknownCodingError, decoder_for
from gephyr_core.errors import ErrorKind, Problem
from gephyr_core.http import Headers, content_length, header

TOO_MUCH_HELD = Problem(
    ErrorKind.UNAVAILABLE, "the gateway holds too much in memory (server.max_buffered_bytes)", retry_after=1.0
)


def refuse_body(headers: Headers, limit: int) -> Problem | None:
    """Refuse a body whose declared length (bytes) is over the *limit*, or whose coding is unknown."""
    if content_length(headers) > limit:
        return too_large(limit)
    coding = header(headers, b"content-encoding")
    if coding is not None:
        try:
            decoder_for(coding, limit=limit)
        except UnknownCodingError as error:
            return Problem(
                ErrorKind.UNSUPPORTED_ENCODING,
                f"content-encoding: {str(error)[:60]!r} is not supported, use gzip, deflate or zstd",
                headers=((b"accept-encoding", b"gzip, deflate, zstd"),),
            )
    return None


def too_large(limit: int) -> Problem:
    """The refusal of a body over the *limit*, bytes."""
    return Problem(ErrorKind.TOO_LARGE, f"the request body exceeds server.max_body_size ({limit} bytes)")
