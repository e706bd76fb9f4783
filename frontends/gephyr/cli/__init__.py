"""The command line: ``gephyr`` and its subcommands."""

from gephyr.cli.main import main

__all__ = ["main"]
