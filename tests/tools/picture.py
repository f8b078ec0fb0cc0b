#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""docs/pictures/watch.svg: `labpulse watch` as it stands on a terminal, drawn from what it really writes.

    BUILD=build tests/tools/picture.py OUT.svg

The simulated lab, a broker and the daemon run until the table shows an alarm and a handful of events.
"""
import os
import re
import sys
import tempfile
from pathlib import Path
from xml.sax.saxutils import escape

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "system"))
from conftest import BUILD, PROFILES, Broker, Process, Simulator, take_free_port, wait_until  # noqa: E402
from terminal import Terminal  # noqa: E402

COLUMNS, LINES = 112, 25
CELL_X, CELL_Y, MARGIN, BAR = 8.4, 19, 18, 34
INKS = {"default": "#c9d1d9", "red": "#ff7b72", "green": "#7ee787", "brown": "#e3b341", "magenta": "#d2a8ff", "brightblack": "#7d8590"}
BOLD, GROUND, TITLE_GROUND = "#f0f6fc", "#0d1117", "#161b22"
FONT = "ui-monospace, 'SFMono-Regular', 'DejaVu Sans Mono', Menlo, Consolas, monospace"


class Screen(Terminal):
    """pyte knows no dim text; bright black says the same."""

    def read(self, timeout=0.0):
        feed = self.stream.feed
        self.stream.feed = lambda data: feed(data.replace(b"\x1b[2m", b"\x1b[90m"))
        try:
            super().read(timeout)
        finally:
            self.stream.feed = feed


def is_worth_a_picture(screen):
    rows = screen.rows()
    return rows[1].startswith("fault") and "over-temperature" in rows[1] and len([r for r in rows[14:] if r]) >= 8


def take(folder):
    """The cells of the screen, line by line: (character, colour, bold)."""
    children = []

    def spawn(name, argv, env=None):
        children.append(Process(name, argv, folder, env))
        return children[-1]

    try:
        broker = Broker(spawn, folder, take_free_port()).start()
        config = folder / "labpulse.yaml"
        Simulator(spawn("simulate", [BUILD / "labpulse", "simulate", "lab", "--dir", folder / "sim", "--profiles", PROFILES,
                                     "--write-config", config, "--broker", broker.url]), folder / "sim")
        daemon = spawn("labpulsed", [BUILD / "labpulsed", "-c", config, "--profiles", PROFILES],
                       {**os.environ, "STATE_DIRECTORY": str(folder / "state")})
        wait_until(lambda: "mqtt: connected" in daemon.err(), what="the daemon is connected")
        with Screen([BUILD / "labpulse", "watch", "--broker", broker.url, "--lang", "en"], COLUMNS, LINES) as screen:
            screen.wait(lambda: is_worth_a_picture(screen), timeout=180, what="an alarm and some events")
            buffer = screen.screen.buffer
            return [[(c.data, c.fg, c.bold) for c in (buffer[y][x] for x in range(COLUMNS))] for y in range(LINES)]
    finally:
        for child in reversed(children):
            child.stop()


def look(cell):
    _, colour, bold = cell
    if colour in ("black", "brightblack"):  # pyte's bold black is bright black
        return INKS["brightblack"], False
    return (BOLD if bold else INKS.get(colour, INKS["default"])), bold


def runs(cells):
    """Words of one look, as far as single blanks join them: (column, text, fill, bold)."""
    found, x = [], 0
    while x < len(cells):
        end = x + 1
        while end < len(cells) and look(cells[end]) == look(cells[x]):
            end += 1
        text = "".join(c[0] for c in cells[x:end])
        found += [(x + m.start(), m[0], *look(cells[x])) for m in re.finditer(r"\S+(?: \S+)*", text)]
        x = end
    return found


def svg(lines):
    while not any(c[0].strip() for c in lines[-1]):
        lines = lines[:-1]
    width, height = 2 * MARGIN + COLUMNS * CELL_X, BAR + len(lines) * CELL_Y + MARGIN
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" role="img"'
           ' aria-label="labpulse watch: a table of machines, those in trouble first, and what happened lately">',
           f'<rect width="100%" height="100%" rx="10" fill="{GROUND}"/>',
           f'<path d="M0 {BAR - 8}V10A10 10 0 0 1 10 0H{width - 10:.0f}A10 10 0 0 1 {width:.0f} 10V{BAR - 8}Z" fill="{TITLE_GROUND}"/>']
    out += [f'<circle cx="{x}" cy="13" r="5.5" fill="{fill}"/>' for x, fill in ((20, "#ff5f57"), (39, "#febc2e"), (58, "#28c840"))]
    out.append(f'<g font-family="{FONT}" font-size="14">')
    out.append(f'<text x="{width / 2:.0f}" y="18" text-anchor="middle" font-size="12" fill="{INKS["brightblack"]}">'
               'labpulse watch --broker mqtts://mqtt.example.org</text>')
    for i, cells in enumerate(lines):
        for x, text, fill, bold in runs(cells):
            weight = ' font-weight="bold"' if bold else ""
            out.append(f'<text x="{MARGIN + x * CELL_X:.1f}" y="{BAR + (i + 0.75) * CELL_Y:.1f}" textLength="{len(text) * CELL_X:.1f}"'
                       f' fill="{fill}"{weight}>{escape(text)}</text>')
    return "\n".join(out + ["</g>", "</svg>", ""])


def main():
    with tempfile.TemporaryDirectory(prefix="labpulse-picture-") as folder:
        Path(sys.argv[1]).write_text(svg(take(Path(folder))))


if __name__ == "__main__":
    main()
