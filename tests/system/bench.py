# SPDX-License-Identifier: MIT
"""A small laboratory for tests: profile, scenario and configuration that fit each other.

    bench = Bench(tmp_path, broker.url)
    bench.add("m1", "line")            # a machine with one source on the pty "line"
    sim = bench.simulate(simulate)     # ptys and ports go into the configuration
    bench.write()                      # tmp_path/labpulse.yaml; JSON is YAML

The profile "probe" has four input registers blocks: voltage_v and power_w (float32), level_pct
(u16, scale 0.1), count (u16), on (discrete input), and far (register 90).
"""
import copy
import json

POINTS = {
    "voltage_v": {"table": "input", "address": 0, "type": "f32", "class": "voltage_v"},
    "power_w": {"table": "input", "address": 2, "type": "f32", "class": "power_active_w"},
    "level_pct": {"table": "input", "address": 4, "type": "u16", "scale": 0.1, "unit": "%"},
    "count": {"table": "input", "address": 5, "type": "u16"},
    "far": {"table": "input", "address": 90, "type": "u16"},
}
VALUES = {"voltage_v": 229.8, "power_w": 143.2, "level_pct": 41.5, "count": 7, "far": 9}


def profile(name, points, **link):
    return {
        "schema": 1, "id": name, "revision": 1, "kind": "generic", "vendor": "test",
        "models": ["probe"], "title": {"ru": "Проба", "en": "Probe"}, "status": "unverified",
        "sources": [{"id": "s1", "origin": "standard", "title": "MODBUS Application Protocol",
                     "url": "https://modbus.org/docs/Modbus_Application_Protocol_V1_1b3.pdf",
                     "seen": "2026-08-22"}],
        "link": {"transports": ["rtu", "tcp"], "baud": 115200, "format": "8N1", "unit": 1,
                 "response_timeout": "200ms", **link},
        "limits": {"max_regs": 16, "holes": "forbid"},
        "groups": [{"id": "main", "period": "200ms"}],
        "points": [{"id": k, "sources": ["s1"], "title": {"ru": k, "en": k}, **v}
                   for k, v in points.items()],
    }


class Bench:
    def __init__(self, folder, broker_url, park="p1", gateway="gw1"):
        self.folder = folder
        self.path = folder / "labpulse.yaml"
        self.profiles = folder / "profiles"
        self.profiles.mkdir(exist_ok=True)
        self.sim = None
        self.lines, self.tcps, self.units = {}, {}, []
        self.config = {
            "park": park, "gateway": gateway,
            "mqtt": {"brokers": [broker_url], "reconnect": {"min": "100ms", "max": "1s"}},
            "spool": {"path": str(folder / "spool")}, "control": str(folder / "control"),
            "buses": [], "machines": [],
        }
        self.add_profile("probe", POINTS)

    @property
    def mqtt(self):
        return self.config["mqtt"]

    def add_profile(self, name, points, **link):
        (self.profiles / f"{name}.yaml").write_text(json.dumps(profile(name, points, **link)))

    def add_line(self, bus, baud=115200):
        self.lines[bus] = {"id": bus, "baud": baud, "format": "8N1", "timing": True}

    def add_tcp(self, bus):
        self.tcps[bus] = {"id": bus}

    def add(self, machine, bus, unit=1, source="s1", points=None, values=None, fault=None, **keys):
        """A source of a machine, and the unit that it reads unless that is there already."""
        if bus not in self.lines and bus not in self.tcps:
            (self.add_tcp if bus.startswith("tcp") else self.add_line)(bus)
        name = f"{bus}-{unit}"
        if not any(u["name"] == name for u in self.units):
            spec = {"name": name, "on": bus, "unit": unit, "profile": keys.get("profile", "probe"),
                    "latency": "1ms", "points": VALUES if values is None else values}
            if fault:
                spec["fault"] = fault
            self.units.append(spec)
        one = {"id": source, "driver": "modbus", "bus": bus, "unit": unit, "profile": "probe",
               **({"points": points} if points else {}), **keys}
        for m in self.config["machines"]:
            if m["id"] == machine:
                m["sources"].append(one)
                return self
        self.config["machines"].append({"id": machine, "class": "other", "sources": [one]})
        return self

    def simulate(self, simulate):
        scenario = self.folder / "scenario.yaml"
        scenario.write_text(json.dumps({"lines": list(self.lines.values()),
                                        "tcp": list(self.tcps.values()), "units": self.units}))
        self.sim = simulate(scenario, "--profiles", self.profiles)
        for bus in self.lines:
            self.config["buses"].append({"id": bus, "type": "modbus-rtu", "device": self.sim.ptys[bus],
                                         "baud": self.lines[bus]["baud"], "format": "8N1"})
        for bus in self.tcps:
            self.config["buses"].append({"id": bus, "type": "modbus-tcp", "host": "127.0.0.1",
                                         "port": self.sim.ports[bus]})
        return self.sim

    def write(self, change=None):
        """Writes the configuration, with what `change(config)` does to a copy of it."""
        config = copy.deepcopy(self.config)
        if change:
            change(config)
        self.path.write_text(json.dumps(config, ensure_ascii=False, indent=1))
        return self.path

    def machine(self, machine_id):
        return next(m for m in self.config["machines"] if m["id"] == machine_id)

    def requests(self, unit=None):
        """How often the simulator was asked: one unit, or in all."""
        units = self.sim.stats()["units"]
        return units[unit]["requests"] if unit else sum(u["requests"] for u in units.values())
