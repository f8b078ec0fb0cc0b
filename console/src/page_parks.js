// SPDX-License-Identifier: MIT
// All parks, trouble first.
import { h, setAttribute, setText } from "./dom.js";
import { List, makeRow } from "./list.js";
import { setChips, setCounts, setTroubles } from "./marks.js";
import { ageText, pick, say, whole } from "./words.js";
import { address } from "./route.js";

const COLUMNS = ["name", "counts", "trouble", "age"];

function update(row, park) {
	const [name, counts, trouble, age] = row.children;
	setAttribute(row, "data-mark", park.level || (park.gatewaysOffline ? "offline" : null));
	setText(name.firstChild, park.id);
	setAttribute(name.firstChild, "href", address(park.id));
	setCounts(counts, park.states);
	setText(trouble, troubleText(park));
	setText(age, ageText(park.seen, Date.now()));
}

function troubleText(park) {
	const parts = [];
	if (park.worst)
		parts.push(`${pick(park.worst.texts) || park.worst.code} · ${park.worst.id}`);
	const more = Object.values(park.alarms).reduce((sum, n) => sum + n, 0) - 1;
	if (more > 0)
		parts.push(`+${whole(more)}`);
	if (park.gatewaysOffline)
		parts.push(`${say("gatewaysOffline")}: ${whole(park.gatewaysOffline)}`);
	return parts.join("   ");
}

export function parksPage(context) {
	const chips = h("div", { class: "chips" }), troubles = h("div", { class: "counts" });
	const where = h("h1", {}, say("parks")), note = h("p", { class: "note", hidden: true });
	const list = new List({
		label: say("parks"),
		columns: [{ name: "name", title: say("park") }, { name: "counts", title: say("machines") },
			{ name: "trouble", title: say("trouble") }, { name: "age", title: say("last") }],
		row: { make: () => makeRow(...COLUMNS), update }, key: (park) => park.id, onwindow: context.relook,
	});
	return {
		element: h("section", { class: "page parks" }, h("div", { class: "top" }, where, troubles, chips), note, list.element),
		look: () => ({ view: "parks", ...list.window }),
		close: () => list.close(),
		update(data) {
			setText(where, `${say("parks")} ${whole(data.totals.parks)} · ${say("machines").toLowerCase()} ${whole(data.totals.machines)}`);
			setChips(chips, data.totals, context.chosen(), context.choose);
			setTroubles(troubles, data.totals);
			setText(note, data.totals.parks ? say("nothing") : say("empty"));
			note.hidden = data.total > 0 || !context.isLoaded();
			list.update(data);
		},
	};
}
