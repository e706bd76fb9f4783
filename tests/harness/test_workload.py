"""Workloads: the same sessions for the same seed, at the rate that was asked for, in the order of their start."""

import hashlib
import random
from itertools import islice, pairwise
from pathlib import Path

import attrs
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gephyr.harness.scenario.chance import Mix, exponential
from gephyr.harness.scenario.schema import Burst, Workload
from gephyr.harness.scenario.sessions import PlannedSession
from gephyr.harness.scenario.workload import planned_sessions
from gephyr.harness.world.settings import Spread

NOWHERE = Path("nowhere")
HOUR = 3600.0
KNOWN = "f49791d03f5cb9888c7f863aba95983b5b8294637caa40f49725e00bf9b257f8"
"""Digest of the sessions that one seed plans."""


def planned(
    *workloads: Workload, seed: int = 1, until: float = HOUR, day_starts_at: float = 0.0
) -> list[PlannedSession]:
    return list(planned_sessions(workloads, seed, until, NOWHERE, day_starts_at))


WORKLOADS = st.builds(
    Workload,
    sessions_per_minute=st.floats(0.0, 5.0),
    start=st.floats(0.0, 900.0),
    end=st.floats(900.0, 3000.0),
    hourly=st.sampled_from([(), (1.0,) * 24, (0.0, 3.0) * 12]),
    bursts=st.lists(
        st.builds(Burst, at=st.floats(0.0, 2000.0), sessions=st.integers(1, 20), within=st.floats(0.0, 100.0)),
        max_size=2,
    ).map(tuple),
    leaves=st.floats(0.0, 1.0),
    models=st.just({"small": 3.0, "large": 1.0}),
    dialects=st.just({"anthropic": 1.0, "gemini": 1.0}),
)


@settings(max_examples=40, deadline=None)
@given(workloads=st.lists(WORKLOADS, max_size=3), seed=st.integers(0, 2**64))
def test_the_same_seed_plans_the_same_sessions_in_the_order_of_their_start(
    workloads: list[Workload], seed: int
) -> None:
    """Whatever the workloads are; every session is well-formed, and called unlike the others."""
    sessions = planned(*workloads, seed=seed)
    assert sessions == planned(*workloads, seed=seed)
    assert all(one.start <= other.start for one, other in pairwise(sessions))
    assert len({one.session for one in sessions}) == len(sessions)
    for one in sessions:
        assert 0.0 <= one.start < 3000.0
        assert 0 <= one.key < 5
        assert one.turns
        assert one.turns[0].think == 0.0
        assert all(turn.input_tokens > 0 < turn.output_tokens for turn in one.turns)


def test_another_seed_plans_other_sessions() -> None:
    """Seeds are no decoration."""
    workload = Workload(sessions_per_minute=2.0)
    assert planned(workload, seed=1) != planned(workload, seed=2)


def test_a_workload_after_another_changes_nothing_in_it() -> None:
    """Each has chance of its own, so that a what-if can add clients."""
    first, second = Workload(name="a", sessions_per_minute=2.0), Workload(name="b", sessions_per_minute=5.0)
    both = planned(first, second)
    assert [one for one in both if one.session.startswith("a-")] == planned(first)


def test_the_sessions_of_a_seed_are_known_to_the_last_bit() -> None:
    """On every platform and version of Python: a difference here would be a difference in every trace."""
    curve = (1.0, 2.0) * 12
    workload = Workload(sessions_per_minute=1.0, hourly=curve, leaves=0.5, models={"small": 3.0, "large": 1.0})
    sessions = planned(workload, until=6 * HOUR)
    assert hashlib.sha256(repr(sessions).encode()).hexdigest() == KNOWN


def test_sessions_are_planned_as_they_are_asked_for() -> None:
    """A workload without an end takes no memory and no time until somebody comes."""
    endless = planned_sessions([Workload(sessions_per_minute=60.0)], 1, float("inf"), NOWHERE)
    assert len(list(islice(endless, 10))) == 10


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_sessions_arrive_at_the_rate_that_was_asked_for(seed: int) -> None:
    """Ten a minute, for a hundred minutes: a thousand, give or take four times the square root."""
    assert abs(len(planned(Workload(sessions_per_minute=10.0), seed=seed, until=6000.0)) - 1000) < 127


