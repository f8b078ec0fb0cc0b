# SPDX-License-Identifier: MIT
"""A minute of everything going wrong at once (tests/torture); `make torture` is the long form."""
import os
import subprocess

from conftest import BUILD, TOP

SECONDS, SEED = os.environ.get("TORTURE_SECONDS", "50"), os.environ.get("TORTURE_SEED", "1")
SANITIZED = any(word in str(BUILD) for word in ("asan", "tsan"))


def test_nothing_is_lost(tmp_path):
    result = subprocess.run(
        ["/usr/bin/python3", TOP / "tests" / "torture" / "run.py", "--seconds", SECONDS, "--seed", SEED,
         "--rss-limit", "600" if SANITIZED else "48"],
        env={**os.environ, "BUILD": str(BUILD), "TMPDIR": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-12000:] + result.stderr[-4000:]
