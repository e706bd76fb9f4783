"""What an operator does while requests run and wait."""

from typing import Any

from play import Play, account
from scheduling import body, finish

from gephyr_core.events import AdminChanged


def told(play: Play, *accounts: Any, **more: Any) -> None:
    """Have the operator's changes told; nothing is to follow at once."""
    play.feed(AdminChanged(accounts, **more))
    play.expect()


def test_a_lease_on_a_removed_account_is_still_out() -> None:
    a, b = account("a"), account("b", priority=-1)
    play = Play(a, b)
    call = play.request(body())
    told(play, b)
    assert play.gateway.open_leases == 1
    finish(play, call)
    play.finish()
