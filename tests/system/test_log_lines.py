# SPDX-License-Identifier: MIT
"""docs/operating.md tells every line that the daemon may log, and none that it does not."""
import re

import pytest

from conftest import TOP

CALL = re.compile(r'\blog_(error|warning|info)\(\s*((?:"(?:[^"\\]|\\.)*"\s*(?:PRI\w+\s*)?)+)')
SPEC = re.compile(r"%[-+#0-9.]*(?:ll|z|h|j)?[a-zA-Z]")
SECTIONS = {"error": "### Errors", "warning": "### Warnings", "info": "### Information"}


def logged():
    """(level, the pattern of its lines, FILE) of each call in daemon/."""
    for path in sorted((TOP / "daemon").glob("*.c")):
        for level, text in CALL.findall(path.read_text()):
            fmt = re.sub(r'"\s*(?:PRI\w+)?\s*"', "", text.strip())[1:-1].replace('\\"', '"')
            if fmt != "%s":  # problems of the configuration, as `labpulse check` prints them
                yield level, "".join(re.escape(part) + ".+" for part in SPEC.split(fmt))[:-2], path.name


def told(level):
    """The lines that the page has for this level."""
    page = (TOP / "docs" / "operating.md").read_text()
    section = page.split(SECTIONS[level], 1)[1].split("\n### ", 1)[0]
    return re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)


@pytest.mark.parametrize("level", SECTIONS)
def test_each_line_is_explained(level):
    lines = told(level)
    patterns = [(pattern, file) for has, pattern, file in logged() if has == level]
    assert len(patterns) >= 10
    missing = [f"{file}: {pattern}" for pattern, file in patterns if not any(re.fullmatch(pattern, line) for line in lines)]
    assert not missing, f"docs/operating.md does not tell: {missing}"
    problems = ("FILE:LINE:COLUMN: ",)
    idle = [line for line in lines if not line.startswith(problems) and not any(re.fullmatch(pattern, line) for pattern, _ in patterns)]
    assert not idle, f"nothing logs: {idle}"
