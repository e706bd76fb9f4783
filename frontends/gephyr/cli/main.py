"""The ``gephyr`` command. A subcommand lives in a module of its own and is added here, in one line."""

import os
import sys

import click

from gephyr.cli.accounts import accounts
from gephyr.cli.check import check
from gephyr.cli.demo import demo
from gephyr.cli.serve import serve
from gephyr.cli.simulate import simulate
from gephyr.cli.translate import translate
from gephyr_core import __version__


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="gephyr")
def main() -> None:
    """A gateway that serves OpenAI, Anthropic and Gemini clients from your own provider accounts."""
    _open_standard_streams()


def _open_standard_streams() -> None:
    """Open what the caller closed (``2>&-``) on the null device: else the next file or socket would get its number,
    and what is written to standard error would go there."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 (for good)


main.add_command(serve)
main.add_command(demo)
main.add_command(check)
main.add_command(simulate)
main.add_command(translate)
main.add_command(accounts)
