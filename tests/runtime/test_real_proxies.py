"""Calls through proxy servers that people run: tinyproxy (CONNECT, with a password) and
dante (SOCKS5), where they are installed."""

import asyncio
import contextlib
import shutil
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from gephyr.runtime.proxy_checks import ProxyCheck
from gephyr.runtime.upstream import ProxyUrl
from gephyr_core.commands import CheckProxy
from gephyr_core.errors import Fault
from tests.runtime.upstream_world import OK, answering, client, provider

pytestmark = pytest.mark.anyio


def tinyproxy(folder: Path, port: int) -> tuple[list[str], str]:
    settings = folder / "tinyproxy.conf"
    settings.write_text(
        f'Port {port}\nListen 127.0.0.1\nTimeout 60\nAllow 127.0.0.1\nBasicAuth user secret\nLogFile "{folder}/log"\n'
        f'PidFile "{folder}/pid"\n'
    )
    return ["tinyproxy", "-d", "-c", str(settings)], "http://user:secret@127.0.0.1:{port}"


def dante(folder: Path, port: int) -> tuple[list[str], str]:
    settings = folder / "danted.conf"
    settings.write_text(
        f"logoutput: {folder}/log\ninternal: 127.0.0.1 port = {port}\nexternal: 127.0.0.1\nclientmethod: none\n"
        "socksmethod: none\nclient pass { from: 127.0.0.0/8 to: 0.0.0.0/0 }\n"
        "socks pass { from: 127.0.0.0/8 to: 0.0.0.0/0 }\n"
    )
    return ["danted", "-f", str(settings), "-p", str(folder / "pid")], "socks5://127.0.0.1:{port}"


@contextlib.asynccontextmanager
async def running(make: Callable[[Path, int], tuple[list[str], str]], folder: Path) -> AsyncIterator[ProxyUrl]:
    """Run a proxy server until the block ends; skips where it is not installed, or does not come up here."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command, url = make(folder, port)
    program = shutil.which(command[0], path="/usr/sbin:/usr/bin:/sbin:/bin")
    if program is None:
        pytest.skip(f"{command[0]} is not installed")
    output = (folder / "output").open("wb")
    server = await asyncio.create_subprocess_exec(program, *command[1:], stdout=output, stderr=output)
    try:
        async with asyncio.timeout(15):
            while not await answers(port):
                if server.returncode is not None:
                    pytest.skip(f"{command[0]} does not run here: {(folder / 'output').read_text()[-300:]}")
                await asyncio.sleep(0.02)
        yield ProxyUrl.parse(url.format(port=port))
    finally:
        output.close()
        with contextlib.suppress(ProcessLookupError):
            server.kill()
        await server.wait()


async def answers(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


@pytest.mark.parametrize("make", [tinyproxy, dante])
async def test_calls_go_through_a_real_proxy(
    make: Callable[[Path, int], tuple[list[str], str]], tmp_path: Path
) -> None:
    """On a kept connection, and a check beside them; with the wrong password the fault is the proxy's."""
    async with provider(answering(OK)) as world, running(make, tmp_path) as proxy:
        async with client(world.origin, {"p": proxy}) as caller:
            for _ in range(3):
                assert await caller.get(route="p") == (200, b"ok")
            assert len(world.visitors) == 1
        check = CheckProxy("x", "p", f"http://127.0.0.1:{world.port}/", 200, 5.0)
        assert (await ProxyCheck({"p": proxy}).check(check)).healthy
        if proxy.username:
            wrong = ProxyUrl.parse(f"http://user:wrong@127.0.0.1:{proxy.port}")
            async with client(world.origin, {"p": wrong}) as caller:
                _, news = caller.call(route="p")
                assert (await news.failure()).fault is Fault.PROXY
