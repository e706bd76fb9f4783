"""Where Vertex AI has Gemini's API: at a host of the location, and below a project.

Source: Google Cloud's reference of the Vertex AI API, "publishers.models" and "Service endpoints".
"""

import re
from urllib.parse import quote

GLOBAL = "global"
_MODELS = re.compile(r"/(v1[a-z0-9]*)/models/(?:(publishers/[^/]+)/models/)?(.+)")


def vertex_base_url(location: str) -> str:
    """Return the address of the API in *location* (``europe-west4``, ``global``)."""
    host = "aiplatform.googleapis.com" if location == GLOBAL else f"{location}-aiplatform.googleapis.com"
    return f"https://{host}"


def vertex_path(path: str, project: str, location: str) -> str:
    """Return where Vertex AI has what stands at *path* in the Gemini API, from the API's version on.

    ``/v1beta/models/M:verb`` becomes ``/v1beta1/projects/P/locations/L/publishers/google/models/M:verb``: a client that
    asks for a preview version may use what only a preview has, as Google's own SDK does. ``/v1/`` stays so. A model
    that is named with its publisher (``publishers/P/models/M``) is asked of that one. What is not below ``models/``
    stays as it is: Vertex AI has no such thing there.
    """
    match = _MODELS.fullmatch(path)
    if match is None:
        return path
    version = "v1" if match[1] == "v1" else "v1beta1"
    place = f"projects/{quote(project, safe=':')}/locations/{quote(location)}"
    return f"/{version}/{place}/{match[2] or 'publishers/google'}/models/{match[3]}"
