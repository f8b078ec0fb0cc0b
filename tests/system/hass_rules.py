# SPDX-License-Identifier: MIT
"""What Home Assistant accepts as a discovered device, and what it then shows; written from its rules.

Nothing here knows how labpulse makes its messages. Sources, all in
https://github.com/home-assistant/core/blob/dev/homeassistant/components/:

    mqtt/discovery.py       TOPIC_MATCHER; shared options go to each component unless it has its own
    mqtt/schemas.py         DEVICE_DISCOVERY_SCHEMA, MQTT_ENTITY_COMMON_SCHEMA, …: which keys there are
    mqtt/sensor.py          validate_sensor_state_and_device_class_config, _update_state
    mqtt/binary_sensor.py   the payloads that it understands
    mqtt/entity.py          availability; attributes; default_entity_id
    sensor/const.py         DEVICE_CLASS_UNITS, DEVICE_CLASS_STATE_CLASSES
    binary_sensor/__init__.py   BinarySensorDeviceClass

In a device's own part an unknown key makes Home Assistant refuse the whole device; in a component it
would only be dropped, which here is an error, too.
"""
import json
import re

import jinja2
import jinja2.sandbox

TOPIC = re.compile(r"(?P<prefix>.+)/(?P<component>\w+)/(?:(?P<node>[a-zA-Z0-9_-]+)/)?(?P<object>[a-zA-Z0-9_-]+)/config")
NAME = re.compile(r"[a-zA-Z0-9_-]+")
ENTITY_ID = re.compile(r"(?P<platform>sensor|binary_sensor)\.[a-z0-9]+(_[a-z0-9]+)*")

AVAILABILITY_KEYS = {"availability", "availability_mode", "availability_template", "availability_topic",
                     "payload_available", "payload_not_available"}
ROOT_KEYS = AVAILABILITY_KEYS | {"device", "origin", "components", "state_topic", "command_topic", "qos", "encoding"}
SHARED_KEYS = AVAILABILITY_KEYS | {"state_topic", "command_topic"}
DEVICE_KEYS = {"identifiers", "connections", "manufacturer", "model", "model_id", "name", "hw_version", "serial_number",
               "sw_version", "via_device", "suggested_area", "configuration_url"}
ORIGIN_KEYS = {"name", "sw_version", "support_url"}
ENTITY_KEYS = AVAILABILITY_KEYS | {
    "platform", "unique_id", "default_entity_id", "name", "state_topic", "value_template", "device_class", "qos", "encoding",
    "entity_category", "enabled_by_default", "icon", "json_attributes_topic", "json_attributes_template", "expire_after",
    "force_update"}
PLATFORM_KEYS = {
    "sensor": ENTITY_KEYS | {"state_class", "unit_of_measurement", "options", "suggested_display_precision",
                             "last_reset_value_template"},
    "binary_sensor": ENTITY_KEYS | {"payload_on", "payload_off", "off_delay"}}

M, T, TI = "measurement", "total", "total_increasing"
ENERGY = {"J", "kJ", "MJ", "GJ", "mWh", "Wh", "kWh", "MWh", "GWh", "TWh", "cal", "kcal", "Mcal", "Gcal"}
LENGTH = {"km", "m", "cm", "mm", "mi", "nmi", "yd", "ft", "in"}
PRESSURE = {"Pa", "hPa", "kPa", "bar", "cbar", "mbar", "mmHg", "inHg", "inH₂O", "psi"}
FLOW = {"m³/h", "m³/min", "m³/s", "ft³/min", "L/h", "L/min", "L/s", "gal/h", "gal/min", "gal/d", "mL/s"}
# device_class -> (units, state classes); those that a machine could have, not all that there are
SENSORS = {
    "apparent_power": ({"mVA", "VA", "kVA"}, {M}), "battery": ({"%"}, {M}), "carbon_dioxide": ({"ppm"}, {M}),
    "current": ({"A", "mA"}, {M}), "distance": (LENGTH, {M, T, TI}), "duration": ({"d", "h", "min", "s", "ms"}, {M, T, TI}),
    "energy": (ENERGY, {T, TI}), "energy_storage": (ENERGY, {M}), "enum": ({None}, set()),
    "frequency": ({"mHz", "Hz", "kHz", "MHz", "GHz"}, {M}), "humidity": ({"%"}, {M}), "illuminance": ({"lx"}, {M}),
    "power": ({"mW", "W", "kW", "MW", "GW", "TW"}, {M}), "power_factor": ({"%", None}, {M}), "pressure": (PRESSURE, {M}),
    "reactive_power": ({"var"}, {M}), "sound_pressure": ({"dB", "dBA"}, {M}), "temperature": ({"°C", "°F", "K"}, {M}),
    "timestamp": ({None}, set()), "volatile_organic_compounds_parts": ({"ppm", "ppb"}, {M}),
    "voltage": ({"µV", "mV", "V", "kV", "MV"}, {M}), "volume_flow_rate": (FLOW, {M})}
