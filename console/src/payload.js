// SPDX-License-Identifier: MIT
// What payloads say, as records of known shape and bounded size. A payload comes from outside: what
// does not fit docs/schemas is left out, and nothing here throws. Pure.

export const STATES = ["fault", "offline", "unknown", "busy", "paused", "idle", "off"];
export const SEVERITIES = ["critical", "error", "warning", "info"]; // the worst first
const MAX_PAYLOAD = 256 * 1024; // bytes; history, the longest, has 64 KiB
const MAX_TEXT = 500; // characters
const MAX_POINTS = 500;

const ID = /^[a-z0-9][a-z0-9_-]{0,31}$/;
const CODE = /^[a-z0-9][a-z0-9-]{0,63}$/;

export const isId = (text) => ID.test(text);
export const isCode = (text) => CODE.test(text);

const utf8 = new TextDecoder();

/** A payload's JSON object, or null. */
export function parse(bytes) {
	if (bytes.length > MAX_PAYLOAD)
		return null;
	try {
		const value = JSON.parse(utf8.decode(bytes));
		return isObject(value) && value.v === 1 ? value : null;
	} catch {
		return null;
	}
}

export const textOf = (bytes) => (bytes.length <= 16 ? utf8.decode(bytes) : "");

function isObject(value) {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

const string = (value, max = MAX_TEXT) => (typeof value === "string" ? value.slice(0, max) : "");
const number = (value) => (Number.isFinite(value) ? value : null);
const oneOf = (list, value, otherwise) => (list.includes(value) ? value : otherwise);
const id = (value) => (typeof value === "string" && isId(value) ? value : "");

/** {ru, en}; plain text stands for both. */
function texts(value, plain = "") {
	const both = isObject(value) ? value : {};
	const any = string(both.en) || string(both.ru) || string(plain);
	return { ru: string(both.ru) || any, en: string(both.en) || any };
}

/** What a point may be: a finite number, true or false, a word. Else null. */
function scalar(value) {
	if (typeof value === "string")
		return value.slice(0, MAX_TEXT);
	return typeof value === "boolean" ? value : number(value);
}

/** An object's entries through `read`; what `read` finds null is left out. */
function entries(value, read, max = MAX_POINTS) {
	const found = {};
	if (!isObject(value))
		return found;
	for (const key of Object.keys(value).slice(0, max)) {
		const it = read(value[key]);
		if (it !== null && key !== "__proto__")
			found[key.slice(0, 80)] = it;
	}
	return found;
}

export function readState(doc) {
	return {
		gw: id(doc.gw),
		ts: number(doc.ts),
		state: oneOf(STATES, doc.state, "unknown"),
		since: number(doc.since),
		reason: string(doc.reason),
		job: string(doc.job, 64),
		progress: number(doc.progress),
		maintenance: isObject(doc.maintenance)
			? { until: number(doc.maintenance.until), reason: string(doc.maintenance.reason) }
			: null,
	};
}

export const readValues = (value) => entries(value, scalar);
export const readErrors = (value) => entries(value, (error) => string(error, 32) || null);

export function readSources(value) {
	return entries(value, (source) => isObject(source) ? {
		ok: source.ok === true,
		at: number(source.at),
		error: string(source.error, 32),
		since: number(source.since),
		hint: string(source.hint),
	} : null, 32);
}

/** What lists show of a machine. */
export function readInfo(doc) {
	return { gw: id(doc.gw), cls: string(doc.class, 32), title: texts(doc.title), asset: string(doc.asset, 64) };
}

/** What its own page shows besides. */
export function readPoints(doc) {
	return entries(doc.points, (point) => isObject(point)
		? { unit: string(point.unit, 16), cls: string(point.class, 40), title: texts(point.title) }
		: null);
}

export function readDrivers(doc) {
	return entries(doc.sources, (source) => isObject(source)
		? { driver: string(source.driver, 32), profile: string(source.profile, 64), bus: string(source.bus, 64) }
		: null, 32);
}

export function readAlarm(doc) {
	return {
		gw: id(doc.gw),
		severity: oneOf(SEVERITIES, doc.severity, "error"),
		active: doc.active !== false,
		raised: number(doc.raised),
		cleared: number(doc.cleared),
		count: number(doc.count),
		source: string(doc.source, 32),
		value: scalar(doc.value),
		limit: scalar(doc.limit),
		texts: texts(doc.texts, doc.text),
		hint: string(doc.hint),
		stale: doc.stale === true,
		flapping: doc.flapping === true,
		acked: doc.acked === true,
		suppressed: string(doc.suppressed_by, 64),
	};
}

export function readHealth(doc) {
	const mqtt = isObject(doc.mqtt) ? doc.mqtt : {}, spool = isObject(doc.spool) ? doc.spool : {};
	return {
		ts: number(doc.ts),
		version: string(doc.version, 32),
		uptime: number(doc.uptime_s),
		reconnects: number(mqtt.reconnects),
		waiting: number(spool.records),
		buses: Array.isArray(doc.buses) ? doc.buses.length : 0,
		busesDown: Array.isArray(doc.buses) ? doc.buses.filter((b) => isObject(b) && b.state === "down").length : 0,
	};
}

export function readJob(doc) {
	const name = string(doc.job, 64);
	return name && {
		job: name,
		ended: doc.type === "ended" ? number(doc.ended) : null,
		started: number(doc.started),
		duration: number(doc.duration_s),
		result: doc.type === "ended" ? string(doc.result, 32) || "unknown" : "",
		energy: number(doc.energy_wh),
		name: string(doc.name, 200),
	};
}

const EVENTS = ["state", "alarm", "identity", "config", "clock", "counters"];
export function readEvent(doc) {
	const type = oneOf(EVENTS, doc.type, "");
	const text = (key) => (doc[key] === null || doc[key] === undefined ? "" : String(scalar(doc[key]) ?? ""));
	return type && {
		ts: number(doc.ts), type,
		from: text("from"), to: text("to"), reason: text("reason"),
		code: text("code"), transition: text("transition"), severity: text("severity"), value: text("value"),
		source: text("source"), was: text("was"), now: text("now"), field: text("field"), note: text("note"),
		ok: doc.ok === true, error: text("error"), step: number(doc.step_ms),
	};
}

export const readUsage = (doc) => entries(doc, (value) => number(value), 40);
