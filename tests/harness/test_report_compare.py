"""What changes between two runs, in numbers and in plain words."""

import click

from gephyr.harness.report.compare import Change, compare, comparison, comparison_data, verdict
from gephyr.harness.report.data import Run, summary_data
from gephyr.harness.report.measurements import Measurements
from gephyr_core.records import Usage
from tests.harness.report_facts import BEGIN, account, attempt, refused, request


def data(*facts, accounts=("a",)) -> dict[str, object]:
    measurements = Measurements([account(name) for name in accounts], BEGIN)
    for fact in facts:
        measurements.take(fact)
    return summary_data(Run(scenario="s", seed=1, measurements=measurements, trace_hash=""))


def changes(before: dict, after: dict) -> dict[str, Change]:
    return {change.name: change for change in compare(before, after)}


GOOD = [request(attempt())] * 20


def test_a_difference_is_judged_for_the_operator():
    before = data(*GOOD[:10], *[refused(duration=4.0)] * 10)
    found = changes(before, data(*GOOD))
    assert (found["served"].difference, found["served"].judgement, found["served"].words) == (
        "+10",
        "better",
        "2.0 times as many",
    )
    assert (found["refused"].judgement, found["refused"].words) == ("better", "none any more")
    assert (found["share served"].difference, found["share served"].words) == ("+50.0 points", "2.0 times as much")
    assert found["wait for an account (95 %)"].judgement == "better"
    assert found["calls per request"].judgement == "other"
    back = changes(data(*GOOD), before)
    assert (back["served"].judgement, back["served"].words) == ("worse", "50.0 % fewer")
    assert (back["refused"].difference, back["refused"].words) == ("+10", "none before")


def test_a_cheaper_answer_is_better():
    cached = [request(attempt(), usage=Usage(input=100, cached=90, output=10))] * 20
    found = changes(data(*GOOD), data(*cached))
    assert found["prompt cache"].difference == "+40.0 points"
    assert (found["cost of an answer"].judgement, found["cost of an answer"].words) == ("better", "34.3 % less")


def test_what_differs_by_next_to_nothing_is_the_same():
    found = changes(data(*GOOD * 50), data(*GOOD * 50, GOOD[0]))
    assert {change.judgement for change in found.values()} == {"same"}
    assert verdict("b", [*found.values()]) == "Nothing gets better or worse by more than 0.5 %."


def test_accounts_are_told_by_how_much_their_load_differs():
    before = data(*GOOD, *[request(attempt("b"))] * 3, accounts=("a", "b", "idle"))
    after = data(*GOOD, *[request(attempt("c"))] * 9, accounts=("a", "c", "idle"))
    told = [(name, change.words) for name, change in changes(before, after).items() if name.startswith("calls of")]
    assert told == [("calls of c", "only in the second"), ("calls of b", "only in the first")]


def test_of_many_accounts_those_that_differ_most_are_told():
    after = data(*[request(attempt(f"a{index}")) for index in range(100)] * 2, *[request(attempt("a7"))] * 5)
    told = [name for name in changes(data(*GOOD), after) if name.startswith("calls of")]
    assert (len(told), told[0]) == (10, "calls of a")
    assert "calls of a7" in told


def test_the_table_ends_with_a_verdict():
    before, after = data(*GOOD), data(*GOOD[:10], *[refused(duration=4.0)] * 10)
    lines = [click.unstyle(line) for line in comparison(("calm", "busy"), compare(before, after))]
    assert lines[0].split() == ["calm", "busy", "difference"]
    assert lines[-1].startswith("busy is worse in served, share served, refused, wait for an account")
    assert max(map(len, lines[:-2])) < 120


def test_the_verdict_tells_the_better_and_then_the_worse_each_topic_once():
    found = compare(data(*GOOD), data(*GOOD[:10], *[refused(duration=4.0)] * 10))
    assert verdict("b", found).startswith("b is worse in served, ")
    back = compare(data(*GOOD[:10], *[refused(duration=4.0)] * 10), data(*GOOD))
    assert verdict("b", back).startswith("b is better in served, ")
    both = verdict("b", [*back, *found])
    assert both == verdict("b", back)[:-1] + "; worse in " + verdict("b", found).removeprefix("b is worse in ")
    assert both.count("served") == 4


def test_two_runs_in_which_nothing_happened_can_be_compared():
    assert {change.judgement for change in compare(data(accounts=()), data(accounts=()))} == {"same"}


def test_the_changes_are_plain_values():
    (first, *_) = comparison_data(compare(data(*GOOD), data(*GOOD[:10])))
    assert first == {"name": "requests", "before": 20.0, "after": 10.0, "judgement": "other", "words": "50.0 % fewer"}
