"""The decision-making of a gateway, without I/O: events in, commands out."""

__version__ = "0.1.0"
