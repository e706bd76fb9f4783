"""Whatever a client writes as a model, a path or a query: the operator's key only goes to the API's own paths."""

import re
import unicodedata
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from play import OPEN, Play, account

from gephyr_core.commands import CallUpstream, DescribeModel, ReadBody, StartResponse
from gephyr_core.config import ModelsConfig
from gephyr_core.config.schema_providers import OAuthConfig
from gephyr_core.events import RequestBody, RequestEnded
from gephyr_core.providers.targets import path_segment, upstream_target

BASE = "/some/base"
PROVIDERS = ("openai", "anthropic", "gemini", "vertex", "openrouter", "openai-compatible")
FIELDS = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 5}
BODIES = {
    "/v1/chat/completions": FIELDS,
    "/v1/completions": {"prompt": "hi"},
    "/v1/embeddings": {"input": "hi"},
    "/v1/moderations": {"input": "hi"},
    "/v1/responses": {"input": "hi"},
    "/v1/responses/input_tokens": {"input": "hi"},
    "/v1/messages": FIELDS,
    "/v1/messages/count_tokens": {"messages": FIELDS["messages"]},
}
VERBS = ("generateContent", "streamGenerateContent", "countTokens", "embedContent", "batchEmbedContents")
CONTENTS = b'{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}'
CLIMBING = (
    *(
        "gemini-x/../../files/abc",
        "..",
        "../files",
        "x/..",
        "./x",
        "x/./y",
        "x/.../y",
        "x/.. /y",
        ".. ",
        "..;/x",
        "x;a=b",
    ),
    *("x?key=1", "x#y", "x%2e%2e", "x%2F..%2Ffiles", "%2e%2e/files", "%252e%252e/x", "x%00", "%", "x\\..\\files", "\\"),
    *("x\ny", "x\r\nhost: evil", "x\x00", "\x7f", "x\u2028y", "x\u200by", "x/\uff0e\uff0e/y", "x\uff0f..\uff0fy"),
    *("x\uff1fy", "x\uff05 2e", "x\u2024\u2024/\u2025/y", "", " ", "m" * 2049, "m/" * 5000),
)
LEGAL = (
    *(
        "gpt-4o-mini",
        "gemini-2.5-pro",
        "models/gemini-2.5-pro",
        "tunedModels/my-model-1a2b",
        "claude-3-5-haiku@20241022",
    ),
    *("publishers/google/models/gemini-2.5-flash", "openai/gpt-4o", "meta-llama/llama-3.3-70b-instruct:free"),
    *(
        "accounts/fireworks/models/deepseek-v3",
        "ft:gpt-4o-mini-2024-07-18:acme::9abc",
        "~anthropic/claude-sonnet-latest",
    ),
    *("arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-v1:0", "llama3:8b-q4_K_M"),
    *(
        "@cf/meta/llama-3.1-8b-instruct",
        "/mnt/models/llama",
        "hf.co/unsloth/Qwen3-GGUF:Q4_K_M",
        "My Model (v2)",
        "模型-1",
    ),
    *("m.", "m..n", "a/b..c", "gpt-4.1", "m" * 2048),
)


def gateway(provider: str, **sections: object) -> Play:
    """A gateway with one account, behind a base path."""
    more: dict[str, object] = {"base_url": f"https://api.test{BASE}/v1", "models": ("*",)}
    if provider == "vertex":
        signs_in = OAuthConfig(token_url="https://t.test/", client_id="c")
        more |= {"oauth": signs_in, "project": "acme", "location": "eu"}
    return Play(account("a", provider, **more), auth=OPEN, **sections)


def asked(play: Play, target: str, body: bytes, method: str = "POST") -> tuple[list[str], int]:
    """The targets that a request is sent to (questions about a model among them), and the status of a refusal."""
    commands = list(play.start(target, method=method))
    play.unclaimed = []
    if any(isinstance(one, ReadBody) for one in commands):
        for event in (RequestBody(play.exchange, body), RequestEnded(play.exchange)):
            commands += play.feed(event)
            play.unclaimed = []
    targets = [one.target for one in commands if isinstance(one, CallUpstream | DescribeModel)]
    return targets, next((one.status for one in commands if isinstance(one, StartResponse)), 0)


