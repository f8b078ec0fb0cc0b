#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Writes docs/devices.md from config/profiles/*.yaml (python3-yaml). tests/drivers/profiles_test.c
fails when the page does not match the profiles.

  devices_table.py            writes the page
  devices_table.py --check    exits 1 if it differs from what would be written
"""
import pathlib
import sys

import yaml

TOP = pathlib.Path(__file__).resolve().parents[2]
PAGE = TOP / "docs" / "devices.md"
KINDS = [("power_meter", "Energy meters"), ("io", "Input and output modules"), ("climate", "Temperature, humidity, air"),
         ("chiller", "Chillers"), ("vfd", "Drives"), ("psu", "Power supplies and chargers"), ("charger", "Chargers"), ("plc", "PLCs"),
         ("compressor", "Compressors"), ("extractor", "Extractors"), ("generic", "Anything else")]
HEAD = """# Devices that have a profile

Written by `tests/drivers/devices_table.py` from `config/profiles/`; do not edit by hand. How to
write a profile: [profiles.md](profiles.md). 3D printers, engravers and chargers on USB have no
profile: [usb.md](usb.md).

**Nothing here has been tested on the real device yet** unless its status says `hardware_verified`.
The status says how sure the register map is:

| status | meaning |
|---|---|
| `hardware_verified` | read on the named device and compared with its display |
| `two_sources` | two or more sources of different origin agree |
| `vendor_docs` | the vendor's documents alone |
| `one_source` | one source, or sources of one origin that were not compared in full |
| `unverified` | a start to copy, or never compared |

On a first real device compare each value with the display before trusting it, and tell us: that is
how a profile becomes `hardware_verified`. What sources dispute is not in a profile at all, or is off
(`enabled: false`) until a source of the configuration names it in `points:`. Tests decode frames for
every point (`tests/drivers/golden`); frames from public documents are few and marked there, all
others are made by our own encoder and marked `synthetic`: they prove the arithmetic, not the map.
"""


def points(p):
    return sum(x.get("repeat", {}).get("n", 1) for x in p["points"])


def link(p):
    out = []
    for t in p["link"]["transports"]:
        if t == "rtu":
            out.append(f"RTU {p['link'].get('baud', '')} {p['link'].get('format', '')}".strip())
        else:
            out.append(t.upper())
    return ", ".join(out)


def cell(text):
    return " ".join(str(text).split()).replace("|", "\\|")


def source(s):
    title = cell(s["title"])
    return f"[{title}]({s['url']})" if s.get("url") else title


def page():
    profiles = [yaml.safe_load(f.read_text(encoding="utf-8")) for f in sorted((TOP / "config" / "profiles").glob("*.yaml"))]
    out = [HEAD]
    for kind, title in KINDS:
        of_kind = [p for p in profiles if p["kind"] == kind]
        if not of_kind:
            continue
        out.append(f"## {title}\n")
        out.append("| profile | points | status | device | link | alarms and activity of its own |")
        out.append("|---|---|---|---|---|---|")
        for p in of_kind:
            own = [f"`{a['code']}`" for a in p.get("alarms", [])]
            if len(own) > 4:
                own = own[:2] + ["…"] + own[-1:]
            if p.get("usage"):
                own.append("activity")
            out.append(f"| `{p['id']}` | {points(p)} | {p['status']} | {cell(p['vendor'])} {cell(', '.join(map(str, p['models'])))} "
                       f"| {link(p)} | {', '.join(own) or '–'} |")
        out.append("")
        for p in of_kind:
            out.append(f"**{p['id']}.** " + " ".join(cell(c["en"]) + "." for c in p.get("caveats", [])))
            out.append("Sources: " + "; ".join(source(s) for s in p["sources"]) + ".\n")
    return "\n".join(out)


def main():
    body = page()
    if sys.argv[1:] == ["--check"]:
        if PAGE.read_text(encoding="utf-8") != body:
            print(f"{PAGE}: run tests/drivers/devices_table.py", file=sys.stderr)
            return 1
        return 0
    PAGE.write_text(body, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
