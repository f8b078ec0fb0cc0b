// SPDX-License-Identifier: MIT
// All parks as the broker's retained topics say they are: docs/topics.md. Pure; the time comes as an
// argument, ms since 1970. However many messages come, memory stays within the limits below.
import * as payload from "./payload.js";
import { levelOf, rankOf } from "./rank.js";

const MAX_MACHINES = 100000, MAX_GATEWAYS = 10000, MAX_ALARMS = 100; // alarms of one machine or gateway

/** What a message is about: {park, kind: "machines"|"gateways", id, leaf, code}, or null. */
export function split(topic, root) {
	if (!topic.startsWith(root + "/"))
		return null;
	const [park, kind, id, leaf, code, more] = topic.slice(root.length + 1).split("/");
	const known = kind === "machines" || kind === "gateways";
	if (!known || more !== undefined || !payload.isId(park) || !payload.isId(id) || !leaf)
		return null;
	if (leaf === "alarm" ? !payload.isCode(code ?? "") : code !== undefined)
		return null;
	return { park, kind, id, leaf, code };
}

function newThing(park, id) {
	return { park, id, parts: new Map(), alarms: new Map(), online: null, level: "" };
}

export class Model {
	constructor(root) {
		this.root = root;
		this.parks = new Map();
		this.generation = 0; // of the connection: what an earlier one told may be gone meanwhile
		this.count = { machines: 0, gateways: 0, messages: 0, refused: 0 };
		this.membership = 0; // changes when a machine comes or goes
	}

	/** A connection begins: what it does not tell again is not so any more. */
	begin() {
		this.generation++;
	}

	/** Everything retained has been told: the rest is gone. */
	sweep() {
		for (const park of [...this.parks.values()])
			for (const kind of ["machines", "gateways"])
				for (const thing of [...park[kind].values()])
					this.#sweepThing(park, kind, thing);
	}

	#sweepThing(park, kind, thing) {
		for (const [code, alarm] of thing.alarms)
			if (alarm.generation !== this.generation)
				thing.alarms.delete(code);
		for (const [leaf, generation] of thing.parts)
			if (generation !== this.generation)
				this.#forget(thing, leaf);
		this.#changed(park, kind, thing);
	}

	/** One message of a topic that is split already. Returns whether it said something. */
	take(at, bytes, now) {
		this.count.messages++;
		const leaf = LEAVES[at.kind][at.leaf];
		const park = leaf && this.#park(at.park, bytes.length > 0);
		const thing = park && this.#thing(park, at.kind, at.id, bytes.length > 0);
		if (!thing)
			return false;
		const understood = bytes.length ? leaf(thing, bytes, at.code, this.generation) : this.#remove(thing, at);
		if (understood) {
			park.seen = now;
			if (bytes.length && at.leaf !== "alarm")
				thing.parts.set(at.leaf, this.generation);
		} else {
			this.count.refused++;
		}
		this.#changed(park, at.kind, thing);
		return understood;
	}

	#remove(thing, at) {
		if (at.leaf === "alarm")
			thing.alarms.delete(at.code);
		else
			this.#forget(thing, at.leaf);
		return true;
	}

	#forget(thing, leaf) {
		thing.parts.delete(leaf);
		if (leaf === "availability")
			thing.online = null;
		else
			delete thing[leaf];
	}

	#park(id, make) {
		let park = this.parks.get(id);
		if (!park && make) {
			park = { id, machines: new Map(), gateways: new Map(), seen: 0, summary: null };
			this.parks.set(id, park);
		}
		return park;
	}

	#thing(park, kind, id, make) {
		let thing = park[kind].get(id);
		const limit = kind === "machines" ? MAX_MACHINES : MAX_GATEWAYS;
		if (!thing && make && this.count[kind] < limit) {
			thing = newThing(park.id, id);
			park[kind].set(id, thing);
			this.count[kind]++;
			this.membership++;
		}
		return thing;
	}

	/** Nothing is left of it: it is gone, and so is a park without anything. */
	#changed(park, kind, thing) {
		park.summary = null;
		thing.level = levelOf(thing.alarms);
		thing.find = null;
		if (thing.parts.size || thing.alarms.size)
			return;
		if (park[kind].delete(thing.id)) {
			this.count[kind]--;
			this.membership++;
		}
		if (!park.machines.size && !park.gateways.size)
			this.parks.delete(park.id);
	}

	park(id) {
		return this.parks.get(id) ?? null;
	}

	machine(park, id) {
		return this.parks.get(park)?.machines.get(id) ?? null;
	}

	/** Its state as far as it can be reached: its own availability and its gateway's must be online. */
	stateOf(machine) {
		const gateway = this.parks.get(machine.park)?.gateways.get(gatewayOf(machine));
		if (machine.online === false || gateway?.online === false)
			return "offline";
		if (!machine.online || !gateway?.online || !machine.state)
			return "unknown";
		return machine.state.state;
	}

	rankOf(machine) {
		return rankOf(machine.level, this.stateOf(machine));
	}
}

export const gatewayOf = (machine) => machine.state?.gw || machine.info?.gw || "";

/** Reads a JSON payload into thing[leaf]. */
const json = (leaf, read) => (thing, bytes) => {
	const doc = payload.parse(bytes);
	if (doc)
		thing[leaf] = read(doc);
	return doc !== null;
};

function availability(thing, bytes) {
	const word = payload.textOf(bytes);
	if (word !== "online" && word !== "offline")
		return false;
	thing.online = word === "online";
	return true;
}

function alarm(thing, bytes, code, generation) {
	const doc = payload.parse(bytes);
	if (!doc || (thing.alarms.size >= MAX_ALARMS && !thing.alarms.has(code)))
		return false;
	thing.alarms.set(code, { code, generation, ...payload.readAlarm(doc) });
	return true;
}

const LEAVES = {
	machines: { availability, alarm, info: json("info", payload.readInfo), state: json("state", payload.readState) },
	gateways: { availability, alarm, health: json("health", payload.readHealth) },
};
