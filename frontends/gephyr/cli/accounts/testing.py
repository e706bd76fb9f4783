"""``gephyr accounts test``: whether an account works, by one cheap request."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import click

from gephyr.cli.accounts.asking import Asked, list_of_models, tiny_generation
from gephyr.cli.accounts.known import EXIT_FAILED, KnownAccounts, account_argument, fail, known_accounts
from gephyr.cli.accounts.listing import shown_time
from gephyr.cli.accounts.probing import Finding, probe, route_of
from gephyr.cli.accounts.sign_in import SignedIn, SignInError, signed_in
from gephyr.cli.check import EXIT_BAD_CONFIGURATION, config_option
from gephyr.runtime.configuration import Loaded
from gephyr_core.conversation.fields import FieldError
from gephyr_core.conversation.report import UntranslatableError
from gephyr_core.scheduling import Account
from gephyr_core.shared import make_account


@click.command("test")
@config_option
@click.option("--model", metavar="NAME", help="Generate a few tokens with it, in place of listing models.")
@click.option("--timeout", type=click.FloatRange(0.1, 600), default=30.0, help="Seconds for the answer.")
@account_argument
def test_account(config_path: Path | None, account: str, model: str | None, timeout: float) -> None:
    """Ask an account's provider for its models, with the account's credential and through its proxy.

    An account that signs in does so first, where its token is over; a new token is kept. An account that is out of
    service is tested all the same. Exit status: 0 it works, 1 it does not.
    """
    with known_accounts(config_path) as known:
        loaded, settings = known.settings(account)
        made = make_account(settings, loaded.config)
        try:
            asked = list_of_models(made) if model is None else tiny_generation(made, model, loaded.config)
        except (FieldError, UntranslatableError) as error:
            raise click.BadParameter(str(error), param_hint="--model") from None
        try:
            works = asyncio.run(_test(known, loaded, made, asked, timeout))
        except OSError as error:
            click.echo(f"error: outbound.ca_file: {error.strerror or error}", err=True)
            raise SystemExit(EXIT_BAD_CONFIGURATION) from None
        if not works:
            raise SystemExit(EXIT_FAILED)
        known.tell_if_out(account, loaded)


async def _test(known: KnownAccounts, loaded: Loaded, account: Account, asked: Asked, limit: float) -> bool:
    route = route_of(account, loaded, time.time())
    if route is None:
        fail("proxy_pool.require_proxy_for_account_requests is set, and no proxy may be used")
    click.echo(f"account   {account.id} ({account.provider} at {account.origin}{account.base_path})")
    click.echo(f"route     {route}")
    if account.signs_in:
        try:
            token = await signed_in(account.id, loaded, known.book, route, time.time)
        except SignInError as error:
            click.echo(f"verdict   it cannot sign in: {error}")
            return False
        click.echo(_signed_in(token))
    finding = await probe(account, asked, loaded, route, limit)
    for line in _lines(finding, asked):
        click.echo(line)
    return finding.works


def _signed_in(token: SignedIn) -> str:
    return f"token     {'new' if token.is_new else 'kept'}, until {shown_time(token.until)}"


def _lines(finding: Finding, asked: Asked) -> Iterator[str]:
    yield f"asked     {asked.method} {asked.target}"
    if finding.status:
        yield f"answer    {finding.status} after {finding.seconds:.2f} s"
    for number, limit in enumerate(finding.limits):
        yield f"{'' if number else 'limits':<9} {limit}"
    yield f"verdict   {finding.verdict}"
