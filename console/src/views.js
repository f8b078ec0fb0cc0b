// SPDX-License-Identifier: MIT
// What the page is shown of the model: only what is on the screen. Pure.
import { SEVERITIES, STATES } from "./payload.js";
import { bucket, byTrouble, counts, parkRank, worse } from "./rank.js";
import { gatewayOf } from "./model.js";

const zeros = (keys) => Object.fromEntries(keys.map((key) => [key, 0]));
const byId = (a, b) => (a.id < b.id ? -1 : Number(a.id > b.id));

function countAlarms(thing, into) {
	for (const alarm of thing.alarms.values())
		if (counts(alarm))
			into[alarm.severity]++;
}

const worstOf = (thing) => [...thing.alarms.values()].filter(counts).sort(byTrouble)[0] ?? null;

/** A park in one line; kept until something in it changes. */
export function summary(model, park) {
	if (park.summary)
		return park.summary;
	const states = zeros(STATES), alarms = zeros(SEVERITIES);
	let level = "", worst = null, offline = 0;
	for (const thing of [...park.machines.values(), ...park.gateways.values()]) {
		countAlarms(thing, alarms);
		if (thing.level && (!worst || worse(thing.level, level) !== level))
			worst = thing;
		level = worse(level, thing.level);
	}
	for (const machine of park.machines.values())
		states[model.stateOf(machine)]++;
	for (const gateway of park.gateways.values())
		offline += gateway.online === true ? 0 : 1;
	park.summary = {
		id: park.id, states, alarms, level, machines: park.machines.size,
		gateways: park.gateways.size, gatewaysOffline: offline,
		worst: worst && { id: worst.id, texts: worstOf(worst).texts, code: worstOf(worst).code },
		rank: parkRank(level, offline),
	};
	return park.summary;
}

function windowOf(rows, look, show) {
	const first = Math.max(0, Math.min(look.first, rows.length - look.count));
	return { total: rows.length, first, rows: rows.slice(first, first + look.count).map(show) };
}

/** The whole network in numbers. */
function totals(model, summaries) {
	const sum = { parks: summaries.length, machines: 0, gateways: 0, gatewaysOffline: 0,
		states: zeros(STATES), alarms: zeros(SEVERITIES) };
	for (const s of summaries) {
		for (const key of ["machines", "gateways", "gatewaysOffline"])
			sum[key] += s[key];
		for (const state of STATES)
			sum.states[state] += s.states[state];
		for (const severity of SEVERITIES)
			sum.alarms[severity] += s.alarms[severity];
	}
	return sum;
}

function parkFits(model, park, look) {
	if (look.state && !summary(model, park).states[look.state])
		return false;
	if (!look.filter || park.id.includes(look.filter))
		return true;
	for (const machine of park.machines.values())
		if (textFits(machine, look.filter))
			return true;
	return false;
}

export function parks(model, look) {
	const all = [...model.parks.values()].sort(byId);
	const shown = bucket(all.filter((park) => parkFits(model, park, look)), (park) => summary(model, park).rank);
	return {
		totals: totals(model, all.map((park) => summary(model, park))),
		...windowOf(shown, look, (park) => ({ ...summary(model, park), seen: park.seen })),
	};
}

/** The text that the search box looks in; made when first needed. */
function textFits(machine, filter) {
	if (!machine.find) {
		const { title, cls, asset } = machine.info ?? {};
		machine.find = [machine.id, title?.ru, title?.en, cls, asset].join("\n").toLowerCase();
	}
	return machine.find.includes(filter);
}

function machineFits(model, machine, look) {
	return (!look.state || model.stateOf(machine) === look.state) &&
		(!look.filter || textFits(machine, look.filter) || (!look.park && machine.park.includes(look.filter)));
}

/** What a list shows of a machine. `values`: those of the park being looked at. */
function machineRow(model, machine, values) {
	const state = model.stateOf(machine), worst = worstOf(machine), own = machine.state;
	return {
		park: machine.park, id: machine.id, state, level: machine.level,
		title: machine.info?.title ?? { ru: "", en: "" }, cls: machine.info?.cls ?? "",
		since: own?.since ?? null, ts: own?.ts ?? null, reason: own?.reason ?? "",
		job: Boolean(own?.job), progress: own?.progress ?? null,
		maintenance: own?.maintenance ?? null,
		alarm: worst && { code: worst.code, texts: worst.texts, severity: worst.severity },
		alarms: [...machine.alarms.values()].filter(counts).length,
		values: values?.get(machine.id) ?? null,
	};
}

function sortedMachines(model) {
	if (model.sorted?.membership !== model.membership) {
		const list = [...model.parks.values()].sort(byId).flatMap((park) => [...park.machines.values()].sort(byId));
		model.sorted = { membership: model.membership, list };
	}
	return model.sorted.list;
}

export function machines(model, look, focus) {
	const park = look.park ? model.park(look.park) : null;
	const all = look.park ? [...(park?.machines.values() ?? [])].sort(byId) : sortedMachines(model);
	const shown = bucket(all.filter((machine) => machineFits(model, machine, look)), (m) => model.rankOf(m));
	const sums = park ? [summary(model, park)] : look.park ? [] : [...model.parks.values()].map((p) => summary(model, p));
	return {
		known: !look.park || park !== null,
		totals: totals(model, sums),
		seen: park?.seen ?? 0,
		events: park ? focus.events : [],
		gateways: park ? [...park.gateways.values()].sort(byId).map(gatewayRow) : [],
		...windowOf(shown, look, (machine) => machineRow(model, machine, focus.lists)),
	};
}

function gatewayRow(gateway) {
	return { id: gateway.id, online: gateway.online, health: gateway.health ?? null,
		alarms: [...gateway.alarms.values()].filter((alarm) => alarm.active).sort(byTrouble) };
}

/** One machine; what only its own page knows comes from `focus`. */
export function machine(model, look, focus) {
	const found = model.machine(look.park, look.machine);
	if (!found)
		return { known: false };
	const gateway = model.park(look.park).gateways.get(gatewayOf(found));
	return {
		known: true, ...machineRow(model, found), asset: found.info?.asset ?? "",
		gateway: gatewayOf(found), gatewayOnline: gateway?.online ?? null, online: found.online,
		allAlarms: [...found.alarms.values()].sort(byTrouble),
		...focus.view(),
	};
}
