"""Measure Gephyr beside nginx as a plain proxy, in one run, and print one table.

The gateway has a core to itself; the provider and the load client, both in C, share another. CPU time repeats within
a few percent; requests a second and latencies drift with the machine, so compare within one run.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs

from benchmarks import gateways
from benchmarks.gateways import Gateway
from benchmarks.rig import BenchmarkError, Measurement, Process, Rig, allow_many_files, cores, free_port
from benchmarks.traffic import EVENTS

_PACE = 50
"""Events a second on each paced stream: about what a fast model writes."""
_MANY = 1000
_MANY_PACE = 10
"""Slower, so that a thousand streams do not fill the core, and their memory is what is measured."""
_MANY_EVENTS = 40
"""Shorter, so that each of them ends while it is watched, and a loss shows."""


@attrs.frozen
class Result:
    """What was measured of one gateway."""

    name: str
    idle_memory: float
    """MB after the start, before any request."""
    plain: Measurement
    stream: Measurement
    single: Measurement
    paced: Measurement
    many: Measurement
    stream_memory: float
    """KB for each of many open streams."""

    @property
    def lost(self) -> int:
        """Answers lost in all measurements together."""
        return sum(m.lost for m in (self.plain, self.stream, self.single, self.paced, self.many))


@attrs.frozen
class Bench:
    """Takes the measurements, each of *seconds*."""

    rig: Rig
    upstream_port: int
    seconds: float
    tries: int
    """How often CPU time is measured; the least counts, since all that disturbs adds."""

    def direct(self) -> Measurement:
        """Measure the provider without a gateway, one request at a time: what latencies are added to."""
        with self.rig.upstream(self.upstream_port) as upstream:
            return self._measure(upstream, self.upstream_port, events=0, connections=1)

    def run(self, gateway: Gateway) -> Result:
        """Start *gateway* and take all its measurements."""
        with self._started(gateway) as process:
            idle = process.memory
            with self.rig.upstream(self.upstream_port):
                plain = self._cheapest(process, gateway.port, events=0, connections=64)
                stream = self._cheapest(process, gateway.port, events=EVENTS, connections=16)
                single = self._measure(process, gateway.port, events=0, connections=1)
            with self.rig.upstream(self.upstream_port, pace=_PACE):
                paced = self._measure(process, gateway.port, events=EVENTS, connections=200)
        many, stream_memory = self._many(gateway)
        return Result(gateway.name, idle / 1024, plain, stream, single, paced, many, stream_memory)

    def _many(self, gateway: Gateway) -> tuple[Measurement, float]:
        """Hold many streams open in a fresh process, warmed up, so that all memory that is new is theirs."""
        with (
            self._started(gateway) as process,
            self.rig.upstream(self.upstream_port, pace=_MANY_PACE, events=_MANY_EVENTS),
        ):
            before = self._measure(process, gateway.port, events=0, connections=1).memory
            seconds = 3.0 * _MANY_EVENTS / _MANY_PACE
            many = self.rig.measure(
                process, gateway.port, events=_MANY_EVENTS, connections=_MANY, warmup=2, seconds=seconds
            )
        return many, max(0.0, many.memory - before) / _MANY

    @contextmanager
    def _started(self, gateway: Gateway) -> Iterator[Process]:
        with Process(gateway.command, core=self.rig.gateway_core, output=self.rig.output) as process:
            process.wait_until_listening(gateway.port)
            yield process

    def _cheapest(self, process: Process, port: int, *, events: int, connections: int) -> Measurement:
        runs = [self._measure(process, port, events=events, connections=connections) for _ in range(self.tries)]
        return min(runs, key=lambda run: run.cpu)

    def _measure(self, process: Process, port: int, *, events: int, connections: int) -> Measurement:
        return self.rig.measure(
            process,
            port,
            events=events,
            connections=connections,
            warmup=max(1.0, self.seconds / 2),
            seconds=self.seconds,
        )


def table(results: list[Result], direct: Measurement) -> Iterator[str]:
    """Yield the lines of the table; with two results, the ratio of the second to the first too."""
    rows = {
        "requests a second, 64 connections": [r.plain.requests for r in results],
        "CPU us a request": [r.plain.cpu for r in results],
        "CPU us a streamed event, back to back": [r.stream.cpu for r in results],
        f"CPU us a streamed event, 200 streams at {_PACE}/s": [r.paced.cpu for r in results],
        "added ms, one request at a time, p50": [r.single.p50 - direct.p50 for r in results],
        "added ms, one request at a time, p99": [r.single.p99 - direct.p99 for r in results],
        "MB idle": [r.idle_memory for r in results],
        f"KB an open stream, {_MANY} at {_MANY_PACE}/s": [r.stream_memory for r in results],
        f"share of a core, {_MANY} streams at {_MANY_PACE}/s": [r.many.core for r in results],
        "answers lost": [float(r.lost) for r in results],
    }
    compared = len(results) == 2
    yield f"{'':50}" + "".join(f"{r.name:>12}" for r in results) + (f"{'ratio':>10}" if compared else "")
    for name, values in rows.items():
        line = f"{name:50}" + "".join(f"{value:>12,.{_decimals(value)}f}" for value in values)
        if compared and values[0] > 0:
            line += f"{values[1] / values[0]:>10.2f}"
        yield line
    yield f"(the provider alone: p50 {direct.p50:.3f} ms, p99 {direct.p99:.3f} ms)"


def _decimals(value: float) -> int:
    return 0 if value == 0 or value >= 1000 else 1 if value >= 100 else 2


def main() -> None:
    """Run the benchmarks."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one second a measurement: a first look, not a figure")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures there")
    arguments = parser.parse_args()
    try:
        results, direct = measure_all(quick=arguments.quick)
    except BenchmarkError as error:
        sys.exit(f"error: {error}")
    print(*table(results, direct), sep="\n")
    if arguments.json:
        figures = {"direct": attrs.asdict(direct), **{r.name: attrs.asdict(r) for r in results}}
        arguments.json.write_text(json.dumps(figures, indent=1))


def measure_all(*, quick: bool) -> tuple[list[Result], Measurement]:
    """Measure nginx, where it is installed, and Gephyr; and the provider alone."""
    if len(set(cores())) == 1:
        print("note: there is only one core; gateway, provider and client share it", file=sys.stderr)
    allow_many_files()
    with tempfile.TemporaryDirectory(prefix="gephyr-bench-") as name:
        directory, ports = Path(name), [free_port() for _ in range(3)]
        rig = Rig(directory)
        bench = Bench(rig, upstream_port=ports[0], seconds=1 if quick else 4, tries=1 if quick else 2)
        floor = gateways.nginx(directory, port=ports[1], upstream=ports[0])
        if floor is None:
            print("note: nginx is not installed; there is nothing to compare with", file=sys.stderr)
        measured = gateways.gephyr(directory, port=ports[2], upstream=ports[0])
        try:
            direct = bench.direct()
            return [bench.run(gateway) for gateway in (floor, measured) if gateway is not None], direct
        except BenchmarkError as error:
            raise BenchmarkError(f"{error}\n{rig.last_output()}") from None


if __name__ == "__main__":
    main()
