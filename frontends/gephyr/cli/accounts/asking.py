"""What an account is asked in order to learn whether it works: a list of models, or one tiny generation."""

import attrs
import msgspec

from gephyr_core import __version__
from gephyr_core.config import Config
from gephyr_core.conversation.fields import FieldError
from gephyr_core.dialects.anthropic.versions import USUAL
from gephyr_core.dialects.translator import Destination
from gephyr_core.http import Header
from gephyr_core.model_names import fault_of_name
from gephyr_core.providers.capabilities import capabilities_of
from gephyr_core.providers.targets import upstream_target
from gephyr_core.scheduling import Account
from gephyr_core.translation.requests import read_request

_LISTS = {"anthropic": "/v1/models?limit=1", "gemini": "/v1beta/models?pageSize=1"}
"""Where the dialects have their models, but for OpenAI's."""
_PLACES = {
    # Its list of models is public, and says nothing of the key (OpenRouter's API reference, "Get current API key").
    "openrouter": "/v1/key",
    # Models are not listed below a project (Google Cloud's API reference, publishers.models.list).
    "vertex": "/v1beta1/publishers/google/models?pageSize=1",
}
_TINY = 16
"""Tokens of a reply; the Responses API takes no smaller limit."""
_HEADERS: tuple[Header, ...] = (
    (b"user-agent", f"gephyr/{__version__}".encode()),
    (b"accept-encoding", b"identity"),
)


@attrs.frozen
class Asked:
    """A request, without credential."""

    method: str
    target: str
    headers: tuple[Header, ...] = _HEADERS
    body: bytes = b""
    model: str = ""
    """The model that generates; empty: none does."""


def list_of_models(account: Account) -> Asked:
    """Ask for the models, or for the next best thing that costs nothing and needs the credential."""
    dialect = account.translation_dialect
    path = _PLACES.get(account.kind) or _LISTS.get(dialect, "/v1/models")
    version = (USUAL,) if dialect == "anthropic" else ()
    return Asked("GET", account.base_path + path, (*_HEADERS, *version))


def tiny_generation(account: Account, model: str, config: Config) -> Asked:
    """Ask *model*, as the provider names it, for a few tokens. Raises ``FieldError`` where that is no model's name."""
    fault = fault_of_name(model)
    if fault is not None:
        raise FieldError("model", fault)
    dialect = account.translation_dialect
    if dialect == "openai-completions":  # which is not translated to
        body = msgspec.json.encode({"model": model, "prompt": "Hi", "max_tokens": _TINY})
        headers = (*_HEADERS, (b"content-type", b"application/json"))
        return Asked("POST", f"{account.base_path}/v1/completions", headers, body, model)
    fields = {"model": model, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": _TINY}
    request = read_request("openai-chat", msgspec.json.encode(fields), model=model, stream=False, headers=())
    capabilities = capabilities_of(account.kind, dialect, model, config.capabilities, None)
    call = request.call(Destination(dialect, account.kind, model, capabilities), stream=False)
    assert call is not None  # only a request that counts tokens may have none
    target = upstream_target(account.base_path, call.path, model=model, query=call.query, vertex=account.vertex)
    return Asked("POST", target, (*_HEADERS, *call.headers), call.body, model)
