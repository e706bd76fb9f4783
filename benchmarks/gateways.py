"""The gateways that are measured: how each is configured and started."""

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import attrs

from benchmarks.traffic import KEY

_NGINX = """
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/nginx.log;
worker_processes 1;
worker_rlimit_nofile 20000;
{user}
events {{ worker_connections 8000; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path {directory}/nginx-body;
    proxy_temp_path {directory}/nginx-proxy;
    fastcgi_temp_path {directory}/nginx-fastcgi;
    uwsgi_temp_path {directory}/nginx-uwsgi;
    scgi_temp_path {directory}/nginx-scgi;
    upstream provider {{
        server 127.0.0.1:{upstream};
        keepalive 2000;
        keepalive_requests 1000000000;
    }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            proxy_pass http://provider;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
        }}
    }}
}}
"""

_GEPHYR = """
[server]
port = {port}
data_dir = "{directory}/data"

[auth]
api_keys = ["{key}"]

[[accounts]]
id = "openai-1"
provider = "openai"
base_url = "http://127.0.0.1:{upstream}"
api_key = "not-a-key"
"""


@attrs.frozen
class Gateway:
    """A gateway ready to be started."""

    name: str
    port: int
    command: Sequence[str | Path]


def nginx(directory: Path, *, port: int, upstream: int) -> Gateway | None:
    """Configure nginx as a plain proxy that decides nothing: the floor. None where it is not installed."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        return None
    user = "user root;" if os.geteuid() == 0 else ""
    config = directory / "nginx.conf"
    config.write_text(_NGINX.format(directory=directory, port=port, upstream=upstream, user=user))
    return Gateway("nginx", port, [program, "-p", directory, "-c", config])


def gephyr(directory: Path, *, port: int, upstream: int) -> Gateway:
    """Configure Gephyr with one account, as an operator would: auth, logs, metrics and store are on."""
    config = directory / "gephyr.toml"
    config.write_text(_GEPHYR.format(directory=directory, port=port, upstream=upstream, key=KEY))
    program = "from gephyr.cli import main; main()"
    return Gateway("gephyr", port, [sys.executable, "-c", program, "serve", "--config", config])
