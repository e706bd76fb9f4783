"""What happened, told to the operator: logs and metrics."""

from gephyr.runtime.observers.logs import LogFormat, RequestLog, configure_logging
from gephyr.runtime.observers.metrics import Metrics
from gephyr.runtime.observers.observers import Observers

__all__ = ["LogFormat", "Metrics", "Observers", "RequestLog", "configure_logging"]
