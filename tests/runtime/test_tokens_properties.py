"""Whatever an endpoint, a disk and an operator do: no token is used before it is kept, and no rotated one is lost."""

import asyncio

import attrs
import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from gephyr.runtime.credentials import NoTokenError, Vault
from gephyr.runtime.tokens import RefreshGrant, TokenRefresh
from gephyr.runtime.tokens.endpoint import LostAnswerError
from gephyr.runtime.tokens.grants import GrantError, TokenRequest
from gephyr_core.commands import RefreshToken
from gephyr_core.events import TokenRefreshed, TokenRefreshFailed
from gephyr_core.http import Headers
from tests.runtime.token_world import HOME, NOW, Disk

GRANT = RefreshGrant(token_url="https://t.example", client_id="c", refresh_token="rt0")
STEPS = ("token", "rotated", "refused", "busy", "unreachable", "lost_before", "full", "mended", "impatient", "restart")


@attrs.define
class Provider:
    """An endpoint without sockets: knows which refresh token is valid, and behaves as it is told."""

    does: str = "token"
    valid: str = "rt0"
    given: int = 0
    sent: list[str] = attrs.field(factory=list)

    async def post(self, request: TokenRequest, route: str, timeout: float) -> tuple[int, Headers, bytes]:  # noqa: ASYNC109
        await asyncio.sleep(0)
        if self.does == "unreachable":
            raise GrantError("connect", "")
        if self.does == "lost_before":
            raise LostAnswerError("reset", "")
        if self.does in ("refused", "busy"):
            status = 400 if self.does == "refused" else 503
            return status, [], msgspec.json.encode({"error": "invalid_request"})
        self.sent.append(dict(request.form)["refresh_token"])
        if self.sent[-1] != self.valid:
            return 400, [], b'{"error": "invalid_grant"}'
        self.given += 1
        fields = {"access_token": f"at{self.given}", "expires_in": 3600}
        if self.does == "rotated":
            self.valid = fields["refresh_token"] = f"rt{self.given}"
        return 200, [], msgspec.json.encode(fields)


def started(provider: Provider, disk: Disk) -> tuple[TokenRefresh, Vault]:
    vault = Vault()
    vault.await_token("a", HOME)
    tokens = TokenRefresh({"a": GRANT}, vault=vault, store=disk, endpoint=provider, clock=lambda: NOW)
    tokens.restore()
    return tokens, vault


async def play_and_check(steps: list[str]) -> None:
    provider, disk = Provider(), Disk()
    tokens, vault = started(provider, disk)
    command = RefreshToken("a", "direct", 5.0)
    for step in steps:
        if step == "full":
            disk.refuses = ["keep"]
        elif step == "mended":
            disk.refuses = []
        elif (
            step == "restart"
        ):  # the disk works again by then: what it refuses to the last is lost, and no fault of ours
            disk.refuses = []
            await tokens.aclose()
            tokens, vault = started(provider, disk)
        elif step == "impatient":
            asking = asyncio.create_task(tokens.refresh(command))
            await asyncio.sleep(0)
            asking.cancel()
        else:
            provider.does = step
            asking = [asyncio.create_task(tokens.refresh(command)) for _ in range(3)]
            answers = await asyncio.gather(*asking)
            assert answers == [answers[0]] * 3
            check(answers[0], provider, disk, vault)
    disk.refuses, provider.does = [], "rotated"
    check(await tokens.refresh(command), provider, disk, vault)
    await tokens.aclose()


def check(answer: TokenRefreshed | TokenRefreshFailed, provider: Provider, disk: Disk, vault: Vault) -> None:
    kept = {token.access_token: token.refresh_token for token in disk.tokens()}
    try:
        used = vault.authorize("a", HOME)[0][1].decode().removeprefix("Bearer ")
    except NoTokenError:
        used = ""
    if isinstance(answer, TokenRefreshed):
        # What the disk could not keep may be used only where the refresh token that it has is still the valid one.
        assert used in kept or provider.valid == (*kept.values(), "rt0")[0]
    else:
        assert answer.code != "invalid_grant", provider.sent


@settings(max_examples=150)
@given(st.lists(st.sampled_from(STEPS), max_size=12))
def test_a_refresh_token_that_was_rotated_is_never_lost(steps):
    """The endpoint never gets one that is void, however the steps fall."""
    asyncio.run(play_and_check(steps))
