"""The order of outbound routes. Routes are ids; the runtime knows their addresses and passwords."""

DIRECT = "direct"


def choose_route(account_proxy: str, app_proxy: str) -> str:
    """Return the account's own proxy, else the app-wide one, else ``direct``. Empty means none."""
    return account_proxy or app_proxy or DIRECT
