"""What numbers at and beyond the ends of ranges become: each API takes others, and what is clamped is said."""

import json
from collections.abc import Iterator

import msgspec
import pytest

from gephyr_core.conversation.parts import Text
from gephyr_core.conversation.prompt import Prompt, Role, Sampling, Turn
from gephyr_core.conversation.report import Report, UntranslatableError
from gephyr_core.translation.writing import write_prompt
from tests.approved import check_table
from tests.translation.test_approved import DESTINATIONS

VALUES: dict[str, tuple[float, ...]] = {
    "temperature": (-0.5, 0.0, 1.0, 1.5, 2.0, 2.5),
    "top_p": (-0.5, 0.0, 0.5, 1.0, 1.5),
    "top_k": (-1, 0, 1, 40, 1000),
    "frequency_penalty": (-2.5, -2.0, 0.0, 1.995, 2.0, 2.5),
    "presence_penalty": (-2.5, -2.0, 0.0, 1.995, 2.0, 2.5),
    "seed": (-1, 0, 2**31 - 1, 2**31, 2**63),
    "top_logprobs": (0, 1, 5, 20, 21),
    "candidates": (1, 2, 8, 9),
}


def rows(target: str) -> Iterator[str]:
    destination = DESTINATIONS[target]
    for name, values in VALUES.items():
        for value in values:
            more = {"logprobs": True} if name == "top_logprobs" else {}
            prompt = Prompt(
                "of-a-test",
                destination.model,
                turns=(Turn(Role.USER, (Text("hello"),)),),
                sampling=Sampling(**{name: value, **more}),
            )
            report = Report()
            try:
                written = write_prompt(prompt, destination, report)
                body = json.loads(msgspec.json.encode(written.body))
                for common in ("model", "messages", "contents", "input"):
                    body.pop(common, None)
                become = json.dumps(body, sort_keys=True)
            except UntranslatableError as error:
                become = f"refused: {error}"
            said = "; ".join(f"{entry.path}: {entry.reason}" for entry in report.entries)
            yield f"{name} {value}: {become} | {said or 'nothing said'}"


@pytest.mark.parametrize("target", DESTINATIONS)
def test_each_number_becomes_what_was_approved(target: str) -> None:
    check_table(f"ranges-to-{target}", list(rows(target)))
