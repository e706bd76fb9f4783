"""What the strict provider refuses as Gemini does, and what it takes."""

import base64
from typing import Any

import pytest

from gephyr.harness.strict import StrictProvider
from tests.harness.strict_asking import ask, changed, refusal, schemas

MODELS = "/v1beta/models/"
FLASH_3, FLASH_25, PRO_25 = "gemini-3-flash-preview", "gemini-2.5-flash", "gemini-2.5-pro"
USER: dict[str, Any] = {"role": "user", "parts": [{"text": "Hello"}]}
HELLO: dict[str, Any] = {"contents": [USER]}
SKIP = "skip_thought_signature_validator"


def path(model: str) -> str:
    """Where a model's content is asked for."""
    return f"{MODELS}{model}:generateContent"


def call(name: str = "f", **more: Any) -> dict[str, Any]:
    """A function call."""
    return {"functionCall": {"name": name, "args": {}}, "thoughtSignature": SKIP, **more}


def answer(name: str = "f", **more: Any) -> dict[str, Any]:
    """A function response."""
    return {"functionResponse": {"name": name, "response": {"output": "fine"}, **more}}


def model(*parts: Any) -> dict[str, Any]:
    """The model's turn."""
    return {"role": "model", "parts": list(parts)}


def user(*parts: Any) -> dict[str, Any]:
    """The user's turn."""
    return {"role": "user", "parts": list(parts)}


def schema(**given: Any) -> dict[str, Any]:
    """A request with one function, whose one argument has this schema."""
    parameters = {"type": "OBJECT", "properties": {"a": given}}
    return {"tools": [{"functionDeclarations": [{"name": "f", "parameters": parameters}]}]}


def declared(**given: Any) -> dict[str, Any]:
    """A request with one function."""
    return {"tools": [{"functionDeclarations": [{"name": "f", **given}]}]}


def config(**given: Any) -> dict[str, Any]:
    """A request with these settings."""
    return {"generationConfig": given}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"contents": [{"parts": [{"text": "x"}]}], "system_instruction": {"parts": {"text": "x"}}},
        {"contents": [USER, model(call(), call("g")), user(answer(), answer("g"))]},
        {"contents": [USER, model(call(), call("g")), user(answer("g")), user(answer())]},
        {"contents": [user({"inlineData": {"mimeType": "image/png", "data": "aGk="}}, {"text": "x"})]},
        {"contents": [user({"fileData": {"fileUri": "https://youtu.be/x"}})]},
        schema(type="string", enum=["a"], nullable=True, description="x"),
        declared(parametersJsonSchema={"type": "object", "additionalProperties": False, "$defs": {}}),
        config(temperature=2, topP=0.5, topK=3, maxOutputTokens=9, stopSequences=list("abcde"), seed=1),
        config(responseMimeType="application/json", responseJsonSchema={"type": "object", "$ref": "#"}),
        config(thinkingConfig={"thinkingLevel": "low", "includeThoughts": True}),
    ],
)
def test_what_is_right_is_answered(changes: dict[str, Any]) -> None:
    assert refusal(path(FLASH_3), changed(HELLO, **changes)) == ""


