"""Who asks, as the host's own authentication knows it: two users of one application, and callers without a name."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from gephyr.asgi import GephyrApp
from gephyr.runtime.observers import RequestLog
from gephyr_core.http import Header
from tests.conformance.asgi_host import HostedTalk, http_scope
from tests.conformance.front_ends import account, configuration
from tests.conformance.talk import AUTHORIZED, Response
from tests.conformance.upstream import Reply, ScriptedUpstream

pytestmark = pytest.mark.anyio
OPEN = {"auth": {"mode": "off"}}
HELLO = {
    "id": "c",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
}
NATIVE = (
    b'{"id":"resp_native","object":"response","status":"completed","output":[{"type":"message","id":"msg_1",'
    b'"role":"assistant","content":[{"type":"output_text","text":"hi"}]}]}'
)
ASK = {"model": "x", "input": "a secret of mine"}


def user_of(scope: Any) -> str | None:
    """The host's own authentication has put its user into the scope, as Starlette's middleware does."""
    user = scope.get("user")
    assert user is None or isinstance(user, str)
    return user


class World:
    """An application in the strict host, before a provider that keeps responses, or one that does not."""

    def __init__(self, app: GephyrApp, upstream: ScriptedUpstream, log: io.BytesIO) -> None:
        self.app = app
        self.upstream = upstream
        self.log = log

    async def ask(
        self,
        user: str | None,
        body: dict[str, Any] | None = None,
        target: str = "/v1/responses",
        method: str = "POST",
        headers: tuple[Header, ...] = (),
    ) -> Response:
        talk = HostedTalk(self.app, http_scope(method, target, headers, user=user))
        talk.send(b"" if body is None else json.dumps(body).encode(), last=True)
        status, fields = await talk.head()
        response = Response(status, fields, await talk.rest())
        await talk.over()
        assert talk.error is None
        return response


@asynccontextmanager
async def world(identify: Any = user_of, *, native: bool = False, **sections: Any) -> AsyncIterator[World]:
    """One account: *native* keeps responses itself, else the gateway keeps them."""
    one = account("a") if native else account("a", "mistral", models=["*"])
    upstream, log = ScriptedUpstream(), io.BytesIO()
    upstream.replies["a"] = Reply([NATIVE if native else json.dumps(HELLO).encode()])
    mapping = configuration([one], **{**OPEN, **sections})
    app = GephyrApp(mapping, upstream=upstream, request_log=RequestLog(log), environ={}, identify=identify)
    async with app:
        yield World(app, upstream, log)


def id_of(response: Response) -> str:
    assert response.status == 200, response.body
    return str(json.loads(response.body)["id"])


def error_of(response: Response) -> tuple[int, str]:
    return response.status, str(json.loads(response.body)["error"]["message"])


@pytest.mark.parametrize("native", [False, True])
async def test_two_users_keep_their_responses_apart(native: bool) -> None:
    """Neither reads, goes on from, or deletes what the other made; their own they do."""
    async with world(native=native) as one:
        made = id_of(await one.ask("alice", ASK))
        later = {**ASK, "previous_response_id": made}
        assert (await one.ask("bob", target=f"/v1/responses/{made}", method="GET")).status == 404
        assert (await one.ask("bob", target=f"/v1/responses/{made}", method="DELETE")).status == 404
        assert (await one.ask("bob", later)).status == 404
        assert (await one.ask("alice", later)).status == 200
        assert (await one.ask("alice", target=f"/v1/responses/{made}", method="GET")).status == 200
        assert (await one.ask("alice", target=f"/v1/responses/{made}", method="DELETE")).status == 200


async def test_two_users_keep_their_conversations_apart() -> None:
    async with world() as one:
        made = id_of(await one.ask("alice", {}, "/v1/conversations"))
        assert (await one.ask("alice", {**ASK, "conversation": made})).status == 200
        assert (await one.ask("bob", {**ASK, "conversation": made})).status == 404
        assert (await one.ask("bob", target=f"/v1/conversations/{made}/items", method="GET")).status == 404
        items = await one.ask("alice", target=f"/v1/conversations/{made}/items", method="GET")
        assert b"a secret of mine" in items.body


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("identify", [None, lambda _: None, lambda _: ""], ids=["no identify", "None", "an empty name"])
async def test_whoever_is_not_named_is_answered_and_leaves_nothing_behind(identify: Any, native: bool) -> None:
    """Placeholder keys that SDKs send make no difference: nobody checked them."""
    async with world(identify, native=native) as one:
        for headers in ((), (AUTHORIZED,)):
            made = id_of(await one.ask(None, ASK, headers=headers))
            for asked in (
                one.ask(None, target=f"/v1/responses/{made}", method="GET", headers=headers),
                one.ask(None, target=f"/v1/responses/{made}", method="DELETE", headers=headers),
                one.ask(None, {**ASK, "previous_response_id": made}, headers=headers),
                one.ask(None, {**ASK, "store": True}, headers=headers),
                one.ask(None, {}, "/v1/conversations", headers=headers),
            ):
                status, message = error_of(await asked)
                assert status == 400
                assert "identify" in message


async def test_a_user_does_not_read_what_somebody_without_a_name_made() -> None:
    async with world() as one:
        made = id_of(await one.ask(None, ASK))
        assert (await one.ask("alice", target=f"/v1/responses/{made}", method="GET")).status == 404


async def test_without_identify_keys_are_owners_as_they_were() -> None:
    """Where the configuration asks for keys, they tell callers apart."""
    async with world(None, auth={"api_keys": ["a-client-key", "another"]}) as one:
        made = id_of(await one.ask(None, ASK, headers=(AUTHORIZED,)))
        other = (b"authorization", b"Bearer another")
        path = f"/v1/responses/{made}"
        assert (await one.ask(None, target=path, method="GET", headers=(other,))).status == 404
        assert (await one.ask(None, target=path, method="GET", headers=(AUTHORIZED,))).status == 200


async def test_with_keys_and_names_both_are_needed() -> None:
    """One key may serve a whole application; the name tells its users apart. A name opens nothing by itself."""
    async with world(auth={"api_keys": ["a-client-key", "another"]}) as one:
        made = id_of(await one.ask("alice", ASK, headers=(AUTHORIZED,)))
        path, other = f"/v1/responses/{made}", (b"authorization", b"Bearer another")
        for user, key, status in (
            ("alice", AUTHORIZED, 200),
            ("bob", AUTHORIZED, 404),
            (None, AUTHORIZED, 404),
            ("alice", other, 404),
        ):
            assert (await one.ask(user, target=path, method="GET", headers=(key,))).status == status
        assert (await one.ask("alice", target=path, method="GET")).status == 401


async def test_identify_may_be_a_coroutine_function() -> None:
    async def look_up(scope: Any) -> str | None:
        await asyncio.sleep(0)
        return user_of(scope)

    async with world(look_up) as one:
        made = id_of(await one.ask("alice", ASK))
        assert (await one.ask("bob", target=f"/v1/responses/{made}", method="GET")).status == 404
        assert (await one.ask("alice", target=f"/v1/responses/{made}", method="GET")).status == 200


def _raises(scope: Any) -> str:
    raise LookupError(f"who is {scope['user']}?")


async def _raises_later(scope: Any) -> str:
    await asyncio.sleep(0)
    return _raises(scope)


@pytest.mark.parametrize("identify", [_raises, _raises_later, lambda _: b"alice", lambda _: 7])
@pytest.mark.parametrize(
    ("target", "part"),
    [
        ("/v1/responses", b'"server_error"'),
        ("/v1/messages", b'"api_error"'),
        ("/v1beta/models/m:generateContent", b'"INTERNAL"'),
    ],
)
async def test_an_identify_that_fails_is_a_fault_of_our_own_side(
    identify: Callable[[Any], Any], target: str, part: bytes
) -> None:
    """A 500 in the client's dialect, no call of a provider, and a line in the log without the name."""
    async with world(identify) as one:
        with capture_logs() as logs:
            response = await one.ask("alice-MARKED", ASK, target)
        assert response.status == 500
        assert part in response.body
        assert one.upstream.calls == []
    (line,) = [line for line in logs if line["event"] == "identify failed"]
    assert line["error"] in {"LookupError", "TypeError"}
    assert "MARKED" not in repr(logs) + response.body.decode()


async def test_no_name_is_written_down() -> None:
    """Neither in the log line of a request nor on the metrics page: its digest is what is kept."""
    async with world() as one:
        await one.ask("alice-MARKED", {**ASK, "store": True})
        metrics = await one.ask("alice-MARKED", target="/metrics", method="GET")
        assert b"MARKED" not in one.log.getvalue() + metrics.body
        assert b'"status":200' in one.log.getvalue()
