// SPDX-License-Identifier: MIT
// What is kept of the park or machine that is being looked at, and forgotten with it: live values,
// the history since opening, jobs, events. Pure.
import * as payload from "./payload.js";
import { Ring } from "./ring.js";

const MAX_EVENTS = 200, MAX_JOBS = 100, MAX_SERIES = 100, MAX_SAMPLES = 7200;
const VALUES_IN_A_LIST = 4;

/** What tells most about a machine, as in `labpulse watch`: a line is soon full. */
const TELLS_MUCH = ["state", ".progress_pct", ".power_w", "temp_c"];
const tellsMuch = (key) => TELLS_MUCH.some((end) => key.endsWith(end));

export class Focus {
	/** `machine` is empty for a park. */
	constructor(park, machine) {
		this.park = park;
		this.machine = machine;
		this.points = {};
		this.drivers = {};
		this.sources = {};
		this.live = new Map(); // "source.point" -> {value, error, at}
		this.series = new Map(); // "source.point" -> Ring
		this.lists = new Map(); // of a park: machine -> values that tell most
		this.jobs = [];
		this.events = [];
		this.told = 0;
		this.names = new Set(); // of records: a repeat (QoS 1) is told once
		this.usage = null;
	}

	/** What to subscribe to, below the park. */
	filters() {
		if (!this.park)
			return [];
		if (!this.machine)
			return ["machines/+/state", "machines/+/job", "machines/+/event", "gateways/+/event"];
		const own = `machines/${this.machine}/`;
		return ["info", "state", "usage", "telemetry", "job", "event"].map((leaf) => own + leaf);
	}

	take(at, bytes) {
		const one = at.kind === "machines" && at.id === this.machine;
		const take = at.park === this.park && (!this.machine || one) && TAKE[at.leaf];
		const doc = take && payload.parse(bytes);
		if (doc)
			take(this, doc, at);
		return Boolean(doc);
	}

	/** Whether a record is new; only the latest names are remembered. */
	isNew(doc, at) {
		const name = [at.kind, at.id, at.leaf, doc.gw, doc.epoch, doc.seq].join("/");
		if (this.names.has(name))
			return false;
		this.names.add(name);
		if (this.names.size > 4 * MAX_EVENTS)
			this.names.delete(this.names.values().next().value);
		return true;
	}

	set(key, entry) {
		if (!this.live.has(key) && this.live.size >= 500)
			return;
		this.live.set(key, entry);
	}

	/** A number, or NaN where there was none, into the history. */
	note(key, at, value) {
		let ring = this.series.get(key);
		if (!ring && (Number.isNaN(value) || this.series.size >= MAX_SERIES))
			return;
		if (!ring)
			this.series.set(key, ring = new Ring(MAX_SAMPLES));
		ring.push(at, value);
	}

	view() {
		return {
			values: [...this.live].map(([key, entry]) => this.#valueRow(key, entry))
				.sort(byReading),
			sources: Object.entries(this.sources).map(([id, source]) => ({ id, ...source, ...this.drivers[id] })),
			jobs: this.jobs, events: this.events, usage: this.usage,
			samples: Object.fromEntries([...this.series].map(([key, ring]) => [key, ring.length])),
		};
	}

	#valueRow(key, entry) {
		const point = this.points[key], source = this.sources[key.split(".", 1)[0]];
		return { key, ...entry, unit: point?.unit ?? "", title: point?.title ?? null,
			plots: this.series.has(key), sourceOk: source?.ok ?? true };
	}
}

/** Source by source; what is measured before what is only a word. */
function byReading(a, b) {
	const source = (row) => row.key.slice(0, row.key.indexOf("."));
	const order = (x, y) => (x < y ? -1 : Number(x > y));
	return order(source(a), source(b)) || Number(b.plots) - Number(a.plots) || order(a.key, b.key);
}

function newest(list, item, max) {
	list.unshift(item);
	list.length = Math.min(list.length, max);
}

/** The snapshot: values of all sources, each with the time of its source's last answer. */
function takeState(focus, doc, at) {
	const values = payload.readValues(doc.values);
	if (!focus.machine) {
		const keys = Object.keys(values).sort((a, b) => Number(tellsMuch(b)) - Number(tellsMuch(a)));
		focus.lists.set(at.id, keys.slice(0, VALUES_IN_A_LIST).map((key) => [key, values[key]]));
		return;
	}
	focus.sources = payload.readSources(doc.sources);
	for (const [key, value] of Object.entries(values)) {
		const time = focus.sources[key.split(".", 1)[0]]?.at ?? doc.ts;
		if ((focus.live.get(key)?.at ?? 0) < time)
			focus.set(key, { value, error: "", at: time });
	}
}

function takeTelemetry(focus, doc) {
	const source = typeof doc.source === "string" ? doc.source.slice(0, 32) : "";
	if (!source || !Number.isFinite(doc.ts))
		return;
	for (const [point, value] of Object.entries(payload.readValues(doc.values))) {
		const key = `${source}.${point}`;
		focus.set(key, { value, error: "", at: doc.ts });
		if (typeof value !== "string")
			focus.note(key, doc.ts, Number(value));
	}
	for (const [point, error] of Object.entries(payload.readErrors(doc.errors))) {
		const key = `${source}.${point}`, last = focus.live.get(key);
		focus.set(key, { value: last?.value ?? null, error, at: last?.at ?? null });
		focus.note(key, doc.ts, NaN);
	}
}

function takeJob(focus, doc, at) {
	const job = focus.isNew(doc, at) && payload.readJob(doc);
	if (!job)
		return;
	const known = focus.jobs.findIndex((other) => other.job === job.job && other.machine === at.id);
	if (known < 0)
		newest(focus.jobs, { machine: at.id, ...job }, MAX_JOBS);
	else if (job.result)
		focus.jobs[known] = { machine: at.id, ...job };
}

function takeEvent(focus, doc, at) {
	const event = focus.isNew(doc, at) && payload.readEvent(doc);
	if (event)
		newest(focus.events, { n: focus.told++, of: at.id, ...event }, MAX_EVENTS);
}

function takeInfo(focus, doc) {
	focus.points = payload.readPoints(doc);
	focus.drivers = payload.readDrivers(doc);
}

const TAKE = {
	state: takeState, telemetry: takeTelemetry, job: takeJob, event: takeEvent, info: takeInfo,
	usage: (focus, doc) => { focus.usage = payload.readUsage(doc); },
};
