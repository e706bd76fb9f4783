"""Asking a simulated provider in a test, without a server: one call, the whole reply."""

import random
from typing import Any

import attrs
import msgspec

from gephyr.harness.providers import SimulatedProvider, SimulatedSettings

NOW = 1_800_000_000.0
WEATHER_SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["celsius", "kelvin"]}},
    "required": ["city", "unit"],
    "additionalProperties": False,
}
CLOCK_SCHEMA = {"type": "object", "properties": {"zone": {"type": "string"}}, "required": ["zone"]}


@attrs.frozen
class Got:
    """A reply, read to its end."""

    status: int
    headers: dict[bytes, bytes]
    pieces: list[bytes]
    delays: list[float]

    @property
    def body(self) -> bytes:
        """All pieces together."""
        return b"".join(self.pieces)

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return msgspec.json.decode(self.body)

    @property
    def events(self) -> list[tuple[str | None, Any]]:
        """The body's server-sent events: their names and decoded data; ``[DONE]`` stays a string."""
        found = []
        for event in self.body.decode().replace("\r\n", "\n").removesuffix("\n\n").split("\n\n"):
            fields = dict(line.split(": ", 1) for line in event.split("\n"))
            data = fields["data"]
            found.append((fields.get("event"), data if data == "[DONE]" else msgspec.json.decode(data)))
        return found


class Asker:
    """A simulated provider and the few words it takes to ask it."""

    def __init__(self, settings: SimulatedSettings | None = None, seed: int = 1) -> None:
        self._provider = SimulatedProvider(settings or SimulatedSettings(latency=0.0), random.Random(seed))

    def request(self, method: str, target: str, body: object = None, *, now: float = NOW) -> Got:
        """Send *body* (as it is when it is bytes, else as JSON) and read the reply to its end."""
        sent = body if isinstance(body, bytes) else b"" if body is None else msgspec.json.encode(body)
        reply = self._provider.respond(method, target, (), sent, now)
        timed = list(reply.pieces)
        delays, pieces = [delay for delay, _ in timed], [data for _, data in timed]
        return Got(reply.status, dict(reply.headers), pieces, delays)

    def post(self, target: str, body: object, **options: float) -> Got:
        """Send a POST."""
        return self.request("POST", target, body, **options)

    def get(self, target: str, **options: float) -> Got:
        """Send a GET."""
        return self.request("GET", target, **options)
