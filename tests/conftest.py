"""Fixtures of every test, and the place of what several folders share."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
