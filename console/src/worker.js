// SPDX-License-Identifier: MIT
// The worker: it owns connection and model, so that the page only draws. From the page come
//   {open: {url, username, password, root}}   connect, to another broker than before perhaps
//   {look: {view, park, machine, filter, state, first, count}}   what is on the screen
//   {plot: [keys]}   whose history is drawn
// To the page go {link, why, code}, {denied}, {view, data} and {plot, table}, at most once in TICK_MS.
import { Broker } from "./broker.js";
import { Focus } from "./focus.js";
import { Model, split } from "./model.js";
import { table } from "./ring.js";
import * as views from "./views.js";

const TICK_MS = 250, PLOT_MS = 1000;
// Gateways tell which parks there are; each park is then asked for on its own: broker.js tells why.
const GATEWAYS = ["gateways/+/availability", "gateways/+/health", "gateways/+/alarm/+"];
const MACHINES = ["machines/+/availability", "machines/+/info", "machines/+/state", "machines/+/alarm/+"];

let model = new Model("parks");
let focus = new Focus("", "");
let look = { view: "parks", park: "", machine: "", filter: "", state: "", first: 0, count: 50 };
let asked = new Set(); // parks, since this connection began
let plot = [], plotted = 0;
let dirty = false, timer = 0, link = "";

const broker = new Broker({
	link(state, why = "", code = null) {
		if (state === "loading") {
			model.begin();
			asked = new Set();
		}
		if (state === "online")
			model.sweep();
		link = state;
		postMessage({ link, why, code });
		changed();
	},
	denied: () => postMessage({ denied: true }),
	message(topic, bytes) {
		const at = split(topic, model.root), now = Date.now();
		if (!at)
			return;
		if (at.kind === "gateways" && bytes.length)
			ask(at.park);
		const known = model.take(at, bytes, now), shown = focus.take(at, bytes);
		if (known || shown)
			changed();
	},
});

const below = (filters, park) => filters.map((filter) => `${model.root}/${park}/${filter}`);

/** What is being looked at comes first. */
function ask(park) {
	if (asked.has(park))
		return;
	asked.add(park);
	broker.ask(below(MACHINES, park), park === look.park);
}

function changed() {
	dirty = true;
	timer ||= setTimeout(tick, TICK_MS);
}

/** Once more after a tick that had something to show: the next changes come together. */
function tick() {
	timer = 0;
	if (!dirty)
		return;
	show();
	if (plot.length && Date.now() - plotted >= PLOT_MS)
		draw();
	timer = setTimeout(tick, TICK_MS);
}

const VIEWS = {
	parks: () => views.parks(model, look),
	machines: () => views.machines(model, look, focus),
	machine: () => views.machine(model, look, focus),
};

function show() {
	dirty = false;
	postMessage({ view: look, data: VIEWS[look.view](), count: { ...model.count } });
}

function draw() {
	plotted = Date.now();
	const rings = plot.map((key) => focus.series.get(key)).filter(Boolean);
	const keys = plot.filter((key) => focus.series.has(key));
	postMessage({ plot: keys, table: table(rings) });
}

/** Another park or machine: what was kept of the one before is forgotten. */
function turn() {
	const park = look.park ?? "", machine = look.machine ?? "";
	if (focus.park === park && focus.machine === machine)
		return;
	focus = new Focus(park, machine);
	plot = [];
	broker.look(below(focus.filters(), park));
}

const COMMANDS = {
	open(settings) {
		model = new Model(settings.root);
		focus = new Focus(focus.park, focus.machine);
		broker.extra = below(focus.filters(), focus.park);
		broker.open(settings, below(GATEWAYS, "+"));
	},
	look(wanted) {
		look = wanted;
		turn();
		show();
	},
	plot(keys) {
		plot = keys;
		draw();
	},
};

addEventListener("message", ({ data }) => {
	for (const name of Object.keys(data))
		COMMANDS[name]?.(data[name]);
});
