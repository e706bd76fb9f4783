"""Faults of our own: what is told of an exception that nobody foresaw, so that it can be found and mended.

Where it happened is told, and never what it says: a message may hold a client's content or a secret.
"""

from types import TracebackType

from gephyr_core.records import InternalError

MESSAGE = "the gateway failed on this request; its log says where"
"""What a client is told. Its response's request id leads to the line."""
_PACKAGES = ("gephyr_core", "gephyr")
_DEEPEST = 8
"""Places of a trace that are told: those nearest to where it was raised."""


def internal_error(error: BaseException, during: str, now: float, *, request_id: str = "") -> InternalError:
    """Return what is told of *error*, which was raised *during* an event, a command or a piece of work."""
    trace = _trace(error.__traceback__)
    file, line, _ = trace[0] if trace else ("", 0, "")
    shown = tuple(f"{file}:{line} {name}" for file, line, name in trace)
    return InternalError(type(error).__name__, file, line, during, now, shown, request_id)


def raise_again(error: Exception) -> None:
    """Raise *error*: for those who want to hear of every fault at once, such as tests and the simulator."""
    raise error


def _trace(traceback: TracebackType | None) -> list[tuple[str, int, str]]:
    """File, line and function of the frames in Gephyr's own code, the innermost first; of all, where none is in it."""
    frames: list[tuple[str, int, str]] = []
    others: list[tuple[str, int, str]] = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        module = str(traceback.tb_frame.f_globals.get("__name__", ""))
        name = code.co_filename.replace("\\", "/").rpartition("/")[2]
        if module.partition(".")[0] in _PACKAGES:
            package = module if name == "__init__.py" else module.rpartition(".")[0]
            frames.append((f"{package.replace('.', '/')}/{name}", traceback.tb_lineno, code.co_name))
        else:
            others.append((name, traceback.tb_lineno, code.co_name))
        traceback = traceback.tb_next
    return (frames or others)[: -_DEEPEST - 1 : -1]
