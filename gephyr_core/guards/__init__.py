"""Who may pass. Each guard is a pure question about a request's head; the gateway asks them in a fixed order."""

from gephyr_core.guards.auth import Authenticator
from gephyr_core.guards.body_limit import refuse_body
from gephyr_core.guards.cors import Cors
from gephyr_core.guards.ip_filter import IpFilter

__all__ = ["Authenticator", "Cors", "IpFilter", "refuse_body"]
