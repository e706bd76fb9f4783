"""How many tokens each kind of part, tool and setting is estimated at."""

from gephyr_core.conversation.prompt import Prompt
from gephyr_core.translation.estimate import estimate_tokens
from tests.approved import check_table
from tests.translation.neutral_cases import cases


def test_each_kind_of_content_is_estimated_as_was_approved() -> None:
    """The estimate reserves room in token windows, and answers a count that the provider has no endpoint for."""
    check_table("estimates", [f"{name}: {estimate_tokens(Prompt('of-a-test', 'm', **case))}" for name, case in cases()])
