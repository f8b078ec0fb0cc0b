# SPDX-License-Identifier: MIT
"""The fixtures of tests/system, here. Its conftest.py is the module `conftest`, so cluster.mk has
pytest import this one by its path (--import-mode=importlib)."""
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "system"), str(HERE)]

from conftest import *  # noqa: E402,F401,F403
