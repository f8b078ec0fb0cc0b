# SPDX-License-Identifier: MIT
"""Which schema of docs/schemas a topic's payload must fit."""
import json
import re
from pathlib import Path

import jsonschema

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "schemas"
TOPICS = [(re.compile(pattern), schema) for pattern, schema in (
    (r"machines/[^/]+/telemetry$", "telemetry"),
    (r"machines/[^/]+/history$", "history"),
    (r"machines/[^/]+/state$", "state"),
    (r"machines/[^/]+/info$", "info"),
    (r"machines/[^/]+/usage$", "usage"),
    (r"machines/[^/]+/job$", "job"),
    (r"(machines|gateways)/[^/]+/event$", "event"),
    (r"(machines|gateways)/[^/]+/alarm/[a-z0-9-]+$", "alarm"),
    (r"gateways/[^/]+/gap$", "gap"),
    (r"gateways/[^/]+/info$", "gateway-info"),
    (r"gateways/[^/]+/health$", "health"),
)]
TEXTS = re.compile(r"(machines|gateways)/[^/]+/availability$")
_validators = {}


def validator(name):
    if name not in _validators:
        schema = json.loads((FOLDER / f"payload-{name}.schema.json").read_text())
        jsonschema.Draft7Validator.check_schema(schema)
        _validators[name] = jsonschema.Draft7Validator(schema)
    return _validators[name]


def refuse_doubles(pairs):
    keys = [k for k, _ in pairs]
    assert len(keys) == len(set(keys)), f"a key stands twice: {keys}"
    return dict(pairs)


def violation(topic, payload):
    """What is wrong with a message below ROOT/PARK/, or None."""
    tail = "/".join(topic.split("/")[2:])
    if not payload:
        return None  # cleared
    if TEXTS.match(tail):
        return None if payload in (b"online", b"offline") else f"{topic}: {payload!r}"
    name = next((schema for pattern, schema in TOPICS if pattern.match(tail)), None)
    if name is None:
        return f"{topic}: a topic that docs/topics.md does not know"
    try:
        value = json.loads(payload, object_pairs_hook=refuse_doubles)
    except (ValueError, AssertionError) as e:
        return f"{topic}: {e}: {payload[:300]!r}"
    error = jsonschema.exceptions.best_match(validator(name).iter_errors(value))
    return error and f"{topic}: {list(error.absolute_path)}: {error.message}: {payload[:300]!r}"
