// SPDX-License-Identifier: MIT
// Messages as gateways publish them, for the tests of the model.
import { Model, split } from "../src/model.js";

export const HEAD = { v: 1, ts: 1000, clock: "synced", gw: "gw1" };
export const LOOK = { park: "", machine: "", filter: "", state: "", first: 0, count: 50 };
const utf8 = new TextEncoder();

export function bytes(payload) {
	return utf8.encode(typeof payload === "string" ? payload : JSON.stringify(payload));
}

export class Bed {
	constructor() {
		this.model = new Model("parks");
		this.model.begin();
	}

	say(topic, payload, now = 1) {
		return this.model.take(split(`parks/${topic}`, "parks"), bytes(payload), now);
	}

	gateway(park = "p1", gateway = "gw1", word = "online") {
		this.say(`${park}/gateways/${gateway}/availability`, word);
		return this;
	}

	machine(id, state = "idle", park = "p1", more = {}) {
		this.say(`${park}/machines/${id}/availability`, "online");
		this.say(`${park}/machines/${id}/info`, { ...HEAD, class: "laser-cutter", title: { ru: `Лазер ${id}`, en: `Laser ${id}` } });
		this.say(`${park}/machines/${id}/state`, { ...HEAD, state, since: 1, reason: "r", job: null, progress: null, maintenance: null, ...more });
		return this;
	}

	alarm(id, code, severity = "critical", more = {}, park = "p1", kind = "machines") {
		this.say(`${park}/${kind}/${id}/alarm/${code}`, { ...HEAD, code, severity, active: true, raised: 1, cleared: null,
			text: "t", hint: "h", texts: { ru: "т", en: "t" }, suppressed_by: null, ...more });
		return this;
	}

	stateOf(id, park = "p1") {
		return this.model.stateOf(this.model.machine(park, id));
	}
}