def test_arrivals_are_a_poisson_process() -> None:
    """The counts of minutes vary as much as they are, which they would not if sessions came evenly or in clumps."""
    counts = [0] * 2000
    for one in planned(Workload(sessions_per_minute=4.0), until=120_000.0):
        counts[int(one.start // 60)] += 1
    mean = sum(counts) / len(counts)
    variance = sum((count - mean) ** 2 for count in counts) / len(counts)
    assert 0.9 < variance / mean < 1.1


def test_the_exponential_distribution_is_one() -> None:
    """Mean 1, and e**-t of the draws above t, without a logarithm."""
    rng = random.Random(7)
    drawn = [exponential(rng) for _ in range(50_000)]
    assert abs(sum(drawn) / len(drawn) - 1.0) < 0.02
    for beyond, share in ((0.5, 0.6065), (1.0, 0.3679), (2.0, 0.1353), (4.0, 0.0183)):
        assert abs(sum(value > beyond for value in drawn) / len(drawn) - share) < 0.01


def test_an_hourly_curve_is_one_at_its_peak_and_follows_the_hour_of_the_day() -> None:
    """A scenario that begins at 22 h meets midnight's weight after two hours."""
    hourly = [0.0] * 24
    hourly[22], hourly[23], hourly[0] = 5.0, 10.0, 1.0
    workload = Workload(sessions_per_minute=20.0, hourly=tuple(hourly))
    hours = [0, 0, 0, 0]
    for one in planned(workload, until=4 * HOUR, day_starts_at=22.0):
        hours[int(one.start // HOUR)] += 1
    assert abs(hours[0] - 600) < 100
    assert abs(hours[1] - 1200) < 140
    assert abs(hours[2] - 120) < 45
    assert hours[3] == 0


def test_a_burst_comes_when_it_is_said_to() -> None:
    """All of it, evenly over its time, beside who comes anyway."""
    workload = Workload(bursts=(Burst(at=100.0, sessions=50, within=10.0), Burst(at=105.0, sessions=5, within=0.0)))
    starts = [one.start for one in planned(workload)]
    assert len(starts) == 55
    assert (starts[0], starts.count(105.0)) == (100.0, 6)
    assert starts[-1] == pytest.approx(109.8)


def test_no_session_begins_outside_its_workloads_time_or_after_the_run() -> None:
    """Start and end are those of the workload; the run may be shorter."""
    workload = Workload(sessions_per_minute=30.0, start=600.0, end=1200.0)
    starts = [one.start for one in planned(workload)]
    assert 600.0 <= starts[0] < starts[-1] < 1200.0
    assert planned(workload, until=900.0) == planned(workload)[: sum(start < 900.0 for start in starts)]


def test_a_context_grows_by_the_answer_and_by_what_is_said_next_up_to_its_cap() -> None:
    """What is sent is the whole conversation."""
    workload = Workload(
        sessions_per_minute=1.0,
        turns=Spread(median=6, p95=6),
        first_input=Spread(median=1000, p95=1000),
        growth=Spread(median=100, p95=100),
        output=Spread(median=50, p95=50),
        most_input=1500,
    )
    turns = planned(workload)[0].turns
    assert [turn.input_tokens for turn in turns] == pytest.approx([1000, 1150, 1300, 1450, 1500, 1500], abs=6)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_shares_are_kept(share: float) -> None:
    """Of streams, of clients that leave, and of sessions that tell who they are."""
    workload = Workload(sessions_per_minute=30.0, streams=share, leaves=share, sends_id=share)
    sessions = planned(workload, until=2 * HOUR)
    turns = [turn for one in sessions for turn in one.turns]
    assert sum(turn.stream for turn in turns) / len(turns) == pytest.approx(share, abs=0.02)
    assert sum(turn.leaves_after is not None for turn in turns) / len(turns) == pytest.approx(share, abs=0.02)
    assert sum(one.sends_id for one in sessions) / len(sessions) == pytest.approx(share, abs=0.03)


def test_models_dialects_and_keys_are_mixed_by_their_weights() -> None:
    """A weight of 0 is never drawn."""
    workload = Workload(
        sessions_per_minute=50.0,
        models={"a": 3.0, "never": 0.0, "b": 1.0},
        dialects={"anthropic": 1.0, "gemini": 1.0},
        keys=4,
    )
    sessions = planned(workload)
    assert {one.model for one in sessions} == {"a", "b"}
    assert sum(one.model == "a" for one in sessions) / len(sessions) == pytest.approx(0.75, abs=0.03)
    assert sum(one.dialect == "gemini" for one in sessions) / len(sessions) == pytest.approx(0.5, abs=0.04)
    assert {one.key for one in sessions} == {0, 1, 2, 3}


def test_medians_and_95th_percentiles_are_those_that_were_given() -> None:
    """The two numbers that people measure."""
    workload = Workload(sessions_per_minute=60.0, output=Spread(median=400.0, p95=2000.0))
    outputs = sorted(turn.output_tokens for one in planned(workload) for turn in one.turns)
    assert outputs[len(outputs) // 2] == pytest.approx(400, rel=0.05)
    assert outputs[len(outputs) * 19 // 20] == pytest.approx(2000, rel=0.1)


@example({"a": 5e-324, "b": 5e-324}, 2)
@given(st.dictionaries(st.text(max_size=3), st.floats(0.0, 1e9), max_size=5), st.integers(0, 100))
def test_a_mix_draws_only_what_has_weight(weights: dict[str, float], seed: int) -> None:
    """Even where weights are so far apart that sums lose the small ones."""
    if not any(weights.values()):
        return
    drawn = Mix(weights).draw(random.Random(seed))
    assert weights[drawn] > 0.0


def test_a_session_cannot_be_changed() -> None:
    """What is planned stays planned."""
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        planned(Workload(sessions_per_minute=1.0))[0].start = 0.0  # type: ignore[misc]