UNKNOWN = 'Invalid JSON payload received. Unknown name "{}"{}: Cannot find field.'
PARAMETERS = " at 'tools[0].function_declarations[0].parameters{}'"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"messages": []}, UNKNOWN.format("messages", "")),
        (config(top_a=1), UNKNOWN.format("top_a", " at 'generation_config'")),
        (
            {"contents": [user({"text": "x", "cacheControl": {}})]},
            UNKNOWN.format("cacheControl", " at 'contents[0].parts[0]'"),
        ),
        (schema(type="STRING", const="x"), UNKNOWN.format("const", PARAMETERS.format(".properties[0].value"))),
        (
            declared(parameters={"type": "OBJECT", "additionalProperties": False}),
            UNKNOWN.format("additionalProperties", PARAMETERS.format("")),
        ),
        (
            config(responseMimeType="application/json", responseSchema={"$ref": "#/x"}),
            UNKNOWN.format("$ref", " at 'generation_config.response_schema'"),
        ),
        (schema(type=["string", "null"]), "Proto field is not repeating, cannot start list."),
        (schema(type="text"), 'v1beta.Type), "text"'),
        (config(temperature=True), "Invalid value at 'generation_config.temperature' (TYPE_FLOAT), true"),
        (
            {"contents": [user({"inlineData": {"mimeType": "image/png", "data": "%%"}})]},
            "Invalid value at 'contents[0].parts[0].inline_data.data' (TYPE_BYTES), Base64 decoding failed for",
        ),
    ],
)
def test_what_protobuf_does_not_know_is_refused(changes: dict[str, Any], words: str) -> None:
    assert words in refusal(path(FLASH_3), changed(HELLO, **changes))


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        ([], "* GenerateContentRequest.contents: contents is not specified"),
        ([{"role": "assistant", "parts": [{"text": "x"}]}], "Please use a valid role: user, model."),
        ([user()], "* GenerateContentRequest.contents[0].parts: contents.parts must not be empty."),
        ([user({})], "required oneof field 'data' must have one initialized field"),
        (
            [user({"text": "x", "inlineData": {"mimeType": "a/b", "data": "aGk="}})],
            "oneof field 'data' is already set.",
        ),
        ([user({"inlineData": {"data": "aGk="}})], "inline_data.mime_type: must not be empty."),
        ([user({"fileData": {"fileUri": "https://a.b/c.png"}})], "Unsupported file URI type: https://a.b/c.png"),
        (
            [USER, model(call(), call("g")), user(answer())],
            "function response parts is equal to the number of function",
        ),
        (
            [USER, model(call()), USER],
            "number of function response parts is equal to the number of function call parts",
        ),
        ([USER, user(answer())], "function response turn comes immediately after a function call turn."),
        (
            [USER, model({"text": "x"}), model(call())],
            "function call turn comes immediately after a user turn or after",
        ),
        ([model(call()), user(answer())], "function call turn comes immediately after a user turn or after"),
        ([USER, model(call()), user(answer("g"))], "function response names match the names"),
        ([USER, model({"functionCall": {"args": {}}}), user(answer())], "function_call.name: Name cannot be empty."),
        ([USER, model(call(thoughtSignature="")), user(answer())], "Function call is missing a thought_signature in"),
        ([USER, model(call(thoughtSignature="aGk=")), user(answer())], "Corrupted thought signature."),
    ],
)
def test_a_wrong_history_is_refused(contents: list[Any], words: str) -> None:
    assert words in refusal(path(FLASH_3), changed(HELLO, contents=contents))


AT = "* GenerateContentRequest.tools[0].function_declarations[0]"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (declared(name="1f"), f"{AT}.name: Invalid function name. Must start with a letter or an underscore."),
        (declared(name="f" * 65), f"{AT}.name: Invalid function name."),
        (declared(parameters={"type": "STRING"}), f"{AT}.parameters.type: schema at top-level must be of type OBJECT"),
        (declared(parameters={"type": "OBJECT", "required": ["b"]}), "required[0]: property is not defined"),
        (schema(type="ARRAY"), f"{AT}.parameters.properties[a].items: missing field."),
        (schema(type="INTEGER", enum=["1"]), f"{AT}.parameters.properties[a].enum: only allowed for STRING type"),
        (schema(type="STRING", enum=[""]), f"{AT}.parameters.properties[a].enum[0]: cannot be empty"),
        (schema(type="STRING", format="uri"), "only 'enum' and 'date-time' are supported for STRING type"),
        (config(temperature=2.1), "temperature must be in the range [0.0, 2.0]."),
        (config(stopSequences=list("abcdef")), "the number of stop sequences must not exceed 5."),
        (config(maxOutputTokens=0), "max_output_tokens must be positive."),
        (config(responseSchema={"type": "OBJECT"}), "response_mime_type: response_schema requires 'application/json'."),
        (config(responseMimeType="text/html"), "response_mime_type: allowed mimetypes are"),
        (
            config(thinkingConfig={"thinkingLevel": "LOW", "thinkingBudget": 5}),
            "only one of thinking budget and thinking",
        ),
        (config(thinkingConfig={"thinkingLevel": "XHIGH"}), "Thinking level XHIGH is not supported for this model."),
        (
            {"toolConfig": {"functionCallingConfig": {"mode": "AUTO", "allowedFunctionNames": ["f"]}}},
            "allowed_function_names but mode is not ANY or VALIDATED.",
        ),
    ],
)
def test_a_wrong_setting_is_refused(changes: dict[str, Any], words: str) -> None:
    assert words in refusal(path(FLASH_3), changed(HELLO, **changes))


