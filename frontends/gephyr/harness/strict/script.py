"""The conversation that a strict provider plays: five turns with tools, and an account of what came back.

The script keeps no state. What it says next follows from how many calls the history holds, so that any dialect, any
client and any number of providers can play it, and a call that was lost or changed on its way shows in the account.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs
import msgspec

from gephyr.harness.providers.schema_samples import sample
from gephyr.harness.providers.wire import Object


@attrs.frozen
class Call:
    """A tool call, made or seen."""

    name: str
    arguments: Any
    """An object; in a history it may be anything."""
    id: str = ""


@attrs.frozen
class Step:
    """One reply of the model's."""

    thought: str
    text: str
    calls: tuple[Call, ...] = ()


@attrs.define
class Result:
    """What came back for one call."""

    text: str = ""
    error: bool = False
    """It was marked as an error; the OpenAI dialects have no such mark."""
    images: list[str] = attrs.field(factory=list)
    """Each image as :func:`image_seen` names it."""

    def told(self) -> str:
        """Return the words for the account."""
        return " ".join([f"{'error' if self.error else 'text'} {quoted(self.text)}", *self.images])


@attrs.define
class Seen:
    """A conversation as a dialect's player read it."""

    system: str = ""
    asked: str = ""
    """The user's first words."""
    words: str = ""
    """The user's last words."""
    calls_before: int = 0
    """How many calls there were before the last words."""
    calls: list[Call] = attrs.field(factory=list)
    results: dict[str, Result] = attrs.field(factory=dict)
    """By :attr:`Call.id`, in the order in which they came."""
    thoughts: int = 0
    """How many pieces of the model's own signed reasoning came back unchanged."""

    def instruct(self, text: str) -> None:
        """Take in words of the system's."""
        self.system = "\n".join(filter(None, [self.system, text]))

    def hear(self, text: str) -> None:
        """Take in words of the user's own; none are none."""
        if text:
            self.asked = self.asked or text
            self.words, self.calls_before = text, len(self.calls)

    def show(self, images: Iterable[str]) -> None:
        """Take in images that follow results: where a result cannot hold one, they are the last result's."""
        if self.results:
            self.results[list(self.results)[-1]].images += images


TOOLS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "get_weather": (
        "Tells the weather of a city.",
        {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["celsius", "kelvin"]}},
            "required": ["city"],
        },
    ),
    "plan_route": (
        "Plans a way along several places.",
        {
            "type": "object",
            "properties": {
                "places": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {"name": {"type": "string"}, "hours": {"type": "number"}},
                        "required": ["name"],
                    },
                },
                "by_train": {"type": "boolean"},
            },
            "required": ["places"],
        },
    ),
    "take_photo": ("Takes a photo of where you are.", {"type": "object", "properties": {}}),
    "open_door": (
        "Opens a door.",
        {"type": "object", "properties": {"door": {"type": "string"}}, "required": ["door"]},
    ),
}
"""The tools that a client has to offer: descriptions and schemas of the arguments, by name."""

STEPS: Sequence[Step] = (
    Step(
        "Two cities are in question, so I ask for both at once.",
        "Let me look at the weather in both cities.",
        (
            Call("get_weather", {"city": "Paris", "unit": "celsius"}),
            Call("get_weather", {"city": "Oslo \u2013 \u6771\u4eac \U0001f30d"}),
        ),
    ),
    Step(
        "It is dry enough; now the way there.",
        "",
        (Call("plan_route", {"places": [{"name": "Paris", "hours": 1.5}, {"name": "Oslo"}], "by_train": True}),),
    ),
    Step("A photo shows whether the door is in sight.", "", (Call("take_photo", {}),)),
    Step("The door is in sight: open it.", "", (Call("open_door", {"door": 'the "north" one\n'}),)),
)
_LAST_THOUGHT = "Everything has been tried; I tell what I saw."


JSON_OBJECT: Mapping[str, Any] = {"type": "object"}
"""The schema of a reply that is to be JSON, and no more is said."""


def next_step(seen: Seen, offered: Mapping[str, Object], schema: Object | None = None, *, forced: bool = False) -> Step:
    """Return what the model says next: the step that the history has come to, or the account of it all.

    *offered* is the schemas of the tools, by name. To a client with other tools than the script's, a call of the tool
    that the user names is made first, with sample arguments; where a call is *forced*, of the first tool. If the
    reply's text has to follow a *schema*, a sample of that stands in for the account.
    """
    step = _scripted(seen, offered)
    if step.calls:
        return step
    if forced and offered:
        name = next(iter(offered))
        return Step("A call is demanded.", "", (Call(name, _sample(offered[name])),))
    return step if schema is None else Step(step.thought, _json(sample(schema)))


def _scripted(seen: Seen, offered: Mapping[str, Object]) -> Step:
    made = 0
    for step in STEPS:
        if made == len(seen.calls) and all(call.name in offered for call in step.calls):
            return step
        made += len(step.calls)
    named = [name for name in offered if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", seen.words)]
    if named and not any(name in TOOLS for name in offered) and len(seen.calls) == seen.calls_before:
        return Step("The user names a tool.", "", (Call(named[0], _sample(offered[named[0]])),))
    return Step(_LAST_THOUGHT, account(seen))


def _sample(schema: Object) -> Object:
    value = sample(schema)
    return value if isinstance(value, dict) else {}


def account(seen: Seen) -> str:
    """Return the model's last words: what it was asked, and each call with what came back."""
    lines = [f"system: {quoted(seen.system)}", f"asked: {quoted(seen.asked)}"]
    for number, call in enumerate(seen.calls, start=1):
        result = seen.results.get(call.id)
        came = "nothing" if result is None else result.told()
        lines.append(f"{number}. {call.name} {_json(call.arguments)}: {came}")
    order = {call.id: str(number) for number, call in enumerate(seen.calls, start=1)}
    lines.append(f"results in order: {' '.join(order.get(found, '?') for found in seen.results)}")
    return "\n".join([*lines, f"own thoughts: {seen.thoughts}"])


def image_seen(media_type: str, data: bytes) -> str:
    """Return how the account names an image."""
    return f"image {media_type} {hashlib.sha256(data).hexdigest()[:16]}"


def quoted(text: str) -> str:
    """Return a text as the account shows it: on one line."""
    return msgspec.json.encode(text).decode()


def _json(arguments: Any) -> str:
    return msgspec.json.encode(arguments, order="sorted").decode()
