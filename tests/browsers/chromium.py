"""Chromium, headless: it opens a page, and the page tells the test what it saw."""

import asyncio
import contextlib
import json
import os
import shutil
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.asgi.test_uvicorn import hosted
from tests.waiting import WAIT

_SCRIPT = Path(__file__).with_name("page.js").read_text()
_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic"),
    "--password-store=basic",
)


def find_chromium() -> str:
    """The program; the test is skipped where there is none, or fails if browsers are what it is run for."""
    for name in _PROGRAMS:
        if path := shutil.which(name):
            return path
    if os.environ.get("GEPHYR_BROWSERS"):
        pytest.fail("there is no Chromium on this machine (Debian: apt-get install chromium)")
    pytest.skip("there is no Chromium on this machine")


class Page:
    """An origin of its own: a page that makes the given requests, and posts what came of them."""

    def __init__(self, *, inner: "Page | None" = None) -> None:
        """*inner*: a page that this one shows in a frame, so that one browser opens both."""
        self._inner = inner
        self.origin = ""
        self.requests: Sequence[dict[str, Any]] = ()
        self._findings: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def findings(self) -> dict[str, dict[str, Any]]:
        """Wait for what the page saw, by the requests' names."""
        found = await asyncio.wait_for(self._findings, WAIT)
        return {finding["name"]: finding for finding in found}

    async def application(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve the page, its requests, and take its findings."""
        kind, body = b"text/html", b""
        if scope["path"] == "/requests":
            kind, body = b"application/json", json.dumps(self.requests).encode()
        elif scope["path"] == "/findings":
            sent, more = b"", True
            while more:
                message = await receive()
                sent, more = sent + message.get("body", b""), message.get("more_body", False)
            self._findings.set_result(json.loads(sent))
        elif scope["path"] == "/":
            frame = f"<iframe src='{self._inner.origin}/'></iframe>" if self._inner else ""
            body = f"<!doctype html><title>page</title>{frame}<script>{_SCRIPT}</script>".encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
        await send({"type": "http.response.body", "body": body})

    @contextlib.asynccontextmanager
    async def served(self) -> AsyncIterator["Page"]:
        """Serve it on a port of its own, which makes it an origin of its own."""
        async with hosted(self.application, lifespan="off", interface="asgi3") as host:
            self.origin = f"http://127.0.0.1:{host.port}"
            yield self


@contextlib.asynccontextmanager
async def browsing(page: Page, folder: Path) -> AsyncIterator[None]:
    """Have a browser with nothing in it open *page*."""
    program = find_chromium()
    browser = await asyncio.create_subprocess_exec(
        program,
        *_OPTIONS,
        f"--user-data-dir={folder}",
        f"{page.origin}/",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            browser.terminate()
        await asyncio.wait_for(browser.wait(), WAIT)
