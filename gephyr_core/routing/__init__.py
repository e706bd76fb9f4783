"""Where a request is meant to go: path to operation, model name to targets, request to session."""

from gephyr_core.routing.endpoints import Endpoint, Operation, find_endpoint
from gephyr_core.routing.models import ModelTable, Target

__all__ = ["Endpoint", "ModelTable", "Operation", "Target", "find_endpoint"]
