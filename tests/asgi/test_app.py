"""How the application is configured, starts and ends."""

import asyncio
import base64
import contextlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gephyr.asgi import GephyrApp
from gephyr.runtime.account_book import AccountBook
from gephyr.runtime.configuration import load_mapping
from gephyr.runtime.fetching import Fetched
from gephyr.runtime.observers import RequestLog
from gephyr_core.config import ConfigError
from tests.conformance.asgi_host import HostedTalk, Lifespan, http_scope
from tests.conformance.front_ends import account, configuration
from tests.conformance.samples import CHAT
from tests.conformance.talk import AUTHORIZED, Response
from tests.conformance.upstream import Reply, ScriptedUpstream

CONFIGURATION = configuration([account("a")])


def make_app(config: Any = CONFIGURATION, **more: Any) -> tuple[GephyrApp, ScriptedUpstream]:
    upstream = ScriptedUpstream()
    upstream.replies["a"] = Reply([CHAT.reply])
    log = RequestLog(io.BytesIO())
    return GephyrApp(config, upstream=upstream, request_log=log, **{"environ": {}, **more}), upstream


async def ask(app: Any, target: str = CHAT.path, headers: Any = (AUTHORIZED,), **more: Any) -> Response:
    """Have the host make one request."""
    talk = HostedTalk(app, http_scope("POST", target, headers, **more))
    talk.send(CHAT.body, last=True)
    status, fields = await talk.head()
    response = Response(status, fields, await talk.rest())
    await talk.over()
    return response


# -- configuration --------------------------------------------------------------------------------------------


def _as_mapping(folder: Path) -> object:
    return CONFIGURATION


def _as_file(folder: Path) -> object:
    file = folder / "gephyr.toml"
    file.write_text(
        '[auth]\napi_keys = ["a-client-key"]\n[[accounts]]\nid = "a"\nprovider = "openai"\napi_key = "env:OPENAI"\n'
    )
    file.chmod(0o600)
    return file


def _as_file_name(folder: Path) -> object:
    return str(_as_file(folder))


def _as_loaded(folder: Path) -> object:
    return load_mapping(CONFIGURATION, {})


@pytest.mark.anyio
@pytest.mark.parametrize("give", [_as_mapping, _as_file, _as_file_name, _as_loaded])
async def test_the_configuration_may_be_given_in_each_form(tmp_path: Path, give: Callable[[Path], object]) -> None:
    """A file, its name, what it would hold, or what was loaded from it; secrets may be in the environment."""
    app, _ = make_app(give(tmp_path), environ={"OPENAI": "credential-of-a"})
    async with app:
        assert (await ask(app)).body == CHAT.reply
        assert (await ask(app, headers=())).status == 401


def test_a_bad_configuration_is_refused_where_the_application_is_made() -> None:
    """With every mistake."""
    with pytest.raises(ConfigError) as caught:
        make_app({"server": {"prot": 1}, "auth": {"mode": "open"}})
    assert {problem.path for problem in caught.value.problems} == {"server.prot", "auth.mode"}


@pytest.mark.parametrize("loads", [lambda mapping: mapping, lambda mapping: load_mapping(mapping, {})])
def test_a_mapping_to_a_provider_without_an_account_is_refused_there_too(
    tmp_path: Path, loads: Callable[[dict[str, Any]], Any]
) -> None:
    """In the words of ``gephyr check``; an account that a command added to the application's data directory counts."""
    mapping: dict[str, Any] = {
        **CONFIGURATION,
        "models": {"claude-*": "gemini/g"},
        "server": {"data_dir": str(tmp_path / "data")},
    }
    with pytest.raises(ConfigError) as caught:
        make_app(loads(mapping))
    assert str(caught.value) == "models.\"claude-*\": no account of provider 'gemini'"
    with contextlib.closing(AccountBook.open(tmp_path / "data", environ={})) as book:
        book.add_account({"id": "added", "provider": "gemini", "api_key": "k"})
    make_app(loads(mapping))


def test_no_key_is_generated() -> None:
    """There is nobody to show it to."""
    for mode in ("strict", "all_except_health"):
        with pytest.raises(ConfigError, match=r"auth\.api_keys: no key is set"):
            make_app({"auth": {"mode": mode}})


@pytest.mark.anyio
async def test_auth_is_off_where_the_configuration_says_so() -> None:
    """It is the host's decision, and is not hardened behind its back."""
    app, _ = make_app({**CONFIGURATION, "auth": {"mode": "off"}})
    async with app:
        assert (await ask(app, headers=())).status == 200