BINARY_SENSORS = {"connectivity", "door", "heat", "plug", "power", "problem", "running", "safety", "smoke", "sound", "tamper"}


class Refused(AssertionError):
    """Home Assistant would not take it."""


def refuse_unless(holds, what):
    if not holds:
        raise Refused(what)


def check_keys(where, given, allowed, required):
    refuse_unless(not set(given) - allowed, f"{where}: unknown keys {sorted(set(given) - allowed)}")
    refuse_unless(required <= set(given), f"{where}: {sorted(required - set(given))} missing")


def check_topic(where, topic):
    refuse_unless(isinstance(topic, str) and topic and len(topic.encode()) < 65536 and not set("+#\0") & set(topic),
                  f"{where}: no topic: {topic!r}")


def check_availability(where, config):
    ways = {"availability", "availability_topic"} & set(config)
    refuse_unless(len(ways) <= 1, f"{where}: availability in two ways")
    refuse_unless(config.get("availability_mode", "latest") in ("all", "any", "latest"), f"{where}: availability_mode")
    for i, entry in enumerate(config.get("availability", [])):
        check_keys(f"{where}.availability[{i}]", entry,
                   {"topic", "payload_available", "payload_not_available", "value_template"}, {"topic"})
        check_topic(f"{where}.availability[{i}]", entry["topic"])


def check_sensor(where, c):
    kind, unit, state_class, options = (c.get(k) for k in ("device_class", "unit_of_measurement", "state_class", "options"))
    refuse_unless(state_class in (None, M, T, TI), f"{where}: state_class {state_class}")
    refuse_unless(unit is None or unit.strip(), f"{where}: an empty unit")
    refuse_unless(kind is None or kind in SENSORS, f"{where}: device_class {kind}")
    if kind:
        units, classes = SENSORS[kind]
        refuse_unless(unit in units, f"{where}: unit {unit} of {kind}")
        refuse_unless(state_class is None or state_class in classes, f"{where}: state_class {state_class} of {kind}")
    if options is not None:
        refuse_unless(options and len(set(options)) == len(options), f"{where}: options {options}")
        refuse_unless(kind == "enum" and not unit and not state_class, f"{where}: options are for enum alone")
    refuse_unless(kind != "enum" or options, f"{where}: enum without options")


def check_component(key, c):
    where = f"components.{key}"
    refuse_unless(c.get("platform") in PLATFORM_KEYS, f"{where}: platform {c.get('platform')}")
    check_keys(where, c, PLATFORM_KEYS[c["platform"]], {"platform", "unique_id", "state_topic"})
    check_availability(where, c)
    for name in ("state_topic", "json_attributes_topic"):
        if name in c:
            check_topic(f"{where}.{name}", c[name])
    refuse_unless(NAME.fullmatch(c["unique_id"]), f"{where}: unique_id {c['unique_id']}")
    entity_id = ENTITY_ID.fullmatch(c["default_entity_id"]) if "default_entity_id" in c else None
    refuse_unless("default_entity_id" not in c or (entity_id and entity_id["platform"] == c["platform"]),
                  f"{where}: {c.get('default_entity_id')}")
    refuse_unless(c.get("entity_category") in (None, "config", "diagnostic"), f"{where}: entity_category")
    if c["platform"] == "sensor":
        check_sensor(where, c)
    else:
        refuse_unless(c.get("device_class") in BINARY_SENSORS | {None}, f"{where}: device_class {c.get('device_class')}")
        refuse_unless(c.get("payload_on", "ON") != c.get("payload_off", "OFF"), f"{where}: on and off are the same")
    for name in ("value_template", "json_attributes_template"):
        if name in c:
            ENVIRONMENT.from_string(c[name])


