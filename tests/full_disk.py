"""A disk that takes nothing more, for tests: no file of this process may grow."""

import contextlib
import signal
import sys
from collections.abc import Iterator

import pytest

unix_only = pytest.mark.skipif(sys.platform == "win32", reason="RLIMIT_FSIZE is of Unix")


@contextlib.contextmanager
def full_disk(most_bytes: int = 0) -> Iterator[None]:
    """Until the end of the block, writes beyond *most_bytes* of any file fail, as on a full file system."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
