// SPDX-License-Identifier: MIT
// The machines of a park, or of all of them; trouble first.
import { h, keyed, setAttribute, setText } from "./dom.js";
import { List, makeRow } from "./list.js";
import { mark, setChips, setMark, setProgress, setTroubles } from "./marks.js";
import { address } from "./route.js";
import { ageText, durationText, pick, say, shortText, timeText, whole } from "./words.js";
import { eventList } from "./events.js";

const COLUMNS = ["name", "state", "since", "job", "trouble", "values"];

const update = (inPark) => (row, machine) => {
	const [name, state, since, job, trouble, values] = row.children;
	setAttribute(row, "data-mark", machine.level || machine.state);
	const title = pick(machine.title);
	setText(name.firstChild, title || machine.id);
	setAttribute(name.firstChild, "href", address(machine.park, machine.id));
	setAttribute(name, "data-id", inPark ? machine.id : `${machine.park} / ${machine.id}`);
	setMark(state, machine.state);
	setText(since, ageText(machine.since, Date.now()));
	setProgress(job, machine);
	setText(trouble, troubleText(machine));
	setText(values, (machine.values ?? []).map(([key, value]) => `${key} ${shortText(value)}`).join("    "));
};

function troubleText(machine) {
	const parts = [];
	if (machine.alarm)
		parts.push((pick(machine.alarm.texts) || machine.alarm.code) +
			(machine.alarms > 1 ? ` +${whole(machine.alarms - 1)}` : ""));
	if (machine.maintenance)
		parts.push(`${say("maintenance")} ${say("until")} ${timeText(machine.maintenance.until)}`);
	return parts.join("   ");
}

function makeGateway() {
	return h("div", { class: "gateway" }, h("strong"), mark(""), h("span", { class: "quiet" }), h("span", { class: "trouble" }));
}

function updateGateway(element, gateway) {
	const [name, state, health, trouble] = element.children;
	setText(name, `${say("gateway")} ${gateway.id}`);
	setAttribute(state, "data-mark", gateway.online ? "online" : gateway.online === false ? "offline" : "unknown");
	setText(state, gateway.online ? say("gatewayOnline") : say(gateway.online === false ? "offline" : "unknown"));
	setText(health, healthText(gateway.health));
	setText(trouble, gateway.alarms.map((alarm) => pick(alarm.texts) || alarm.code).join(", "));
}

function healthText(health) {
	if (!health)
		return "";
	return [health.version, durationText(health.uptime),
		health.waiting ? `${say("waiting")}: ${whole(health.waiting)}` : "",
		health.busesDown ? `${say("busesDown")}: ${health.busesDown}/${health.buses}` : ""].filter(Boolean).join(" · ");
}

export function machinesPage(context, { park }) {
	const chips = h("div", { class: "chips" }), troubles = h("div", { class: "counts" });
	const gateways = h("div", { class: "gateways" });
	const where = h("h1"), note = h("p", { class: "note", hidden: true });
	const happened = eventList();
	const list = new List({
		label: say("machines"),
		columns: [{ name: "name", title: say("machine") }, { name: "state", title: say("state") },
			{ name: "since", title: say("howLong") }, { name: "job", title: say("job") },
			{ name: "trouble", title: say("trouble") }, { name: "values", title: park ? say("values") : "" }],
		row: { make: () => makeRow(...COLUMNS), update: update(Boolean(park)) },
		key: (machine) => `${machine.park}/${machine.id}`, onwindow: context.relook,
	});
	return {
		element: h("section", { class: `page machines${park ? " in-park" : ""}` },
			h("div", { class: "top" }, where, troubles, chips), gateways, note, list.element, park ? happened.element : null),
		look: () => ({ view: "machines", park: park ?? "", ...list.window }),
		close: () => list.close(),
		update(data) {
			setText(where, park ?? `${say("machines")} ${whole(data.totals.machines)}`);
			setChips(chips, data.totals, context.chosen(), context.choose);
			setTroubles(troubles, data.totals);
			keyed(gateways, data.gateways, (gateway) => gateway.id, makeGateway, updateGateway);
			setText(note, data.known ? say("nothing") : say("gone"));
			note.hidden = data.total > 0 || !context.isLoaded();
			list.update(data);
			happened.update(data.events ?? []);
		},
	};
}