OWN_PATHS = re.compile(
    rf"{BASE}/(?:v1/(?:chat/completions|completions|embeddings|moderations|messages(?:/count_tokens)?"
    r"|responses(?:/input_tokens|/compact)?|models/.+)"
    r"|v1[a-z0-9]*/(?:projects/acme/locations/eu/publishers/[^/]+/)?(?:models|tunedModels)/.+:(?:VERBS)"
    r"|v1beta1?/(?:projects/acme/locations/eu/publishers/[^/]+/)?(?:models|tunedModels)/.+)".replace(
        "VERBS", "|".join(VERBS)
    ),
    re.DOTALL,
)


def readings(target: str) -> Iterator[str]:
    """The paths that some server may read in a target: after decoding, normalising and dropping, in any order."""
    assert re.fullmatch(r"/[!-~]*", target), target
    assert "#" not in target
    path = target.partition("?")[0]
    assert urlsplit(f"https://api.test{target}").path == path
    for _ in range(3):
        for read in (path, unicodedata.normalize("NFKC", path)):
            for bare in (read, re.sub(r";[^/]*", "", read), read.replace("\\", "/")):
                yield _climbed(bare)
                yield _climbed(re.sub(r"/[. ]+(?=/|$)", "/..", bare))
        path = unquote(path)


def _climbed(path: str) -> str:
    """RFC 3986 section 5.2.4, for a server that also drops slashes too many."""
    steps: list[str] = []
    for part in path.split("/"):
        if part == "..":
            steps = steps[:-1]
        elif part not in {"", "."}:
            steps.append(part)
    return "/" + "/".join(steps)


def stays(target: str) -> None:
    for path in readings(target):
        assert OWN_PATHS.fullmatch(path), (target, path)


@pytest.mark.parametrize("model", CLIMBING)
def test_a_name_that_may_climb_is_refused_by_its_field(model: str) -> None:
    """For every provider alike, by every operation, and before anybody is asked."""
    for provider in PROVIDERS:
        play = gateway(provider)
        for path, fields in BODIES.items():
            body = msgspec.json.encode({"model": model, **fields})
            targets, status = asked(play, path, body)
            assert (targets, status) == ([], 400), (provider, path)
    answer = gateway("openai").refused(msgspec.json.encode({"model": model, **FIELDS}))
    assert msgspec.json.decode(answer.body)["error"]["param"] == "model"


@pytest.mark.parametrize("model", LEGAL)
def test_a_name_that_a_provider_may_have_is_asked_for(model: str) -> None:
    for provider in PROVIDERS:
        targets, status = asked(
            gateway(provider), "/v1/chat/completions", msgspec.json.encode({"model": model, **FIELDS})
        )
        assert targets, (provider, status)
        for target in targets:
            stays(target)


@pytest.mark.parametrize(
    ("provider", "model", "path"),
    [
        ("gemini", "models/gemini-x", "/v1beta/models/gemini-x:generateContent"),
        ("gemini", "tunedModels/t", "/v1beta/tunedModels/t:generateContent"),
        ("gemini", "vendor/gemini:free", "/v1beta/models/vendor/gemini:free:generateContent"),
        ("gemini", "/mnt/x", "/v1beta/models/%2Fmnt%2Fx:generateContent"),
        ("gemini", "a//b", "/v1beta/models/a%2F%2Fb:generateContent"),
        ("vertex", "m", "/v1beta1/projects/acme/locations/eu/publishers/google/models/m:generateContent"),
        ("vertex", "publishers/meta/models/m", "/v1beta1/projects/acme/locations/eu/publishers/meta/models/m:generateContent"),
    ],
)  # fmt: skip
def test_a_name_with_its_collection_stands_in_the_place_it_names(provider: str, model: str, path: str) -> None:
    body = msgspec.json.encode({"model": model, **FIELDS})
    targets, _ = asked(gateway(provider), "/v1/chat/completions", body)
    assert BASE + path in targets


names = st.lists(
    st.sampled_from(
        [
            *(
                "..",
                ".",
                "/",
                "//",
                "\\",
                "%2e",
                "%2F",
                "%25",
                "?",
                "#",
                ";",
                "&",
                ":",
                "@",
                "*",
                "{model}",
                " ",
                "\x00",
            ),
            *("x", "files", "models", "tunedModels/", "publishers/google/models/", "gemini-2", "\uff0e", "\uff0f", "é"),
            *(":generateContent", ":countTokens", "\r\n", "\u2028", "~", "v1", "https://evil.test"),
        ]
    )
    | st.text(max_size=3),
    max_size=7,
).map("".join)
QUERIES = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=12)


