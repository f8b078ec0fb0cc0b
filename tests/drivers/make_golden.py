#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Writes tests/drivers/golden/*.json: frames and what each shipped profile must make of them.

This is a second, independent statement of every register map: it never reads the profiles, and it
encodes with struct, so a wrong address, type, word order or scale in a profile fails its test.
Vectors taken from a public document say which; all others are made here and say "synthetic".

  make_golden.py            writes the files
  make_golden.py --check    exits 1 if a file differs from what would be written
"""
import json
import math
import pathlib
import struct
import sys
from decimal import Decimal

HERE = pathlib.Path(__file__).resolve().parent / "golden"
FC = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}
NAN = float("nan")


def crc(data):
    c = 0xFFFF
    for b in data:
        c ^= b
        for _ in range(8):
            c = c >> 1 ^ 0xA001 if c & 1 else c >> 1
    return struct.pack("<H", c)


def frame(unit, pdu):
    adu = bytes([unit]) + pdu
    return (adu + crc(adu)).hex(" ").upper()


def words(data, order):
    """Big-endian bytes as registers in the named order."""
    regs = list(struct.unpack(f">{len(data) // 2}H", data))
    if order in ("CDAB", "DCBA"):
        regs.reverse()
    if order in ("BADC", "DCBA"):
        regs = [(r >> 8) | (r & 0xFF) << 8 for r in regs]
    return regs


def single(x):
    return struct.unpack(">f", struct.pack(">f", x))[0]


def shortest(x):
    """The shortest text that reads back as the same float32."""
    x = single(x)
    for digits in range(1, 18):
        text = f"{x:.{digits}g}"
        if single(float(text)) == x:
            break
    text = format(Decimal(text), "f")
    return text


def text(raw, scale):
    """An integer times a decimal scale, with the decimals of the scale, two beyond the first at most."""
    scale = Decimal(scale)
    decimals = max(0, min(-scale.as_tuple().exponent, -scale.adjusted() + 2))
    return format((Decimal(raw) * scale).quantize(Decimal(1).scaleb(-decimals)), "f")


class Case:
    def __init__(self, name, unit=1, source="synthetic", gap=0):
        self.name, self.unit, self.source = name, unit, source
        self.regs = {}
        self.expect, self.errors = {}, {}
        self.where, self.size = {}, {}

    def put(self, table, address, values):
        for i, v in enumerate(values):
            old = self.regs.setdefault((table, address + i), v)
            assert old == v, (self.name, table, address + i)

    def says(self, point, want):
        if point is None:
            return
        assert point not in self.expect and point not in self.errors, point
        if isinstance(want, Fail):
            self.errors[point] = str(want)
        else:
            self.expect[point] = want

    def f32(self, table, address, x, point=None, want=None, order="ABCD", factor=1):
        self.put(table, address, words(struct.pack(">f", x), order))
        if want is None:
            want = shortest(single(x) * factor)
        self.says(point, want)

    def number(self, fmt, table, address, raw, point=None, scale="1", want=None, order="ABCD"):
        size = {"u16": "H", "s16": "h", "u32": "I", "s32": "i", "u64": "Q", "s64": "q"}[fmt]
        self.put(table, address, words(struct.pack(">" + size, raw), order))
        self.where[point], self.size[point] = (table, address), struct.calcsize(size) // 2
        self.says(point, text(raw, scale) if want is None else want)

    def bit(self, table, address, on, point):
        self.put(table, address, [int(on)])
        self.says(point, "true" if on else "false")

    def key(self, table, address, raw, point, key):
        self.put(table, address, [raw])
        self.says(point, json.dumps(key))

    def frames(self):
        """One exchange for each run of neighbours."""
        runs = []
        for table, address in sorted(self.regs):
            if runs and runs[-1][0] == table and runs[-1][1] + runs[-1][2] == address and runs[-1][2] < 120:
                runs[-1][2] += 1
            else:
                runs.append([table, address, 1])
        out = []
        for table, start, count in runs:
            values = [self.regs[table, start + i] for i in range(count)]
            if table in ("coil", "discrete"):
                data = bytearray((count + 7) // 8)
                for i, v in enumerate(values):
                    data[i // 8] |= v << i % 8
            else:
                data = struct.pack(f">{count}H", *values)
            head = struct.pack(">BHH", FC[table], start, count)
            out.append({
                "request": frame(self.unit, head),
                "response": frame(self.unit, bytes([FC[table], len(data)]) + bytes(data)),
            })
        return out

    def json(self):
        out = {"name": self.name, "source": self.source, "unit": self.unit, "exchanges": self.frames(), "expect": self.expect}
        if self.errors:
            out["errors"] = self.errors
        return out


class Real(Case):
    """Frames as a public source prints them; the profile must send this very request."""

    def __init__(self, name, source, request, response, expect):
        super().__init__(name, bytes.fromhex(request)[0], source)
        for hexes in (request, response):
            data = bytes.fromhex(hexes)
            assert crc(data[:-2]) == data[-2:], name
        self.pair = {"request": bytes.fromhex(request).hex(" ").upper(), "response": bytes.fromhex(response).hex(" ").upper()}
        self.expect = expect

    def json(self):
        return {"name": self.name, "source": self.source, "unit": self.unit, "same_request": True,
                "exchanges": [self.pair], "expect": self.expect}


class Fail(str):
    pass


NA, SENSOR, UNSUPPORTED, RANGE = Fail("not-available"), Fail("sensor-error"), Fail("unsupported"), Fail("out-of-range")
FILES = {}


def add(profile, *cases):
    FILES[profile] = [c.json() for c in cases]


# ---- Eastron: float32 in two input registers, high word first; energy in kWh ------------------

def sdm_single(extra):
    a = Case("all points")
    for address, x, point, factor in [
            (0x00, 230.2, "voltage_v", 1), (0x06, 4.35, "current_a", 1), (0x0C, -812.5, "power_w", 1),
            (0x12, 1001.25, "power_apparent_va", 1), (0x18, -585.25, "power_reactive_var", 1),
            (0x1E, -0.8115, "power_factor", 1), (0x46, 49.98, "frequency_hz", 1),
            (0x48, 1234.5, "energy_import_wh", 1000), (0x4A, 0.25, "energy_export_wh", 1000),
            (0x156, 1234.75, "energy_total_wh", 1000), (0x158, 77.5, "energy_reactive_total_varh", 1000)] + extra:
        a.f32("input", address, x, point, factor=factor)
    b = Case("no number, and beyond the range")
    b.f32("input", 0x00, NAN, "voltage_v", NA)
    b.f32("input", 0x06, math.inf, "current_a", SENSOR)
    b.f32("input", 0x0C, 1e9, "power_w", RANGE)
    b.f32("input", 0x46, 0.0, "frequency_hz", "0")
    return a, b


add("eastron-sdm120",
    # The document says 230.2; these bytes are the next float32 above the nearest to 230.2.
    Real("voltage 230.2 V", "Eastron SDM120-Modbus RTU protocol: read of parameter 1",
         "01 04 00 00 00 02 71 CB", "01 04 04 43 66 33 34 1B 38", {"voltage_v": "230.20001"}),
    *sdm_single([]))
add("eastron-sdm230", *sdm_single([
    (0x4C, 12.5, "energy_reactive_import_varh", 1000), (0x4E, 3.75, "energy_reactive_export_varh", 1000),
    (0x54, 640.0, "power_demand_w", 1), (0x56, 2200.5, "power_demand_max_w", 1)]))


def sdm630():
    a = Case("all points")
    for base, point, values, factor in [
            (0x00, "voltage_l{}_v", (230.2, 231.5, 228.75), 1), (0x06, "current_l{}_a", (1.5, 2.25, 0.125), 1),
            (0x0C, "power_l{}_w", (345.25, -520.5, 28.5), 1), (0x12, "power_apparent_l{}_va", (350.5, 521.5, 30.25), 1),
            (0x18, "power_reactive_l{}_var", (-60.25, 31.5, 10.125), 1), (0x1E, "power_factor_l{}", (0.985, -0.998, 0.94), 1),
            (0xEA, "thd_voltage_l{}_pct", (1.5, 1.75, 2.5), 1), (0xF0, "thd_current_l{}_pct", (12.5, 80.25, 5.125), 1),
            (0x15A, "energy_import_l{}_wh", (10.5, 20.25, 30.125), 1000), (0x160, "energy_export_l{}_wh", (0.5, 7.5, 1.25), 1000),
            (0x166, "energy_total_l{}_wh", (10.5, 27.75, 31.375), 1000)]:
        for i, x in enumerate(values):
            a.f32("input", base + 2 * i, x, point.format(i + 1), factor=factor)
    for address, x, point, factor in [
            (0x2A, 230.25, "voltage_v", 1), (0x2E, 1.25, "current_mean_a", 1), (0x30, 3.875, "current_a", 1),
            (0x34, -146.75, "power_w", 1), (0x38, 902.25, "power_apparent_va", 1), (0x3C, -18.625, "power_reactive_var", 1),
            (0x3E, -0.1625, "power_factor", 1), (0x46, 50.02, "frequency_hz", 1), (0x48, 60.875, "energy_import_wh", 1000),
            (0x4A, 8.75, "energy_export_wh", 1000), (0x4C, 4.5, "energy_reactive_import_varh", 1000),
            (0x4E, 2.25, "energy_reactive_export_varh", 1000), (0x54, 900.5, "power_demand_w", 1), (0x56, 4100.0, "power_demand_max_w", 1),
            (0xC8, 399.5, "voltage_l1_l2_v", 1), (0xCA, 400.25, "voltage_l2_l3_v", 1), (0xCC, 398.75, "voltage_l3_l1_v", 1),
            (0xCE, 399.5, "voltage_ll_v", 1), (0xE0, 0.75, "current_neutral_a", 1),
            (0x156, 69.625, "energy_total_wh", 1000), (0x158, 6.75, "energy_reactive_total_varh", 1000)]:
        a.f32("input", address, x, point, factor=factor)
    b = Case("one phase dead")
    b.f32("input", 0x02, 0.0, "voltage_l2_v", "0")
    b.f32("input", 0x20, NAN, "power_factor_l2", NA)
    b.f32("input", 0x0E, -6e6, "power_l2_w", RANGE)
    return a, b


add("eastron-sdm630", *sdm630())


# ---- PZEM: u32 low word first ----------------------------------------------------------------

def pzem():
    a = Case("largest numbers, alarm")
    r = "input"
    a.number("u16", r, 0, 2599, "voltage_v", "0.1")
    a.number("u32", r, 1, 99876, "current_a", "0.001", order="CDAB")
    a.number("u32", r, 3, 229900, "power_w", "0.1", order="CDAB")
    a.number("u32", r, 5, 9999989, "energy_import_wh", order="CDAB")
    a.number("u16", r, 7, 501, "frequency_hz", "0.1")
    a.number("u16", r, 8, 98, "power_factor", "0.01")
    a.key(r, 9, 0xFFFF, "power_alarm", "alarm")
    b = Case("beyond the range")
    b.number("u16", r, 0, 65535, "voltage_v", want=RANGE)
    b.number("u16", r, 7, 65535, "frequency_hz", want=RANGE)
    b.number("u16", r, 9, 1, "power_alarm", want=RANGE)
    return a, b


add("pzem-016",
    Real("225.7 V, 24.4 W", "answer: comment in esphome components/pzemac; request computed",
         "01 04 00 00 00 0A 70 0D",
         "01 04 14 08 D1 00 6C 00 00 00 F4 00 00 00 26 00 00 01 F4 00 64 00 00 51 34",
         {"voltage_v": "225.7", "current_a": "0.108", "power_w": "24.4", "energy_import_wh": "38",
          "frequency_hz": "50.0", "power_factor": "1.00", "power_alarm": '"none"'}),
    *pzem())


# ---- Carlo Gavazzi: s32 low word first, 0x7FFFFFFF is overflow ---------------------------------

def cg_em111():
    r = "input"
    a = Case("all points")
    for address, raw, point, scale in [
            (0, 2312, "voltage_v", "0.1"), (2, -12345, "current_a", "0.001"), (4, -28543, "power_w", "0.1"),
            (6, 28999, "power_apparent_va", "0.1"), (8, -4567, "power_reactive_var", "0.1"), (10, 26000, "power_demand_w", "0.1"),
            (12, 70001, "power_demand_max_w", "0.1"), (16, 123456, "energy_import_wh", "100"),
            (18, 65539, "energy_reactive_import_varh", "100"), (20, 17, "energy_partial_wh", "100"),
            (32, 70000, "energy_export_wh", "100"), (34, 9, "energy_reactive_export_varh", "100")]:
        a.number("s32", r, address, raw, point, scale, order="CDAB")
    a.number("s16", r, 14, -987, "power_factor", "0.001")
    a.number("s16", r, 15, 499, "frequency_hz", "0.1")
    b = Case("EEE: overflow of everything")
    for address, point in [(0, "voltage_v"), (2, "current_a"), (4, "power_w"), (6, "power_apparent_va"), (8, "power_reactive_var"),
                           (10, "power_demand_w"), (12, "power_demand_max_w"), (16, "energy_import_wh"), (18, "energy_reactive_import_varh"),
                           (20, "energy_partial_wh"), (32, "energy_export_wh"), (34, "energy_reactive_export_varh")]:
        b.number("s32", r, address, 0x7FFFFFFF, point, want=NA, order="CDAB")
    for address, point in [(14, "power_factor"), (15, "frequency_hz")]:
        b.number("s16", r, address, 0x7FFF, point, want=NA)
    c = Case("the other signs")
    for address, raw, point, scale in [(2, 12345, "current_a", "0.001"), (4, 28543, "power_w", "0.1"), (6, -28999, "power_apparent_va", "0.1"),
                                       (8, 4567, "power_reactive_var", "0.1"), (10, -26000, "power_demand_w", "0.1"),
                                       (12, -70001, "power_demand_max_w", "0.1")]:
        c.number("s32", r, address, raw, point, scale, order="CDAB")
    return a, b, c


add("carlo-gavazzi-em111", *cg_em111())


def cg_em24():
    r = "input"
    a = Case("all points")
    n = 0
    for base, point, scale in [(0x00, "voltage_l{}_v", "0.1"), (0x0C, "current_l{}_a", "0.001"), (0x12, "power_l{}_w", "0.1"),
                               (0x18, "power_apparent_l{}_va", "0.1"), (0x1E, "power_reactive_l{}_var", "0.1"),
                               (0x46, "energy_import_l{}_wh", "100")]:
        for i in range(3):
            n += 1
            raw = 2200 + 7 * n if base == 0 else 70000 + 111 * n
            if point.startswith(("power_l", "power_reactive")) and i == 1:
                raw = -raw
            a.number("s32", r, base + 2 * i, raw, point.format(i + 1), scale, order="CDAB")
    for address, raw, point, scale in [
            (0x06, 3991, "voltage_l1_l2_v", "0.1"), (0x08, 4002, "voltage_l2_l3_v", "0.1"), (0x0A, 3987, "voltage_l3_l1_v", "0.1"),
            (0x24, 2301, "voltage_v", "0.1"), (0x26, 3993, "voltage_ll_v", "0.1"), (0x28, -123456, "power_w", "0.1"),
            (0x2A, 130000, "power_apparent_va", "0.1"), (0x2C, 4321, "power_reactive_var", "0.1"), (0x2E, 99999, "power_demand_w", "0.1"),
            (0x5C, 654321, "energy_export_wh", "100")]:
        a.number("s32", r, address, raw, point, scale, order="CDAB")
    for i, raw in enumerate((998, -457, 1000)):
        a.number("s16", r, 0x32 + i, raw, f"power_factor_l{i + 1}", "0.001")
    a.number("s16", r, 0x35, -912, "power_factor", "0.001")
    a.number("s16", r, 0x36, -1, "phase_sequence")
    a.number("s16", r, 0x37, 500, "frequency_hz", "0.1")
    b, c = Case("overflow of everything"), Case("everything negative")
    for point, address in [(p, k[1]) for p, k in list(a.where.items()) if a.size[p] == 2]:
        b.number("s32", r, address, 0x7FFFFFFF, point, want=NA, order="CDAB")
        if point.startswith(("current", "power")):
            c.number("s32", r, address, -70001, point, "0.001" if point.startswith("current") else "0.1", order="CDAB")
    for i, point in enumerate(["power_factor_l1", "power_factor_l2", "power_factor_l3", "power_factor"]):
        c.number("s16", r, 0x32 + i, -1 - i, point, "0.001")
    b.number("s16", r, 0x37, 5000, "frequency_hz", want=RANGE)
    return a, b, c


add("carlo-gavazzi-em24", *cg_em24())


# ---- Schneider iEM3000: wire = number - 1, float32 and int64 high word first, power in kW --------

def iem3155():
    r = "holding"
    a = Case("all points")
    for number, point, values, factor in [
            (3000, "current_l{}_a", (1.5, 2.5, 3.25), 1), (3028, "voltage_l{}_v", (230.5, 229.25, 231.75), 1),
            (3054, "power_l{}_w", (0.5, -1.25, 2.75), 1000)]:
        for i, x in enumerate(values):
            a.f32(r, number - 1 + 2 * i, x, point.format(i + 1), factor=factor)
    for number, x, point, want in [
            (3010, 2.4375, "current_mean_a", "2.4375"), (3020, 399.5, "voltage_l1_l2_v", "399.5"), (3022, 400.5, "voltage_l2_l3_v", "400.5"),
            (3024, 398.5, "voltage_l3_l1_v", "398.5"), (3026, 399.5, "voltage_ll_v", "399.5"), (3036, 230.5, "voltage_v", "230.5"),
            (3060, 2.0, "power_w", "2000"), (3068, -0.5, "power_reactive_var", "-500"), (3076, 2.125, "power_apparent_va", "2125"),
            (3084, 1.25, "power_factor", "0.75"), (3110, 49.95, "frequency_hz", "49.95")]:
        a.f32(r, number - 1, x, point, want)
    for number, raw, point in [
            (3204, 123456789, "energy_import_wh"), (3208, 5000000001, "energy_export_wh"), (3220, 77, "energy_reactive_import_varh"),
            (3224, 88, "energy_reactive_export_varh"), (3518, 41152263, "energy_import_l1_wh"), (3522, 41152264, "energy_import_l2_wh"),
            (3526, 41152262, "energy_import_l3_wh")]:
        a.number("s64", r, number - 1, raw, point)
    b = Case("quadrants and missing values")
    b.f32(r, 3083, -1.25, "power_factor", "-0.75")
    b.f32(r, 3059, NAN, "power_w", NA)
    b.number("s64", r, 3203, -1, "energy_import_wh", want=RANGE)
    c = Case("power factor of the first quadrant")
    c.f32(r, 3083, 0.875, "power_factor", "0.875")
    return a, b, c


add("schneider-iem3155", *iem3155())


# ---- Shelly Pro 3EM: wire = number - 30000, float32 low word first ---------------------------------

def shelly():
    r = "input"
    a = Case("all points")
    for number, x, point in [(31011, 6.25, "current_a"), (31013, -1200.5, "power_w"), (31015, 1500.75, "power_apparent_va"),
                             (31162, 1234567.0, "energy_import_wh"), (31164, 1025.5, "energy_export_wh")]:
        a.f32(r, number - 30000, x, point, order="CDAB")
    for i in range(3):
        for offset, x, point in [(0, 229.5 + i, "voltage_l{}_v"), (2, 1.25 + i, "current_l{}_a"), (4, -400.5 - i, "power_l{}_w"),
                                 (6, 500.25 + i, "power_apparent_l{}_va"), (8, -0.8 - i / 16, "power_factor_l{}")]:
            a.f32(r, 1020 + 20 * i + offset, x, point.format(i + 1), order="CDAB")
        a.f32(r, 1182 + 20 * i, 4000.5 + i, f"energy_import_l{i + 1}_wh", order="CDAB")
        a.f32(r, 1184 + 20 * i, 30.25 + i, f"energy_export_l{i + 1}_wh", order="CDAB")
    b = Case("no number")
    b.f32(r, 1013, NAN, "power_w", NA, order="CDAB")
    b.f32(r, 1020, 501.0, "voltage_l1_v", RANGE, order="CDAB")
    return a, b


add("shelly-pro-3em", *shelly())


# ---- Wiren Board ----------------------------------------------------------------------------------

def map3e():
    r = "input"
    a = Case("all points")
    for i, raw in enumerate((1507328000, 1510000001, 1499999999)):
        a.number("u32", r, 0x1410 + 2 * i, raw, f"voltage_l{i + 1}_v", "1.52588e-7")
    for i, raw in enumerate((20480000, 1, 40960001)):
        a.number("u32", r, 0x1416 + 2 * i, raw, f"current_l{i + 1}_a", "2.44141e-7")
    for address, raw, point in [(0x141C, 39912, "voltage_l1_l2_v"), (0x141D, 40023, "voltage_l2_l3_v"), (0x141E, 39875, "voltage_l3_l1_v")]:
        a.number("u16", r, address, raw, point, "0.01")
    n = 0
    for base, point, unit in [(0x1300, "power", "w"), (0x1308, "power_reactive", "var"), (0x1310, "power_apparent", "va")]:
        for i in range(4):
            n += 1
            raw = 200001 + 1000 * n
            if base != 0x1310 and i == 2:
                raw = -raw
            name = f"{point}_{unit}" if i == 0 else f"{point}_l{i}_{unit}"
            a.number("s32", r, base + 2 * i, raw, name, "0.00512")
    for i, raw in enumerate((985, -500, 1000, 0)):
        a.number("s16", r, 0x10BC + i, raw, "power_factor" if i == 0 else f"power_factor_l{i}", "0.001")
    a.number("u16", r, 0x10F8, 5001, "frequency_hz", "0.01")
    for base, point, unit in [(0x1200, "energy_import", "wh"), (0x1210, "energy_export", "wh"),
                              (0x1220, "energy_reactive_import", "varh"), (0x1230, "energy_reactive_export", "varh")]:
        for i in range(4):
            raw = 0x0001_2345_6789 + base + i  # low word first over four words
            name = f"{point}_{unit}" if i == 0 else f"{point}_l{i}_{unit}"
            a.number("u64", r, base + 4 * i, raw, name, "0.01", order="CDAB")
    a.number("u16", r, 121, 24123, "supply_v", "0.001")
    a.number("s16", r, 124, -53, "mcu_temp_c", "0.1")
    b = Case("not available")
    for i in range(3):
        b.number("u32", r, 0x1410 + 2 * i, 0xFFFFFFFF, f"voltage_l{i + 1}_v", want=NA)
        b.number("u16", r, 0x141C + i, 0xFFFF, ["voltage_l1_l2_v", "voltage_l2_l3_v", "voltage_l3_l1_v"][i], want=NA)
    c = Case("everything negative")
    for base, point, unit in [(0x1300, "power", "w"), (0x1308, "power_reactive", "var"), (0x1310, "power_apparent", "va")]:
        for i in range(4):
            c.number("s32", r, base + 2 * i, -1 - i, f"{point}_{unit}" if i == 0 else f"{point}_l{i}_{unit}", "0.00512")
    for i in range(4):
        c.number("s16", r, 0x10BC + i, -999 + i, "power_factor" if i == 0 else f"power_factor_l{i}", "0.001")
    return a, b, c


add("wirenboard-map3e", *map3e())


def mcm8():
    a = Case("all points")
    for i in range(8):
        a.bit("discrete", i, 0b10110010 >> i & 1, f"di{i + 1}")
        a.number("u32", "input", 60 + 2 * i, 4294967295 - i, f"count{i + 1}")
        a.number("u32", "input", 40 + 2 * i, 65536 * i + 6554, f"frequency{i + 1}_hz", "1.52588e-5")
    return (a,)


add("wirenboard-mcm8", *mcm8())


def mr6c():
    a = Case("all points")
    for i in range(6):
        a.bit("coil", i, 0b101100 >> i & 1, f"relay{i + 1}")
        a.bit("discrete", i, 0b011010 >> i & 1, f"di{i + 1}")
        a.bit("discrete", 96 + i, 0b100110 >> i & 1, f"contact{i + 1}")
        a.number("u16", "input", 32 + i, 65530 + i, f"count{i + 1}")
    a.bit("discrete", 7, 1, "di0")
    a.number("u16", "input", 39, 12, "count0")
    return (a,)


add("wirenboard-mr6c", *mr6c())


def msw():
    r = "input"
    a = Case("all sensors fitted")
    a.number("s16", r, 4, -1234, "temp_c", "0.01")
    a.number("u16", r, 5, 4567, "humidity_pct", "0.01")
    a.number("u16", r, 3, 4210, "sound_db", "0.01")
    a.number("u16", r, 8, 812, "co2_ppm")
    a.number("u32", r, 9, 70012, "light_lx", "0.01")
    a.number("u16", r, 11, 230, "voc_ppb")
    a.number("u16", r, 280, 61, "motion_max")
    a.number("u16", r, 283, 12, "motion")
    a.number("u16", r, 12, 2, "air_quality")
    a.number("s16", r, 367, -305, "dew_point_c", "0.01")
    b = Case("sensors failed or not fitted")
    b.number("s16", r, 4, 0x7FFF, "temp_c", want=SENSOR)
    b.number("u16", r, 5, 0xFFFF, "humidity_pct", want=SENSOR)
    b.number("u16", r, 3, 0xFFFF, "sound_db", want=NA)
    b.number("u16", r, 8, 0xFFFF, "co2_ppm", want=NA)
    b.number("u32", r, 9, 0xFFFFFFFF, "light_lx", want=NA)
    b.number("u16", r, 11, 0xFFFF, "voc_ppb", want=NA)
    b.number("u16", r, 12, 0xFFFE, "air_quality", want=UNSUPPORTED)
    b.number("u16", r, 280, 0xFFFF, "motion_max", want=NA)
    b.number("u16", r, 283, 0xFFFF, "motion", want=NA)
    b.number("s16", r, 367, 0x7FFF, "dew_point_c", want=SENSOR)
    c = Case("air quality sensor failed")
    c.number("u16", r, 12, 0xFFFF, "air_quality", want=SENSOR)
    return a, b, c


add("wirenboard-msw", *msw())


# ---- I/O and climate ----------------------------------------------------------------------------

def e1210():
    a = Case("all points, also those that are off")
    mask = 0b1010_0000_1100_0011
    for i in range(16):
        a.bit("discrete", i, mask >> i & 1, f"di{i}")
        a.number("u32", "input", 0x10 + 2 * i, 65536 * i + 7, f"count{i}")
    a.number("u16", "input", 0x30, mask, "di_word")
    return (a,)


add("moxa-e1210", *e1210())


def io8(coils, discretes, name="all points"):
    a = Case(name)
    for i in range(8):
        if discretes:
            a.bit("discrete", i, 0b01100101 >> i & 1, discretes.format(i + 1))
        if coils:
            a.bit("coil", i, 0b11010010 >> i & 1, coils.format(i + 1, i))
    return (a,)


add("waveshare-io-8ch", *io8("do{}", "di{}"))


def xymd02():
    a = Case("below zero")
    a.number("s16", "input", 1, -105, "temp_c", "0.1")
    a.number("u16", "input", 2, 667, "humidity_pct", "0.1")
    b = Case("beyond the range")
    b.number("s16", "input", 1, 1300, "temp_c", want=RANGE)
    b.number("u16", "input", 2, 1001, "humidity_pct", want=RANGE)
    return a, b


def xymd02_request():
    """The request is the document's; the document's answer was not found, so the values are ours."""
    c = xymd02()[0]
    c.name = "below zero, request as documented"
    out = c.json()
    out["same_request"] = True
    assert out["exchanges"][0]["request"] == "01 04 00 01 00 02 20 0B"
    out["source"] = "synthetic (request: XY-MD02 user manual)"
    return out


FILES["xy-md02"] = [xymd02_request(), xymd02()[1].json()]


def mv110():
    r = "holding"
    a = Case("one state per input", unit=16)
    states = [(0, "ok"), (0xF00D, "break"), (0xF00C, "short_circuit"), (0xF007, "off"), (0xF006, "not_ready"), (0xF00A, "too_high"),
              (0xF00B, "too_low"), (0xF008, "cold_junction_high")]
    for k, (raw, key) in enumerate(states):
        a.number("u16", r, 6 * k, 1)          # decimal point
        a.number("s16", r, 6 * k + 1, -123 + k)  # the same value as an integer
        a.key(r, 6 * k + 2, raw, f"status{k + 1}", key)
        a.number("u16", r, 6 * k + 3, 4000)   # cycle time
        a.f32(r, 6 * k + 4, -12.25 + k, f"temp{k + 1}_c")
    b = Case("the rest of the states", unit=16)
    for k, (raw, key) in enumerate([(0xF000, "invalid"), (0xF009, "cold_junction_low"), (0xF00E, "no_adc"), (0xF00F, "calibration")]):
        b.key(r, 6 * k + 2, raw, f"status{k + 1}", key)
    b.number("u16", r, 6 * 7 + 2, 0xF001, "status8", want=RANGE)
    return a, b


add("oven-mv110-8a", *mv110())


# ---- chiller, drives, supplies ---------------------------------------------------------------------

def cwfl():
    r = "holding"
    a = Case("all points")
    for address, raw, point in [(0x100, 245, "room_temp_c"), (0x101, -12, "water_temp_c"), (0x102, 301, "water_temp_high_c"),
                                (0x103, 876, "compressor_temp_c"), (0x104, 254, "flow_lpm")]:
        a.number("s16", r, address, raw, point, "0.1")
    outputs = ["pump_low", "compressor", "fan", "refrigerant_valve", "heater_low", "crankcase_heater", "cooling_high", "pump_high",
               "heater_high", "conductivity_relay", "alarm_relay"]
    inputs = [(0, "water_level"), (3, "pressure_high"), (4, "pressure_low"), (5, "external")]
    c = Case("the other bits, below zero")
    for case, out, word in [(a, 0b101_0101_0101, 0b10_1001), (c, 0b010_1010_1010, 0b01_0010)]:
        case.put(r, 0x800, [out])
        for bit, point in enumerate(outputs):
            case.says(point, '"on"' if out >> bit & 1 else '"off"')
        case.put(r, 0x801, [word])
        for bit, point in inputs:
            case.says(point, '"input"' if word >> bit & 1 else '"no_input"')
    for i, point in enumerate(["room_temp_c", "water_temp_c", "water_temp_high_c", "compressor_temp_c"]):
        c.number("s16", r, 0x100 + i, -3 - i, point, "0.1")
    b = Case("beyond the range")
    b.number("s16", r, 0x101, 1001, "water_temp_c", want=RANGE)
    b.number("s16", r, 0x103, -251, "compressor_temp_c", want=RANGE)
    b.number("s16", r, 0x104, 2001, "flow_lpm", want=RANGE)
    return a, b, c


add("teyu-cwfl", *cwfl())


def vfd_e():
    r = "holding"
    a = Case("running at 48.75 Hz")
    for address, raw, point, scale in [
            (0x2100, 0, "fault_code", "1"), (0x2101, 0x0503, "status_word", "1"), (0x2102, 5000, "frequency_set_hz", "0.01"),
            (0x2103, 4875, "output_hz", "0.01"), (0x2104, 42, "output_a", "0.1"), (0x2108, 3112, "dc_bus_v", "0.1"),
            (0x2109, 2203, "output_v", "0.1"), (0x210A, 41, "igbt_temp_c", "1")]:
        a.number("u16", r, address, raw, point, scale)
    b = Case("tripped")
    b.number("u16", r, 0x2100, 3, "fault_code")
    b.number("u16", r, 0x2103, 0, "output_hz", "0.01")
    return a, b


add("delta-vfd-e", *vfd_e())


def gd20():
    r = "holding"
    a = Case("running, overload warning")
    a.number("u16", r, 0x2100, 1, "state_word")
    a.put(r, 0x2101, [0b10001])
    a.says("ready", '"ready"')
    a.says("overload_warning", '"overload"')
    for address, raw, point, scale in [
            (0x2102, 0, "fault_code", "1"), (0x3000, 4999, "output_hz", "0.01"), (0x3001, 5000, "frequency_set_hz", "0.01"),
            (0x3002, 540, "dc_bus_v", "1"), (0x3003, 378, "output_v", "1"), (0x3004, 51, "output_a", "0.1"), (0x3005, 1470, "speed_rpm", "1"),
            (0x300A, 0x0005, "input_terminals", "1"), (0x300B, 0x0002, "output_terminals", "1")]:
        a.number("u16", r, address, raw, point, scale)
    a.number("s16", r, 0x3006, -125, "load_pct", "0.1")
    b = Case("stopped by a fault")
    b.number("u16", r, 0x2100, 4, "state_word")
    b.put(r, 0x2101, [0])
    b.says("ready", '"not_ready"')
    b.says("overload_warning", '"none"')
    b.number("u16", r, 0x2102, 35, "fault_code")
    b.number("s16", r, 0x3006, -3001, "load_pct", want=RANGE)
    return a, b


add("invt-gd20", *gd20())


def mx2():
    a = Case("running backwards")
    coils = {0x0E: ("running", 1), 0x0F: ("reverse", 1), 0x10: ("ready", 0), 0x11: (None, 0), 0x12: (None, 1), 0x13: ("at_speed", 1),
             0x14: (None, 0), 0x15: (None, 0), 0x16: (None, 0), 0x17: ("alarm", 0)}
    for address, (point, on) in coils.items():
        if point:
            a.bit("coil", address, on, point)
        else:
            a.put("coil", address, [on])
    a.number("u32", "holding", 0x1000, 70001, "output_hz", "0.01")
    a.number("u16", "holding", 0x1002, 1234, "output_a", "0.01")
    a.number("s16", "holding", 0x1018, -55, "heatsink_temp_c", "0.1")
    b = Case("tripped")
    b.bit("coil", 0x0E, 0, "running")
    b.bit("coil", 0x17, 1, "alarm")
    return a, b


add("omron-mx2", *mx2())


def riden(model, volt, amp):
    r = "holding"
    a = Case("charging, cold outside")
    for address, raw, point, scale in [
            (5, 31, "temp_c", "1"), (8, 2500, "voltage_set_v", volt), (9, 1500, "current_set_a", amp), (10, 2498, "output_v", volt),
            (11, 1234, "output_a", amp), (14, 6512, "input_v", "0.01"), (33, 2490, "battery_v", volt), (3, 128, "firmware", "0.01")]:
        a.number("u16", r, address, raw, point, scale)
    a.number("u16", r, 0, model, "model_code")
    a.number("u16", r, 4, 0)
    a.put(r, 6, [0, 88])
    a.put(r, 12, [0, 3082])
    a.put(r, 15, [0])
    a.number("u32", r, 1, 70023, "serial")
    a.key(r, 16, 0, "protection", "none")
    a.key(r, 17, 1, "regulation", "cc")
    a.key(r, 18, 1, "output", "on")
    a.key(r, 32, 1, "battery_mode", "on")
    a.number("u16", r, 34, 1)
    a.number("u16", r, 35, 7, "probe_temp_c", want="-7")
    a.put(r, 36, [0, 19])
    a.number("u32", r, 38, 70123, "charge_mah")
    a.number("u32", r, 40, 1712345, "energy_wh", "0.001")
    b = Case("over-current protection")
    b.number("u16", r, 0, model)
    b.key(r, 16, 2, "protection", "ocp")
    b.key(r, 18, 0, "output", "off")
    b.key(r, 32, 0, "battery_mode", "off")
    b.number("u16", r, 34, 1)
    b.number("u16", r, 35, 12, "probe_temp_c", want="-12")
    c = Case("over-voltage protection, below zero inside")
    c.number("u16", r, 0, model)
    c.key(r, 16, 1, "protection", "ovp")
    c.number("u16", r, 4, 1)
    c.number("u16", r, 5, 3, "temp_c", want="-3")
    return a, b, c


add("riden-rd6006", *riden(60062, "0.01", "0.001"))
add("riden-rd6006p", *riden(60065, "0.001", "0.0001"))
add("riden-rd60xx", *riden(60181, "0.01", "0.01"))


def dps():
    r = "holding"
    a = Case("output on, constant current")
    for address, raw, point, scale in [
            (0, 1260, "voltage_set_v", "0.01"), (1, 2500, "current_set_a", "0.001"), (2, 1187, "output_v", "0.01"), (3, 2499, "output_a", "0.001"),
            (4, 2966, "power_w", "0.01"), (5, 2403, "input_v", "0.01"), (11, 5005, "model_code", "1")]:
        a.number("u16", r, address, raw, point, scale)
    a.key(r, 6, 1, "key_lock", "on")
    a.key(r, 7, 0, "protection", "none")
    a.key(r, 8, 1, "regulation", "cc")
    a.key(r, 9, 1, "output", "on")
    a.put(r, 10, [4])
    out = [a]
    for raw, key in [(1, "ovp"), (2, "ocp"), (3, "opp")]:
        b = Case(f"protection {key}")
        b.key(r, 7, raw, "protection", key)
        b.key(r, 6, raw & 1, "key_lock", "on" if raw & 1 else "off")
        b.key(r, 8, 1 - (raw & 1), "regulation", "cv" if raw & 1 else "cc")
        b.key(r, 9, 0, "output", "off")
        out.append(b)
    c = Case("contents that no document names")
    c.number("u16", r, 7, 4, "protection", want=RANGE)
    c.number("u16", r, 8, 2, "regulation", want=RANGE)
    return out + [c]


add("dps5005", *dps())


# ---- to copy -------------------------------------------------------------------------------------------

def dvp():
    a = Case("all points")
    for i in range(8):
        a.bit("discrete", 0x0400 + i, 0b01011001 >> i & 1, f"x{i}")
        a.bit("coil", 0x0500 + i, 0b10011011 >> i & 1, f"y{i}")
        a.bit("coil", 0x0800 + i, 0b00110101 >> i & 1, f"m{i}")
        a.number("s16", "holding", 0x1000 + i, -1000 * i + 3, f"d{i}")
    return (a,)


def registers(table):
    a = Case("all points")
    for i in range(8):
        a.number("u16", table, i, 8191 * i + 5, f"reg{i}")
    return (a,)


def meter_f32():
    a = Case("all points")
    for address, x, point, factor in [(0, 230.2, "voltage_v", 1), (2, 1.5, "current_a", 1), (4, -345.25, "power_w", 1), (6, 12.5, "energy_import_wh", 1000)]:
        a.f32("input", address, x, point, factor=factor)
    return (a,)


add("delta-dvp", *dvp())
add("generic-meter-f32", *meter_f32())
add("generic-io-8", *io8("do{}", "di{}"))
add("generic-coils", *io8("coil{1}", None))
add("generic-registers", *registers("holding"))
add("generic-input-registers", *registers("input"))


def main():
    bad = 0
    for profile, cases in sorted(FILES.items()):
        path = HERE / f"{profile}.json"
        body = json.dumps({"profile": profile, "cases": cases}, ensure_ascii=False, indent=1) + "\n"
        if sys.argv[1:] == ["--check"]:
            if not path.exists() or path.read_text(encoding="utf-8") != body:
                print(f"{path}: differs from what make_golden.py writes", file=sys.stderr)
                bad = 1
        else:
            path.write_text(body, encoding="utf-8")
    return bad


if __name__ == "__main__":
    sys.exit(main())
