"""Scenarios: what a simulation plays, from a TOML file."""

from gephyr.harness.scenario.load import load_scenario
from gephyr.harness.scenario.schema import Expectations, Scenario
from gephyr.harness.scenario.sessions import PlannedSession, Turn

__all__ = ["Expectations", "PlannedSession", "Scenario", "Turn", "load_scenario"]