@pytest.mark.parametrize(
    ("name", "thinking", "words"),
    [
        (FLASH_25, {"thinkingBudget": 0}, ""),
        (FLASH_25, {"thinkingBudget": -1}, ""),
        (FLASH_25, {"thinkingBudget": 24_577}, "The thinking budget 24577 is invalid. Please choose a value between 1"),
        (FLASH_25, {"thinkingLevel": "LOW"}, "Thinking level is not supported for this model."),
        (PRO_25, {"thinkingBudget": 0}, "Budget 0 is invalid. This model only works in thinking mode."),
        (PRO_25, {"thinkingBudget": 127}, "Please choose a value between 128 and 32768."),
        ("gemini-2.0-flash", {"thinkingBudget": 5}, "Thinking budget is not supported for this model."),
    ],
)
def test_thinking_is_asked_for_as_each_model_takes_it(name: str, thinking: dict[str, Any], words: str) -> None:
    got = refusal(path(name), changed(HELLO, **config(thinkingConfig=thinking)))
    assert words in got
    assert bool(words) == bool(got)


def test_older_models_take_calls_without_signatures_but_no_media_in_responses() -> None:
    unsigned = {"functionCall": {"name": "f", "args": {}}}
    parts = [{"inlineData": {"mimeType": "image/png", "data": "aGk="}}]
    assert refusal(path(FLASH_25), changed(HELLO, contents=[USER, model(unsigned), user(answer())])) == ""
    with_media = changed(HELLO, contents=[USER, model(unsigned), user(answer(parts=parts))])
    assert "Multimodal function response is not supported" in refusal(path(FLASH_25), with_media)


# -- signatures -----------------------------------------------------------------------------------------------

DECLARED = [{"name": n, "description": d, "parametersJsonSchema": s} for n, d, s in schemas()]
ASKED = changed(HELLO, tools=[{"functionDeclarations": DECLARED}])


def continued(provider: StrictProvider) -> dict[str, Any]:
    """The request after the first turn: the reply as it came, and responses for its calls."""
    reply = ask(provider, path(FLASH_3), ASKED).json["candidates"][0]["content"]
    calls = [part["functionCall"] for part in reply["parts"] if "functionCall" in part]
    responses = [answer(made["name"], id=made["id"]) for made in calls]
    return changed(ASKED, contents=[USER, reply, user(*responses)])


def test_signatures_go_back_as_they_came_in_either_alphabet() -> None:
    body = continued(StrictProvider())
    signed = [part for part in body["contents"][1]["parts"] if "thoughtSignature" in part]
    assert ["functionCall" in part for part in signed] == [True], "only the first of parallel calls has one"
    assert refusal(path(FLASH_3), body) == ""
    raw = base64.b64decode(signed[0]["thoughtSignature"])
    signed[0]["thoughtSignature"] = base64.urlsafe_b64encode(raw).decode()
    assert refusal(path(FLASH_3), body) == ""


def test_a_signature_of_another_organisation_or_model_is_refused() -> None:
    body = continued(StrictProvider("org-other"))
    assert refusal(path(FLASH_3), body) == "Thought signature is not valid."
    assert refusal(path("gemini-3-pro-preview"), continued(StrictProvider())) == "Thought signature is not valid."


def test_earlier_turns_need_no_signatures() -> None:
    body = continued(StrictProvider())
    for part in body["contents"][1]["parts"]:
        part.pop("thoughtSignature", None)
    assert "position 2" in refusal(path(FLASH_3), body)
    body["contents"] += [model({"text": "So."}), USER]
    assert refusal(path(FLASH_3), body) == ""


def test_an_error_has_googles_shape() -> None:
    got = ask(StrictProvider(), path(FLASH_3), changed(HELLO, foo=1))
    error = got.json["error"]
    assert (got.status, error["code"], error["status"]) == (400, 400, "INVALID_ARGUMENT")
    assert error["details"][0]["fieldViolations"] == [{"field": "", "description": error["message"].partition(". ")[2]}]
    missing = ask(StrictProvider(), path("gpt-4o"), HELLO)
    assert (missing.status, missing.json["error"]["status"]) == (404, "NOT_FOUND")