@pytest.mark.parametrize("variable", ["AUTH_MODE", "ABV_AUTH_MODE"])
@pytest.mark.parametrize("off", ["off", "OFF", " Off "])
def test_the_environment_alone_cannot_switch_auth_off(variable: str, off: str) -> None:
    """A variable left over from somewhere else opens nothing, and is not passed over in silence either."""
    with pytest.raises(ConfigError, match=variable) as caught:
        make_app(environ={variable: off})
    assert [problem.path for problem in caught.value.problems] == ["auth.mode"]
    make_app({**CONFIGURATION, "auth": {"mode": "off"}}, environ={variable: "off"})


@pytest.mark.anyio
async def test_the_winning_variable_counts() -> None:
    """``ABV_AUTH_MODE`` stands above ``AUTH_MODE``: whoever has no key is refused, and whoever has one is served."""
    app, _ = make_app(environ={"AUTH_MODE": "off", "ABV_AUTH_MODE": "strict"})
    assert (await ask(app, headers=())).status == 401
    assert (await ask(app)).status == 200


# -- starting and ending --------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_a_host_without_lifespan_is_served_from_its_first_request() -> None:
    """Nothing was started before, and everything is then."""
    app, upstream = make_app()
    assert (await ask(app)).body == CHAT.reply
    async with app:
        assert (await ask(app)).body == CHAT.reply
    assert upstream.closed


@pytest.mark.anyio
async def test_a_host_with_lifespan_starts_and_ends_it() -> None:
    """And may do so again."""
    app, upstream = make_app()
    for _ in range(2):
        upstream.closed = False
        lifespan = Lifespan(app)
        assert await lifespan.start() == {"type": "lifespan.startup.complete"}
        assert (await ask(app)).body == CHAT.reply
        lifespan.stop()
        assert await lifespan.stopped() == {"type": "lifespan.shutdown.complete"}
        assert upstream.closed


@pytest.mark.anyio
async def test_a_request_after_the_end_is_refused() -> None:
    """It does not start what nobody would end."""
    app, _ = make_app()
    async with app:
        pass
    with pytest.raises(RuntimeError, match="has ended"):
        await app(http_scope("POST", CHAT.path, []), NotImplemented, NotImplemented)


@pytest.mark.anyio
async def test_an_end_without_a_start_is_none() -> None:
    """A host may stop before it served."""
    app, upstream = make_app()
    await app.__aexit__(None, None, None)
    assert not upstream.closed


def test_it_belongs_to_its_first_loop() -> None:
    """Another loop is told so, not served into a wall; after an end there it may serve here."""
    app, _ = make_app()

    async def serve() -> int:
        return (await ask(app)).status

    async def serve_to_the_end() -> int:
        async with app:
            return (await ask(app)).status

    async def elsewhere() -> None:
        with pytest.raises(RuntimeError, match="another event loop"):
            await app(http_scope("POST", CHAT.path, []), NotImplemented, NotImplemented)

    assert asyncio.run(serve_to_the_end()) == 200
    assert asyncio.run(serve_to_the_end()) == 200
    app, _ = make_app()
    assert asyncio.run(serve()) == 200
    asyncio.run(elsewhere())


def test_a_host_without_asyncio_is_told_so_at_start() -> None:
    """trio, for one: the startup fails with a sentence that says what is needed."""
    app, _ = make_app()
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "lifespan.startup"}

    async def send(message: Any) -> None:
        sent.append(message)

    with pytest.raises(StopIteration):  # the coroutine has ended, on no loop at all
        app({"type": "lifespan"}, receive, send).send(None)
    assert [message["type"] for message in sent] == ["lifespan.startup.failed"]
    assert "asyncio host" in sent[0]["message"]
    with pytest.raises(RuntimeError, match="asyncio host"):
        app(http_scope("GET", "/", []), receive, send).send(None)


@pytest.mark.anyio
async def test_a_start_that_fails_is_told_to_the_host(tmp_path: Path) -> None:
    """Here because the data directory is a file."""
    file = tmp_path / "file"
    file.touch()
    app, _ = make_app({**CONFIGURATION, "server": {"data_dir": str(file)}})
    answer = await Lifespan(app).start()
    assert answer["type"] == "lifespan.startup.failed"
    assert str(file) in answer["message"]


@pytest.mark.anyio
async def test_a_bad_ca_file_lets_go_of_the_store(tmp_path: Path) -> None:
    """The next start can have the directory."""
    bad = tmp_path / "ca.pem"
    bad.write_text("no certificate")
    folder = {"data_dir": str(tmp_path / "data")}
    broken = GephyrApp({**CONFIGURATION, "server": folder, "outbound": {"ca_file": str(bad)}}, environ={})
    with pytest.raises(OSError, match=r"ca\.pem|no certificate|NO_CERTIFICATE"):
        await broken.__aenter__()
    app, _ = make_app({**CONFIGURATION, "server": folder})
    async with app:
        pass


