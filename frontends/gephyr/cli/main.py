"""The ``gephyr`` command. A subcommand lives in a module of its own and is added here, in one line."""

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


main.add_command(serve)
main.add_command(demo)
main.add_command(check)
main.add_command(simulate)
main.add_command(translate)
main.add_command(accounts)