@given(st.sampled_from(PROVIDERS), st.sampled_from([*BODIES]), names, QUERIES)
@example("gemini", "/v1/chat/completions", "gemini-x/../../files/abc", "#/../..")
def test_no_model_in_a_body_leads_away(provider: str, path: str, model: str, query: str) -> None:
    body = msgspec.json.encode({"model": model.encode("utf-8", "replace").decode(), **BODIES[path]})
    for target in asked(gateway(provider), f"{path}?{query}", body)[0]:
        stays(target)


_raw = names.map(lambda text: "".join(c for c in text if "!" <= c <= "~" and c != "?"))


@given(
    st.sampled_from(PROVIDERS), st.sampled_from(["/v1beta/models/", "/v1/tunedModels/", "/v1/", "/", ""]), _raw, QUERIES
)
@example("gemini", "/v1beta/models/", "..;/..;/files:generateContent", "")
@example("gemini", "/v1beta/models/", "%252e%252e/x:generateContent", "")
@example("vertex", "//evil.test", "/../v1beta/models/m:generateContent", "")
def test_no_path_of_a_client_leads_away(provider: str, start: str, rest: str, query: str) -> None:
    for verb in ("", ":generateContent", ":batchEmbedContents"):
        for target in asked(gateway(provider), f"{start}{rest}{verb}?{query}", CONTENTS)[0]:
            stays(target)


@given(st.sampled_from(["gemini", "vertex"]), names)
def test_no_target_of_a_mapping_leads_away(provider: str, alias: str) -> None:
    """The client's name may be anything that is a name; what is asked for is what the operator wrote."""
    play = gateway(provider, models=ModelsConfig(routes={"*": ("publishers/google/models/g",)}))
    for target in asked(play, f"/v1beta/models/{alias}:generateContent", CONTENTS)[0]:
        stays(target)
        assert target.endswith("/publishers/google/models/g:generateContent")


@given(st.text(max_size=12))
def test_an_id_is_one_segment_of_a_path(object_id: str) -> None:
    """Ids that a provider made stand in paths too, and providers may be anybody."""
    object_id = object_id.encode("utf-8", "replace").decode()
    segment = path_segment(object_id)
    assert re.fullmatch(r"[!-~]+", segment)
    assert not set(segment) & set("/?#\\;")
    assert segment.strip(".")
    target = upstream_target("", f"/v1/responses/{segment}/cancel")
    assert _climbed(target) == target


@pytest.mark.parametrize(
    ("asked", "google", "vertex"),
    [
        ("v1", "v1", "v1"),
        ("v1beta", "v1beta", "v1beta1"),
        ("v1alpha", "v1alpha", "v1beta1"),
        ("v1beta1", "v1beta", "v1beta1"),
        ("v1beta3", "v1beta", "v1beta1"),
    ],
)
@pytest.mark.parametrize("verb", VERBS)
def test_each_provider_is_asked_in_a_version_that_it_has(asked: str, google: str, vertex: str, verb: str) -> None:
    """The client's own where the provider has it: google-genai 3 asks ``/v1/``, older ones ``/v1beta/``, and one that is
    set up for Vertex AI ``/v1beta1/``."""
    path = f"/{asked}/models/{{model}}:{verb}"
    assert upstream_target("", path, model="g") == f"/{google}/models/g:{verb}"
    place = f"/{vertex}/projects/p/locations/l/publishers/google/models/g:{verb}"
    assert upstream_target("", path, model="g", vertex=("p", "l")) == place


@pytest.mark.parametrize("version", ["v1", "v1beta", "v1alpha"])
@pytest.mark.parametrize("verb", VERBS)
def test_a_relayed_request_keeps_the_version_that_its_client_speaks(version: str, verb: str) -> None:
    play = gateway("gemini")
    query = "?alt=sse" if verb == "streamGenerateContent" else ""
    call = play.request(CONTENTS, f"/{version}/models/g:{verb}{query}")
    assert call.target == f"{BASE}/{version}/models/g:{verb}{query}"
