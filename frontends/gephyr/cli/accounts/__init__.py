"""``gephyr accounts``: the operator's accounts by command, beside a gateway that runs or without one."""

from gephyr.cli.accounts.group import accounts

__all__ = ["accounts"]
