"""Every runtime test that needs a loop runs on asyncio's own and, where it is installed, on uvloop."""

import importlib.util
import ssl
from pathlib import Path

import pytest
import trustme

_NO_UVLOOP = importlib.util.find_spec("uvloop") is None


@pytest.fixture(
    params=[
        pytest.param(False, id="asyncio"),
        pytest.param(True, id="uvloop", marks=pytest.mark.skipif(_NO_UVLOOP, reason="uvloop is not installed")),
    ]
)
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, object]]:
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls_server(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "api.test").configure_cert(context)
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)
