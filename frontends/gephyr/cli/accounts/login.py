"""``gephyr accounts login``: somebody signs an account in with a browser; the token is kept."""

import asyncio
import time
import webbrowser
from pathlib import Path

import click

from gephyr.cli.accounts.known import account_argument, fail, known_accounts
from gephyr.cli.accounts.listing import shown_time
from gephyr.cli.accounts.probing import route_of
from gephyr.cli.check import EXIT_BAD_CONFIGURATION, config_option
from gephyr.runtime.configuration import Loaded
from gephyr.runtime.store_tokens import StoredToken
from gephyr.runtime.tokens import BrowserLogin, LoginError, RefreshGrant, TokenEndpoint
from gephyr.runtime.tokens.login import REDIRECT
from gephyr_core.config import AccountConfig
from gephyr_core.shared import make_account


@click.command()
@config_option
@click.option("--no-browser", is_flag=True, help="Only print the address; open it in a browser on this machine.")
@click.option("--timeout", type=click.FloatRange(0.1, 3600), default=300.0, help="Seconds for signing in.")
@click.option("--redirect", metavar="URL", default=REDIRECT, help="The loopback address that the provider has on file.")
@account_argument
def login(config_path: Path | None, account: str, redirect: str, timeout: float, *, no_browser: bool) -> None:
    """Sign an OAuth account in with a browser (authorization code with PKCE); a gateway that runs uses it at once.

    A redirect without a port gets a free one, which providers allow for programs on one's own machine.
    """
    with known_accounts(config_path) as known:
        loaded, settings = known.settings(account)
        grant = loaded.grants.get(account)
        if settings.oauth is None or not isinstance(grant, RefreshGrant):
            fail(f"{account!r} does not sign in by OAuth: it has no client")
        if not settings.oauth.authorize_url:
            fail(f"{account!r} has no oauth.authorize_url: where its browser login begins")
        made = make_account(settings, loaded.config)
        route = route_of(made, loaded, time.time())
        if route is None:
            fail("proxy_pool.require_proxy_for_account_requests is set, and no proxy may be used")
        try:
            token = asyncio.run(_token(settings, grant, loaded, route, redirect, timeout, opens=not no_browser))
        except LoginError as error:
            fail(str(error))
        except OSError as error:
            click.echo(f"error: outbound.ca_file: {error.strerror or error}", err=True)
            raise SystemExit(EXIT_BAD_CONFIGURATION) from None
        known.book.sign_in(token)
        click.echo(f"signed in {account}; its token lasts until {shown_time(token.expires_at)}, and is renewed in time")
        known.tell_if_out(account, loaded)


async def _token(
    settings: AccountConfig,
    grant: RefreshGrant,
    loaded: Loaded,
    route: str,
    redirect: str,
    limit: float,
    *,
    opens: bool,
) -> StoredToken:
    """Have somebody sign in within *limit* seconds. Raises ``LoginError``, and ``OSError`` for a bad CA file."""
    assert settings.oauth is not None
    endpoint = TokenEndpoint(loaded.routes, ca_file=loaded.config.outbound.ca_file)
    attempt = await BrowserLogin.open(grant, settings.oauth.authorize_url, redirect=redirect)
    try:
        click.echo(f"open this address in a browser on this machine, within {limit:g} s:\n\n{attempt.url}\n")
        if opens:
            await asyncio.to_thread(webbrowser.open, attempt.url)
        return await attempt.wait(settings.id, endpoint, timeout=limit, clock=time.time, route=route)
    finally:
        await attempt.aclose()
