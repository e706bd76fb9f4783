"""A conversation of five turns with tools, driven by each SDK over each kind of provider, which checks what it gets."""

import contextlib
import json
import re
from typing import Any

import attrs
import pytest

from gephyr.harness.strict.script import STEPS, image_seen
from tests.sdk.clients import Clients
from tests.translation.strict_gateway import KEY, StrictGateway, strict_gateway
from tests.translation.tool_loops import LOOPS, PNG, QUESTION, SYSTEM, run_tool, stored_responses_loop

pytestmark = pytest.mark.anyio


@attrs.frozen
class Target:
    """A kind of provider, and one of its models."""

    provider: str
    model: str
    dialects: tuple[str, ...]
    """The dialects that it speaks itself."""
    translated_to: str
    """The dialect in which it is asked on behalf of the others' clients."""
    marks_errors: bool = False
    """A result can be marked as an error."""
    signs: bool = True
    """Its reasoning is signed, and comes back."""
    reasons: bool = True


CHAT, RESPONSES, ANTHROPIC, GEMINI = LOOPS
TARGETS = (
    Target("openai", "gpt-5.6", (CHAT, RESPONSES), RESPONSES),
    Target("mistral", "gpt-4o", (CHAT,), CHAT, signs=False, reasons=False),
    Target("anthropic", "claude-opus-5-5", (ANTHROPIC,), ANTHROPIC, marks_errors=True),
    Target("anthropic", "claude-haiku-4-5", (ANTHROPIC,), ANTHROPIC, marks_errors=True),
    Target("gemini", "gemini-3-flash-preview", (GEMINI,), GEMINI, marks_errors=True),
    Target("gemini", "gemini-2.5-flash", (GEMINI,), GEMINI, marks_errors=True),
)
PATHS = {
    CHAT: "/v1/chat/completions",
    RESPONSES: "/v1/responses",
    ANTHROPIC: "/v1/messages",
    GEMINI: "/v1(beta)?/models/[^/]+:(g|streamG)enerateContent",
}
PAIRS = [
    pytest.param(client, target, id=f"{client}-to-{target.provider}-{target.model}")
    for client in LOOPS
    for target in TARGETS
]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def client_of(stack: contextlib.AsyncExitStack, gateway: StrictGateway, dialect: str) -> Any:
    """The dialect's SDK as a client of the gateway."""
    clients = Clients(gateway.url, KEY, "async", stack)
    match dialect:
        case "anthropic":
            return await clients.anthropic()
        case "gemini":
            return await clients.gemini()
    return await clients.openai()


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("client", "target"), PAIRS)
async def test_five_turns_with_tools_arrive_as_they_were_meant(client: str, target: Target, *, streamed: bool) -> None:
    """Calls, arguments, results, their order, the image, the error and the signed reasoning: all is accounted for."""
    async with strict_gateway(target.provider) as gateway, contextlib.AsyncExitStack() as stack:
        sdk = await client_of(stack, gateway, client)
        told = await LOOPS[client](sdk, target.model, streamed=streamed, reasons=target.reasons)
        assert gateway.provider.refusals == []
        spoken = client if client in target.dialects else target.translated_to
        assert all(re.fullmatch(PATHS[spoken], path) for path, _ in gateway.provider.requests)
    check_account(told, client, target)


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_stored_responses_are_continued_at_their_provider(*, streamed: bool) -> None:
    """With ``previous_response_id`` only the new items are sent, and nothing is missing in the end."""
    target = TARGETS[0]
    async with strict_gateway("openai") as gateway, contextlib.AsyncExitStack() as stack:
        sdk = await client_of(stack, gateway, "openai-responses")
        told = await stored_responses_loop(sdk, target.model, streamed=streamed)
        assert gateway.provider.refusals == []
        assert all(b'"previous_response_id"' in body for _, body in gateway.provider.requests[1:])
    check_account(told, "openai-responses", target)


def check_account(told: str, client: str, target: Target) -> None:
    """Compare the model's last words with what the client did; between dialects a result's text may be led in."""
    system, asked, *lines, order, thoughts = told.split("\n")
    assert (system, asked) == (f"system: {json.dumps(SYSTEM)}", f"asked: {json.dumps(QUESTION)}")
    calls = [call for step in STEPS for call in step.calls]
    native = client in target.dialects
    assert len(lines) == len(calls)
    for number, (line, call) in enumerate(zip(lines, calls, strict=True), start=1):
        output = run_tool(call.name, dict(call.arguments))
        arguments = json.dumps(call.arguments, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        opening = f"{number}. {call.name} {arguments}: "
        assert line.startswith(opening)
        found = re.fullmatch(r'(text|error) ("(?:[^"\\]|\\.)*")((?: image .*)?)', line.removeprefix(opening))
        assert found, line
        marked = output.error and target.marks_errors and client in {"anthropic", "gemini"}
        assert found[1] == ("error" if marked else "text")
        text = json.loads(found[2])
        assert text == output.text if native else output.text in text
        assert found[3] == (f" {image_seen('image/png', PNG)}" if output.image else "")
    assert order == f"results in order: {' '.join(str(number) for number in range(1, len(calls) + 1))}"
    signed = target.signs and not (native and client == "openai-chat")  # Chat has no place for reasoning.
    assert thoughts == f"own thoughts: {len(STEPS) if signed else 0}"
