"""Ways to cut a stream of bytes into the pieces a socket might deliver, for tests of what reads them."""

import itertools

from hypothesis import strategies as st


def pieces_of(stream: bytes, cuts: list[int]) -> list[bytes]:
    """Cut *stream* at the offsets *cuts*, those beyond its end left out."""
    edges = [0, *sorted({cut for cut in cuts if 0 < cut < len(stream)}), len(stream)]
    return [stream[start:end] for start, end in itertools.pairwise(edges)]


def cut_anywhere(longest: int = 400) -> st.SearchStrategy[list[int]]:
    """Offsets to cut at; many small ones come up often."""
    return st.lists(st.integers(min_value=1, max_value=longest), max_size=60)
