"""Proxy servers that people run, each as a process of its own: squid, tinyproxy and dante, from the system's packages.

All but one ask for the name ``user`` and the password ``secret``. One that is not installed, or does not come up on this
machine, skips the test.
"""

import asyncio
import contextlib
import os
import pwd
import shutil
import signal
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import attrs
import pytest
import trustme

from gephyr.runtime.upstream import ProxyUrl
from tests.waiting import WAIT

USER = "user:secret@"
APACHE_MD5 = "$apr1$ab$jiiV6N7hIIuIoJbc1hxOE/"
"""``openssl passwd -apr1 -salt ab secret``"""
SHA512 = "$6$ab$2lDVylRMp48hlYZZFOCx/xnhJEsGPynJ17rt2um9Gb8wX6ygI4uDxg3Bg43pp/Hv397hwWfT8mciHws9eE4sR/"
"""``openssl passwd -6 -salt ab secret``"""


@attrs.frozen
class Setup:
    """How to start a server."""

    command: list[str]
    scheme: str
    credentials: str = USER
    environment: dict[str, str] = attrs.field(factory=dict)
    leaves: tuple[Path, ...] = ()
    """Files outside its folder that it does not remove when it is killed."""


Make = Callable[[Path, int, trustme.CA], Setup]


def tinyproxy(folder: Path, port: int, _: trustme.CA) -> Setup:
    settings = folder / "tinyproxy.conf"
    settings.write_text(
        f'Port {port}\nListen 127.0.0.1\nTimeout 60\nAllow 127.0.0.1\nBasicAuth user secret\nLogFile "{folder}/log"\n'
        f'PidFile "{folder}/pid"\n'
    )
    return Setup(["tinyproxy", "-d", "-c", str(settings)], "http")


def squid(folder: Path, port: int, _: trustme.CA) -> Setup:
    return _squid(folder, f"http_port 127.0.0.1:{port}", "http", port)


def squid_by_tls(folder: Path, port: int, authority: trustme.CA) -> Setup:
    certificate = folder / "certificate.pem"
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(certificate)
    return _squid(folder, f"https_port 127.0.0.1:{port} tls-cert={certificate}", "https", port)


def _squid(folder: Path, listener: str, scheme: str, port: int) -> Setup:
    helper = shutil.which("basic_ncsa_auth", path="/usr/lib/squid:/usr/lib64/squid:/usr/libexec/squid")
    (folder / "users").write_text(f"user:{APACHE_MD5}\n")
    settings = folder / "squid.conf"
    settings.write_text(
        f"{listener}\nauth_param basic program {helper} {folder}/users\nauth_param basic children 1\n"
        "acl known proxy_auth REQUIRED\nhttp_access allow known\nhttp_access deny all\ncache deny all\n"
        "access_log none\ncache_log /dev/null\npid_filename none\npinger_enable off\nnetdb_filename none\n"
        f"visible_hostname localhost\ncoredump_dir {folder}\n"
    )
    name = f"gephyr{port}"  # of its shared memory
    shared = tuple(Path(f"/dev/shm/{name}-cf__{part}.shm") for part in ("metadata", "queues", "readers"))  # noqa: S108
    return Setup(["squid", "-N", "-d", "1", "-n", name, "-f", str(settings)], scheme, leaves=shared)


def dante(folder: Path, port: int, _: trustme.CA) -> Setup:
    """Without a password."""
    return Setup(_dante(folder, port, "none"), "socks5", credentials="")


def dante_with_password(folder: Path, port: int, _: trustme.CA) -> Setup:
    """It asks the system for its users, and is shown another one by libnss-wrapper."""
    places = [*Path("/usr/lib").glob("*/libnss_wrapper.so"), *Path("/usr/lib64").glob("libnss_wrapper.so")]
    if not places:
        pytest.skip("libnss-wrapper is not installed")
    own = pwd.getpwuid(os.getuid())
    files = {
        "PASSWD": f"user:x:1000:1000::/:/bin/false\n{own.pw_name}:x:{own.pw_uid}:{own.pw_gid}::/:/bin/false\n",
        "SHADOW": f"user:{SHA512}:19000:0:99999:7:::\n",
        "GROUP": "user:x:1000:\n",
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    environment = {f"NSS_WRAPPER_{name}": str(folder / name) for name in files}
    return Setup(_dante(folder, port, "username"), "socks5", environment={**environment, "LD_PRELOAD": str(places[0])})


def _dante(folder: Path, port: int, method: str) -> list[str]:
    settings = folder / "danted.conf"
    settings.write_text(
        f"logoutput: {folder}/log\ninternal: 127.0.0.1 port = {port}\nexternal: 127.0.0.1\nclientmethod: none\n"
        f"socksmethod: {method}\nclient pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 }}\n"
        "socks pass { from: 127.0.0.0/8 to: 0.0.0.0/0 }\n"
    )
    return ["danted", "-f", str(settings), "-p", str(folder / "pid")]


def free_port() -> int:
    """Return a port of the loopback that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """Make a folder that everyone may read: a server that root starts goes on as another user."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        folder.chmod(0o755)
        yield folder


@contextlib.asynccontextmanager
async def running(make: Make, authority: trustme.CA, port: int = 0) -> AsyncIterator[ProxyUrl]:
    """Run a proxy server until the block ends, on *port* or any free one."""
    with _folder() as folder:
        port = port or free_port()
        setup = make(folder, port, authority)
        program = shutil.which(setup.command[0], path="/usr/sbin:/usr/bin:/sbin:/bin")
        if program is None:
            pytest.skip(f"{setup.command[0]} is not installed")
        with (folder / "output").open("wb") as output:
            server = await asyncio.create_subprocess_exec(
                *(program, *setup.command[1:]),
                stdout=output,
                stderr=output,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **setup.environment},
                start_new_session=True,
            )
            try:
                await _come_up(server, port, setup, folder / "output")
                yield ProxyUrl.parse(f"{setup.scheme}://{setup.credentials}localhost:{port}")
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(server.pid, signal.SIGKILL)
                await server.wait()
                for left in setup.leaves:
                    left.unlink(missing_ok=True)


async def _come_up(server: asyncio.subprocess.Process, port: int, setup: Setup, output: Path) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(WAIT):
            while server.returncode is None:
                if await _answers(port):
                    return
                await asyncio.sleep(0.02)
    _skip(setup, output)


def _skip(setup: Setup, output: Path) -> None:
    pytest.skip(f"{setup.command[0]} does not come up here: {output.read_text()[-300:]}")


async def _answers(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
