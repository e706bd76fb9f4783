"""What the gateway costs: beside a plain proxy over real sockets (``python -m benchmarks``), and the core alone
(``python -m benchmarks.core``)."""
