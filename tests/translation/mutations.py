"""Recorded JSON, spoilt: what a provider may send on a bad day."""

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

_ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 3.5, 1e300, 2**63, "", "x", "stop", "\ud800", "null", "{", "a" * 5000),
    *([], [None], [[]], ["x"], {}, {"type": "text"}, {"type": None}, {"text": 1}, {"index": "0"}, {"function": []}),
)
_DEEP: Any = json.loads("[" * 80 + "]" * 80)


def mutated(value: Any, choices: random.Random, times: int = 1) -> Any:
    """A copy of *value* that is wrong in one or more places."""
    spoilt = copy.deepcopy(value)
    for _ in range(times):
        places = list(_places(spoilt))
        if not places:
            return choices.choice(_ODD)
        holder, key = choices.choice(places)
        match choices.randrange(6):
            case 0:
                del holder[key]
            case 1 if isinstance(holder, list):
                holder.insert(key, copy.deepcopy(holder[key]))
            case 2 if isinstance(holder, dict):
                holder["type"] = choices.choice(["text", "thinking", "tool_use", "function_call", "unheard_of", 7])
            case 3:
                other = choices.choice(places)
                holder[key] = copy.deepcopy(other[0][other[1]])
            case 4 if choices.random() < 0.1:
                holder[key] = _DEEP
            case _:
                holder[key] = copy.deepcopy(choices.choice(_ODD))
    return spoilt


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place inside of *value*: what holds it, and its key there."""
    if isinstance(value, dict | list):
        keys: list[Any] = list(value) if isinstance(value, dict) else list(range(len(value)))
        for key in keys:
            yield value, key
            yield from _places(value[key])


def mutated_events(events: list[tuple[str, Any]], choices: random.Random) -> list[tuple[str, Any]]:
    """A stream's events, some spoilt, lost, told twice or out of order."""
    spoilt = list(events)
    for _ in range(choices.randint(1, 4)):
        if not spoilt:
            break
        at = choices.randrange(len(spoilt))
        match choices.randrange(5):
            case 0:
                del spoilt[at]
            case 1:
                spoilt.insert(choices.randrange(len(spoilt)), spoilt[at])
            case 2:
                spoilt[at:] = [*spoilt[at + 1 :], spoilt[at]]
            case _:
                name, data = spoilt[at]
                spoilt[at] = (name, mutated(data, choices, choices.randint(1, 3)))
    return spoilt


def encoded(value: Any) -> bytes:
    """*value* as JSON; a lone surrogate as its escape."""
    return json.dumps(value).encode()