@pytest.mark.anyio
async def test_pins_outlive_the_process_where_a_directory_is_configured(tmp_path: Path) -> None:
    """A stored response is found by the account that made it; without a directory it is forgotten."""
    reply = json.dumps({"id": "resp_1", "object": "response", "status": "completed", "output": []}).encode()
    for server, status in (({"data_dir": str(tmp_path)}, 200), ({}, 404)):
        config = configuration([account("a"), account("b")], server=server)
        app, upstream = make_app(config)
        upstream.replies["a"] = upstream.replies["b"] = Reply([reply])
        async with app:
            assert (await ask(app, "/v1/responses")).status == 200
        maker = upstream.calls[0].command.account
        app, upstream = make_app(config)
        upstream.replies["a"] = upstream.replies["b"] = Reply([reply])
        async with app:
            assert (await ask(app, "/v1/responses/resp_1/cancel")).status == status
        assert {call.command.account for call in upstream.calls} == ({maker} if status == 200 else set())


@pytest.mark.anyio
async def test_below_a_mount_it_serves_the_same_paths() -> None:
    """As Starlette and FastAPI mount."""
    app, _ = make_app()
    async with app:
        assert (await ask(app, "/llm" + CHAT.path, root_path="/llm")).body == CHAT.reply
        assert (await ask(app, "/other" + CHAT.path, root_path="/llm")).status == 404


@pytest.mark.anyio
async def test_an_unknown_kind_of_scope_is_refused() -> None:
    """As the specification asks."""
    app, _ = make_app()
    with pytest.raises(ValueError, match="gopher"):
        await app({"type": "gopher"}, NotImplemented, NotImplemented)


@pytest.mark.anyio
async def test_providers_are_reached_by_sockets_unless_told_otherwise() -> None:
    """Nobody listens at this one: the client is told 502."""
    unreachable = account("a", base_url="http://127.0.0.1:1")
    log = io.BytesIO()
    async with GephyrApp(configuration([unreachable]), request_log=RequestLog(log), environ={}) as app:
        assert (await ask(app)).status == 502
    assert b'"outcome":"connect"' in log.getvalue()


@pytest.mark.anyio
@pytest.mark.parametrize("value", [b"a\x01b", b"\x7f", b"a\nb", b"\0"])
async def test_a_control_character_in_a_header_is_a_400(value: bytes) -> None:
    """Not every host refuses it, and other readers of a header come after us."""
    app, upstream = make_app(CONFIGURATION | {"cors": {"origins": ["*"]}})
    async with app:
        response = await ask(app, headers=(AUTHORIZED, (b"x-a", value), (b"origin", b"https://a")))
        assert (response.status, response.header(b"access-control-allow-origin")) == (400, b"https://a")
        assert "control character" in response.json()["error"]["message"]
        assert (await ask(app, headers=(AUTHORIZED, (b"x-a", b"a\tb \xe4")))).status == 200
    assert len(upstream.calls) == 1


@pytest.mark.anyio
async def test_urls_are_fetched_as_the_host_says() -> None:
    """Gemini takes no address of a picture: the gateway needs its bytes."""
    fetched: list[str] = []

    class Album:
        async def fetch(self, url: str, max_bytes: int) -> Fetched:
            assert max_bytes > 0
            fetched.append(url)
            return Fetched("image/png", b"a picture")

        async def aclose(self) -> None:
            """Nothing is open."""

    app, upstream = make_app(configuration([account("a", "gemini")], models={"m": "gemini/g"}), fetcher=Album())
    picture = {"type": "image_url", "image_url": {"url": "https://album.test/1.png"}}
    talk = HostedTalk(app, http_scope("POST", CHAT.path, (AUTHORIZED,)))
    talk.send(json.dumps({"model": "m", "messages": [{"role": "user", "content": [picture]}]}).encode(), last=True)
    await talk.head()
    await talk.rest()
    await talk.over()
    assert fetched == ["https://album.test/1.png"]
    assert any(base64.b64encode(b"a picture") in call.command.body for call in upstream.calls)


@pytest.mark.anyio
async def test_a_host_that_fails_before_an_answer_sees_its_own_error() -> None:
    """It is not answered with a 500: nobody is there to read it, and the host knows what is wrong with it."""
    app, upstream = make_app()
    sent: list[Any] = []

    async def receive() -> Any:
        raise LookupError("the host's")

    async def send(message: Any) -> None:
        sent.append(message)

    async with app:
        with pytest.raises(LookupError, match="the host's"):
            await app(http_scope("POST", CHAT.path, (AUTHORIZED,)), receive, send)
    assert (sent, upstream.calls) == ([], [])
