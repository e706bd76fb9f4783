"""A client's request read for translation, and written: jobs, see :mod:`gephyr_core.computing`."""

from collections.abc import Mapping

import attrs

from gephyr_core.dialects.translator import Destination
from gephyr_core.http import Headers
from gephyr_core.translation.carrying import CLIENT as CARRIED
from gephyr_core.translation.carrying import returned
from gephyr_core.translation.memory import Memories, said_last
from gephyr_core.translation.requests import RequestTranslation, TranslatedCall, read_request, with_makers
from gephyr_core.translation.showing import Shown, shown_to


@attrs.frozen
class ReadRequest:
    """What the job comes to."""

    translation: RequestTranslation
    wanted_urls: Mapping[str, Mapping[str, str]]
    """Dialect to the addresses that its providers have to be given as bytes, each with where the client wrote it."""
    shown: Shown
    """What of reasoning the client asked to be shown."""
    said: str
    """A digest of what the user said last: what is remembered of the reply is found by it."""


@attrs.frozen
class ReadingRequest:
    """The job: read a request, and put back the reasoning that the client dropped or carried elsewhere.

    Raises ``FieldError`` and ``UntranslatableError``.
    """

    dialect: str
    body: bytes
    model: str = attrs.field(kw_only=True)
    stream: bool = attrs.field(kw_only=True)
    headers: Headers = attrs.field(kw_only=True)
    strict: bool = attrs.field(kw_only=True)
    count: bool = attrs.field(kw_only=True)
    memory: Memories | None = attrs.field(kw_only=True)
    """None where nothing is remembered for the client."""
    makers: Mapping[str, str] = attrs.field(kw_only=True)
    """Digests of organisations by those of the signatures that they made."""
    fetched_for: tuple[str, ...] = attrs.field(kw_only=True)
    """Dialects for whose providers addresses may be fetched."""

    def __call__(self) -> ReadRequest:
        """Do it."""
        translation = read_request(
            self.dialect,
            self.body,
            model=self.model,
            stream=self.stream,
            headers=self.headers,
            strict=self.strict,
            count=self.count,
        )
        prompt = with_makers(translation.prompt, self.makers)
        if self.dialect == CARRIED:
            prompt = returned(prompt)
        translation.prompt = prompt
        if self.memory is not None:
            translation.prompt = self.memory.restore(prompt)
            translation.sent = None if translation.prompt is prompt else prompt
        wanted = {name: translation.wanted_urls(name) for name in self.fetched_for}
        return ReadRequest(translation, wanted, shown_to(prompt), said_last(prompt.turns))


@attrs.frozen
class WritingRequest:
    """The job: write a request for a destination. Raises what :meth:`RequestTranslation.call` does."""

    translation: RequestTranslation
    destination: Destination
    stream: bool

    def __call__(self) -> TranslatedCall | None:
        """Do it."""
        return self.translation.call(self.destination, stream=self.stream)
