"""The observers: where the driver hands each fact, to be logged and counted."""

import contextlib
from collections.abc import Callable

import attrs
import structlog

from gephyr.runtime.observers.events import OperationsLog
from gephyr.runtime.observers.lines import LineWriter
from gephyr.runtime.observers.logs import RequestLog
from gephyr.runtime.observers.metrics import Metrics
from gephyr_core.faults import internal_error
from gephyr_core.records import Fact, RequestRecord

_log = structlog.get_logger()


class Observers:
    """Logs and counts every request; implements ``gephyr.runtime.driver.Observer``."""

    def __init__(self, *, request_log: RequestLog | None = None, lines: LineWriter | None = None) -> None:
        """Without *request_log* requests are counted but not logged. What *lines* drops is counted on the page."""
        self._metrics = Metrics()
        if lines is not None:
            self._metrics.add_counter(
                "gephyr_log_lines_dropped_total",
                "Log lines that were dropped because nobody read them or the file took none.",
                lambda: float(lines.dropped),
            )
        self._operations = OperationsLog(self._metrics.registry)
        self._takers: list[Callable[[RequestRecord], None]] = [self._metrics.count]
        if request_log is not None:
            self._takers.append(request_log.write)
        self._failed: list[Callable[[RequestRecord], None]] = []
        self.redact: Callable[[str, str], str] = lambda _account, text: text
        """Takes an account's credential out of a text, which its provider may have put there."""

    def add_gauge(self, name: str, documentation: str, read: Callable[[], float]) -> None:
        """Show on the metrics page a value that *read* returns whenever the page is asked for."""
        self._metrics.add_gauge(name, documentation, read)

    def add_counter(self, name: str, documentation: str, read: Callable[[], float]) -> None:
        """Show on the metrics page a count that *read* returns whenever the page is asked for."""
        self._metrics.add_counter(name, documentation, read)

    def observe(self, fact: Fact) -> None:
        """Log and count *fact*. Never raises; what fails is reported once."""
        if not isinstance(fact, RequestRecord):
            with contextlib.suppress(Exception):  # standard error itself may be what fails
                self._operations.write(fact)
            return
        if any(attempt.detail for attempt in fact.attempts):
            attempts = [attrs.evolve(one, detail=self.redact(one.account, one.detail)) for one in fact.attempts]
            fact = attrs.evolve(fact, attempts=tuple(attempts))
        for take in self._takers:
            try:
                take(fact)
            except Exception as error:
                if take not in self._failed:
                    self._failed.append(take)
                    with contextlib.suppress(Exception):  # standard error itself may be what fails
                        place = internal_error(error, "Observe", 0.0).place
                        _log.error("a request could not be observed", request=fact.request_id, place=place)

    def metrics(self) -> tuple[str, bytes]:
        """Return the content type and the text of the metrics page, for the operator."""
        return self._metrics.page()

    def metrics_for_clients(self) -> tuple[str, bytes]:
        """Return the content type and the text of the metrics page, for who holds a client key."""
        return self._metrics.page_for_clients()

    def listen_for_metrics(self, host: str, port: int) -> Callable[[], None]:
        """Serve the metrics page on a listener of its own; returns what closes it. Raises ``OSError``."""
        return self._metrics.listen(host, port)
