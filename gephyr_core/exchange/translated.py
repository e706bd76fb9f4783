"""What becomes of a request on its way into other dialects, and what of it a reply is written with."""

from collections.abc import Mapping

import attrs

from gephyr_core.conversation.report import Report
from gephyr_core.dialects.translator import ReplyContext
from gephyr_core.exchange.plan import Asking
from gephyr_core.shared import Leg
from gephyr_core.translation.reading import ReadRequest
from gephyr_core.translation.requests import RequestTranslation, TranslatedCall
from gephyr_core.translation.showing import NOTHING, Shown

_NOTHING: Mapping[str, Mapping[str, str]] = {}


@attrs.define
class Translation:
    """A request read, what was written of it for each leg, and what that lost."""

    prepared: bool = False
    """The client's request was read, or could not be."""
    request: RequestTranslation | None = None
    """None before it is read, and again once it will not be sent any more."""
    wanted_urls: Mapping[str, Mapping[str, str]] = _NOTHING
    """Dialect to the addresses that its providers have to be given as bytes, each with where the client wrote it."""
    shown: Shown = NOTHING
    """What of reasoning the client asked to be shown in a translated reply."""
    said: str = ""
    """A digest of what the user said last."""
    calls: dict[Leg, TranslatedCall | None] = attrs.field(factory=dict)
    """What was written for the legs so far; None where the leg's dialect cannot count tokens."""
    passed_on: dict[Leg, Asking] = attrs.field(factory=dict)
    """The same for legs in the client's dialect, where that was a job for the front end."""
    context: ReplyContext | None = None
    """What writing the reply needs to know, once it was asked for."""
    report: Report | None = None
    """What the latest translation lost; None where nothing was translated."""

    def take(self, found: ReadRequest) -> None:
        """The request was read."""
        self.request, self.wanted_urls = found.translation, found.wanted_urls
        self.shown, self.said = found.shown, found.said

    def read(self) -> RequestTranslation:
        """Return the request, on a leg for which it was read."""
        assert self.request is not None
        return self.request

    def let_go(self) -> None:
        """The request will not be sent again."""
        self.request = None
        self.calls.clear()
        self.passed_on.clear()

    def begin_report(self, lost: Report | None) -> bytes:
        """A leg is taken, on which the request has *lost* something, or (None) was not changed. Return what the client
        is told in its head."""
        self.report = None
        if lost is None:
            return b""
        self.report = Report()
        self.report.add(lost)
        return self.report.dropped_header()

    def losses(self) -> Report:
        """The report that takes in what the reply loses too."""
        if self.report is None:
            self.report = Report()
        return self.report
