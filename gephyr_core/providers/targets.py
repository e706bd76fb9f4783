"""The path and query of every request to a provider. Nothing else puts one together.

A model's name stands in the path of Gemini's API (`models/{model}`: Gemini API reference, "models.generateContent") and
where a provider is asked about a model. Names were checked when they entered (``gephyr_core.model_names``).
"""

import re
from urllib.parse import quote

from gephyr_core.providers.vertex import vertex_path

_IN_A_NAME = "/:@+~=,"
"""Characters of names that stand in a path as they are (RFC 3986 section 3.3)."""
_IN_A_QUERY = "".join(map(chr, range(0x21, 0x7F))).replace("#", "")
"""A query goes on as it was sent, but would end at a ``#`` (RFC 3986 section 3.4)."""
_QUESTION = "/v1/models/{model}"
"""Where OpenAI and Anthropic tell of a model; they have no collections of models."""
_COLLECTION = "/models/{model}"
_TUNED = "tunedModels/"
_OLD_PREVIEW = re.compile(r"/v1beta[0-9]+/")
"""Versions of Vertex AI and of the PaLM API. Of previews Google's API has ``v1beta`` and ``v1alpha`` (Gemini API
reference, "API versions explained")."""
_LISTED = "models/"
"""How Gemini's API writes a name in fields (Gemini API reference, "Model" and "TunedModel"): with its collection."""


def upstream_target(
    base_path: str, path: str, *, model: str = "", query: str = "", vertex: tuple[str, str] | None = None
) -> str:
    """Return the target of a request to a provider, below its *base_path*.

    *path* begins with the API's version; ``{model}`` in it is where *model* stands. *vertex* is the project and the
    location at Vertex AI.
    """
    if "{model}" in path:
        path = _with_model(path, model)
    if vertex is not None:
        path = vertex_path(path, *vertex)
    else:
        path = _OLD_PREVIEW.sub("/v1beta/", path, count=1) if path.startswith("/v1beta") else path
    return f"{base_path}{path}?{quote(query, safe=_IN_A_QUERY)}" if query else base_path + path


def path_segment(text: str) -> str:
    """Return *text* as one segment of a path, whatever is in it."""
    # A segment of dots alone cannot be written in a way that no server takes for a step (RFC 3986 section 6.2.2.3).
    return quote(text, safe=":@+~=,") if text.strip(".") else "%20"


def _with_model(path: str, model: str) -> str:
    if _COLLECTION in path and path != _QUESTION:
        if model.startswith(_TUNED):
            path, model = path.replace(_COLLECTION, "/tunedModels/{model}"), model.removeprefix(_TUNED)
        else:
            model = model.removeprefix(_LISTED)
    # A slash too many is dropped by some servers: such a name is kept in one segment.
    whole = "//" in f"/{model}/"
    return path.replace("{model}", path_segment(model) if whole else quote(model, safe=_IN_A_NAME))