def take_device(topic, payload):
    """The components of a discovery message, each with what it inherits; Refused if it breaks a rule."""
    place = TOPIC.fullmatch(topic)
    refuse_unless(place and place["component"] == "device", f"topic {topic}")
    message = json.loads(payload)
    check_keys("message", message, ROOT_KEYS, {"device", "origin", "components"})
    check_keys("device", message["device"], DEVICE_KEYS, set())
    refuse_unless(message["device"].get("identifiers") or message["device"].get("connections"), "device has no identifier")
    check_keys("origin", message["origin"], ORIGIN_KEYS, {"name"})
    check_availability("message", message)
    refuse_unless(message.get("qos", 0) in (0, 1, 2), "qos")
    refuse_unless(message["components"], "no components")
    shared = {k: message[k] for k in SHARED_KEYS & set(message)}
    components = {key: {**shared, **c} for key, c in message["components"].items()}
    for key, c in components.items():
        refuse_unless(NAME.fullmatch(key), f"key {key}")
        check_component(key, c)
    return components


def check_together(devices):
    """Of all devices of one broker: nothing has the name of another one."""
    entities = [c for components in devices for c in components.values()]
    for name in ("unique_id", "default_entity_id"):
        names = [c[name] for c in entities]
        refuse_unless(len(set(names)) == len(names), f"{name} stands twice: {sorted(n for n in names if names.count(n) > 1)[:3]}")


# ---- what it shows ---------------------------------------------------------------------------------

# Home Assistant's is sandboxed, too, and complains of what is undefined; here that is an error.
ENVIRONMENT = jinja2.sandbox.ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined)
UNAVAILABLE, UNKNOWN = "unavailable", None


def render(template, payload):
    values = {"value": payload}
    try:
        values["value_json"] = json.loads(payload)
    except ValueError:
        pass
    return ENVIRONMENT.from_string(template).render(values).strip() if template else payload


def is_available(c, retained):
    said = [render(a.get("value_template"), retained.get(a["topic"], "")) == a.get("payload_available", "online")
            for a in c.get("availability", [])]
    mode = c.get("availability_mode", "latest")
    refuse_unless(len(said) < 2 or mode != "latest", "the latest of several cannot be told from what is retained")
    return any(said) if mode == "any" else all(said)


def shown(c, retained):
    """What a component shows when the broker holds this (topic -> text): a string, UNKNOWN, UNAVAILABLE."""
    if not is_available(c, retained):
        return UNAVAILABLE
    if not retained.get(c["state_topic"]):
        return UNKNOWN
    text = render(c.get("value_template"), retained[c["state_topic"]])
    if text == "None":
        return UNKNOWN
    if c["platform"] == "binary_sensor":
        words = {c.get("payload_on", "ON"): "on", c.get("payload_off", "OFF"): "off"}
        refuse_unless(text in words, f"{c['unique_id']}: neither on nor off: {text!r}")
        return words[text]
    is_number = c.get("unit_of_measurement") or c.get("state_class") or c.get("device_class") not in (None, "enum", "timestamp")
    if is_number:
        float(text)
    refuse_unless("options" not in c or text in c["options"], f"{c['unique_id']}: {text!r} is no option")
    refuse_unless(len(text) <= 255, f"{c['unique_id']}: a state has 255 characters at most")
    return text


def attributes(c, retained):
    """The attributes of a component; what Home Assistant cannot read is an error."""
    topic = c.get("json_attributes_topic")
    if topic not in retained:
        return {}
    found = json.loads(render(c.get("json_attributes_template"), retained[topic]))
    refuse_unless(isinstance(found, dict), f"{c['unique_id']}: attributes are no object")
    return found
