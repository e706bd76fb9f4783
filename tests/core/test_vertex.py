"""Vertex AI: Gemini's API in other places."""

import pytest

from gephyr_core.providers.vertex import vertex_base_url, vertex_path
from gephyr_core.routing.endpoints import Endpoint, find_endpoint

PLACE = "projects/acme/locations/europe-west4/publishers/google/models"


@pytest.mark.parametrize(
    ("version", "theirs"), [("v1", "v1"), ("v1beta", "v1beta1"), ("v1alpha", "v1beta1"), ("v1beta2", "v1beta1")]
)
@pytest.mark.parametrize("verb", ["generateContent", "streamGenerateContent", "countTokens", "embedContent"])
def test_a_models_calls_are_below_the_project(version, theirs, verb):
    """Of the finished version, or of the preview, as the client asks."""
    found = vertex_path(f"/{version}/models/gemini-2.5-pro:{verb}", "acme", "europe-west4")
    assert found == f"/{theirs}/{PLACE}/gemini-2.5-pro:{verb}"


def test_every_call_of_a_model_that_is_routed_is_moved():
    """The paths that the router makes are those that are understood here."""
    endpoint = find_endpoint("POST", "/v1beta/models/gemini-2.5-pro:generateContent")
    assert isinstance(endpoint, Endpoint)
    path = endpoint.path.replace("{model}", "gemini-2.5-flash@001")
    assert vertex_path(path, "acme", "europe-west4") == f"/v1beta1/{PLACE}/gemini-2.5-flash@001:generateContent"


def test_the_project_of_a_domain_keeps_its_colon():
    path = vertex_path("/v1/models/m:countTokens", "example.com:acme", "global")
    assert path == "/v1/projects/example.com:acme/locations/global/publishers/google/models/m:countTokens"


@pytest.mark.parametrize("path", ["/v1beta/models", "/v1beta/tunedModels/t:generateContent", "/v1/chat/completions"])
def test_what_vertex_does_not_have_stays_where_it_is(path):
    assert vertex_path(path, "acme", "global") == path


def test_each_location_has_its_host():
    assert vertex_base_url("global") == "https://aiplatform.googleapis.com"
    assert vertex_base_url("europe-west4") == "https://europe-west4-aiplatform.googleapis.com"
