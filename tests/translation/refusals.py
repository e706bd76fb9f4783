"""The reasons for which a recorded request may be refused by a translation, as patterns."""

LEGITIMATE = (r"hosted tool '.+' is not available on provider '.+'",)
