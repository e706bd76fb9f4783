"""What happened, told to the operator: logs and metrics."""

from gephyr.runtime.observers.lines import LineWriter, background_output
from gephyr.runtime.observers.logs import LogFormat, RequestLog, configure_logging
from gephyr.runtime.observers.metrics import Metrics
from gephyr.runtime.observers.observers import Observers

__all__ = [
    "LineWriter",
    "LogFormat",
    "Metrics",
    "Observers",
    "RequestLog",
    "background_output",
    "configure_logging",
]
