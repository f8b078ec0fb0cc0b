// SPDX-License-Identifier: MIT
// One machine: what it does, what is wrong, what it measures, what has happened.
import { Chart, MAX_LINES } from "./chart.js";
import { h, keyed, setAttribute, setText } from "./dom.js";
import { eventList } from "./events.js";
import { mark, setMark, setProgress } from "./marks.js";
import { address } from "./route.js";
import * as words from "./words.js";

const { say, pick } = words;

// ---- head ---------------------------------------------------------------------------------------

function head(context, { park, machine }) {
	const title = h("h1"), state = mark(""), job = h("span", { class: "job" }), reason = h("p", { class: "reason" });
	const facts = h("p", { class: "quiet facts" });
	return {
		element: h("header", { class: "machine-head" },
			h("a", { class: "back", href: address(park) }, `‹ ${park}`), h("div", { class: "line" }, title, state, job), reason, facts),
		update(m) {
			setText(title, pick(m.title) || machine);
			setMark(state, m.state);
			setProgress(job, m);
			setText(reason, reasonText(m));
			setText(facts, [machine, m.cls, m.asset && `${say("asset")}: ${m.asset}`,
				m.gateway && `${say("gateway")} ${m.gateway}: ${m.gatewayOnline ? say("gatewayOnline") : say("offline")}`,
				maintenanceText(m.maintenance)].filter(Boolean).join("   ·   "));
		},
	};
}

function reasonText(m) {
	if (m.gatewayOnline === false)
		return `${say("gateway")} ${m.gateway}: ${say("offline")}`;
	const since = m.since ? `${say("since")} ${words.timeText(m.since)}` : "";
	return [since, m.reason].filter(Boolean).join(" · ");
}

const maintenanceText = (maintenance) => maintenance &&
	`${say("maintenance")} ${say("until")} ${words.timeText(maintenance.until)}: ${maintenance.reason}`;

// ---- alarms -------------------------------------------------------------------------------------

function alarmNotes(alarm) {
	const limit = alarm.value === null ? "" : `${words.valueText(alarm.value)}${alarm.limit === null ? "" : ` / ${words.valueText(alarm.limit)}`}`;
	return [`${say("since")} ${words.timeText(alarm.raised)}`, limit, alarm.source,
		alarm.active ? "" : `${say("cleared")} ${words.timeText(alarm.cleared)}`,
		alarm.acked ? say("acked") : "", alarm.suppressed ? `${say("suppressed")}: ${alarm.suppressed}` : "",
		alarm.stale ? say("stale") : "", alarm.flapping ? say("flapping") : "", alarm.code].filter(Boolean).join(" · ");
}

function alarmList() {
	const list = h("ul", { class: "alarms" }), none = h("p", { class: "quiet" }, say("noAlarms"));
	return {
		element: h("section", { class: "card", "aria-live": "polite" }, h("h2", {}, say("alarms")), none, list),
		update(alarms) {
			none.hidden = alarms.length > 0;
			keyed(list, alarms, (alarm) => alarm.code, () => h("li", {}, mark(""), h("strong"), h("p", { class: "hint" }), h("p", { class: "quiet" })),
				(item, alarm) => {
					const [severity, text, hint, notes] = item.children;
					setMark(severity, alarm.severity);
					setText(text, pick(alarm.texts) || alarm.code);
					setText(hint, alarm.hint);
					setText(notes, alarmNotes(alarm));
					setAttribute(item, "data-quiet", !alarm.active || alarm.suppressed ? "yes" : null);
				});
		},
	};
}

// ---- values, and which of them are plotted ------------------------------------------------------

function valueTable(chosen, onchoose) {
	const body = h("tbody");
	const make = (row) => h("tr", {},
		h("td", {}, h("input", { type: "checkbox", "aria-label": `${say("plot")} ${row.key}`, onchange: (e) => onchoose(row.key, e.target.checked) })),
		h("th", { scope: "row" }, h("span"), h("small")), h("td", { class: "value" }), h("td", { class: "age" }));
	function update(element, row) {
		const [plot, name, value, age] = element.children;
		const box = plot.firstChild;
		box.hidden = !row.plots;
		box.checked = chosen.has(row.key);
		box.disabled = !box.checked && chosen.size >= MAX_LINES;
		setText(name.firstChild, pick(row.title) || row.key);
		setText(name.lastChild, pick(row.title) ? row.key : "");
		setAttribute(name, "title", `${pick(row.title)} ${row.key}`.trim());
		const bad = row.error || !row.sourceOk;
		setText(value, row.error ? words.errorText(row.error) : `${words.valueText(row.value)} ${words.unitText(row.unit)}`.trim());
		setText(age, words.ageText(row.at, Date.now()));
		setAttribute(element, "data-bad", bad ? "yes" : null);
	}
	return {
		element: h("section", { class: "card values" }, h("h2", {}, say("values")),
			h("table", {}, h("thead", {}, h("tr", {}, h("th", { title: say("plot") }, "∿"), h("th", {}, say("point")), h("th", { class: "value" }, say("value")), h("th", { class: "age" }, say("age")))), body)),
		update: (rows) => keyed(body, rows, (row) => row.key, make, update),
	};
}

/** What is plotted before anyone chose: what tells most. */
function firstChoice(rows) {
	const plots = rows.filter((row) => row.plots && typeof row.value === "number");
	const best = plots.find((row) => row.key.endsWith("power_w")) ?? plots.find((row) => row.key.endsWith("temp_c")) ?? plots[0];
	return best ? [best.key] : [];
}

// ---- sources, jobs, usage -----------------------------------------------------------------------

function sourceList() {
	const list = h("ul", { class: "sources" });
	return {
		element: h("section", { class: "card" }, h("h2", {}, say("sources")), list),
		update: (sources) => keyed(list, sources, (s) => s.id, () => h("li", {}, mark(""), h("strong"), h("span", { class: "quiet" }), h("p", { class: "hint" })),
			(item, s) => {
				const [state, name, what, hint] = item.children;
				setAttribute(state, "data-mark", s.ok ? "online" : "error");
				setText(state, s.ok ? say("ok") : words.errorText(s.error));
				setText(name, s.id);
				setText(what, [s.profile || s.driver, s.bus, s.ok ? "" : `${say("since")} ${words.timeText(s.since)}`].filter(Boolean).join(" · "));
				setText(hint, s.hint);
			}),
	};
}

function jobList() {
	const list = h("ol", { class: "jobs" }), none = h("p", { class: "quiet" }, say("noJobs"));
	return {
		element: h("section", { class: "card" }, h("h2", {}, say("jobs")), none, list),
		update(jobs) {
			none.hidden = jobs.length > 0;
			keyed(list, jobs, (job) => job.job, () => h("li", {}, h("time"), h("b"), h("span")), (item, job) => {
				setText(item.children[0], words.timeText(job.started));
				setText(item.children[1], job.result ? say(job.result) : say("running"));
				setText(item.children[2], [job.result && words.durationText(job.duration),
					job.energy === null ? "" : `${words.valueText(job.energy)} Wh`, job.name].filter(Boolean).join(" · "));
				setAttribute(item, "data-result", job.result || "running");
			});
		},
	};
}

const USAGE = ["busy_s", "idle_s", "off_s", "paused_s", "unknown_s", "offline_s", "fault_s",
	"jobs_started", "jobs_finished", "jobs_failed", "alarms_raised", "energy_wh"];

function usageText(key, value) {
	if (key === "energy_wh")
		return `${words.valueText(value / 1000)} kWh`;
	return key.endsWith("_s") ? words.durationText(value) : words.whole(value);
}

function usageList() {
	const list = h("dl", { class: "usage" });
	return {
		element: h("section", { class: "card" }, h("h2", {}, say("usage")), list),
		update(usage) {
			const shown = USAGE.filter((key) => Number.isFinite(usage?.[key]));
			keyed(list, shown, (key) => key, (key) => h("div", {}, h("dt", {}, say(key)), h("dd")),
				(item, key) => setText(item.lastChild, usageText(key, usage[key])));
		},
	};
}

// ---- the page -----------------------------------------------------------------------------------

export function machinePage(context, place) {
	const chosen = new Set(), chart = new Chart(), note = h("p", { class: "note", hidden: true });
	let touched = false, rows = [];
	const plot = () => context.send({ plot: [...chosen] });
	const values = valueTable(chosen, (key, on) => {
		touched = true;
		if (on)
			chosen.add(key);
		else
			chosen.delete(key);
		values.update(rows);
		plot();
	});
	const parts = { head: head(context, place), alarms: alarmList(), sources: sourceList(), jobs: jobList(), usage: usageList(), events: eventList() };
	const body = h("div", { class: "columns" },
		h("div", {}, parts.alarms.element, values.element, parts.sources.element),
		h("div", {}, chart.element, parts.jobs.element, parts.usage.element, parts.events.element));

	function choose() {
		const first = touched || chosen.size ? [] : firstChoice(rows);
		first.forEach((key) => chosen.add(key));
		if (first.length)
			plot();
	}

	return {
		element: h("section", { class: "page machine" }, parts.head.element, note, body),
		look: () => ({ view: "machine", ...place }),
		close: () => chart.close(),
		update(data) {
			note.hidden = data.known || !context.isLoaded();
			setText(note, say("gone"));
			body.hidden = !data.known;
			parts.head.element.hidden = !data.known;
			if (!data.known)
				return;
			rows = data.values;
			choose();
			parts.head.update(data);
			parts.alarms.update(data.allAlarms);
			values.update(rows);
			parts.sources.update(data.sources);
			parts.jobs.update(data.jobs);
			parts.usage.update(data.usage);
			parts.events.update(data.events);
		},
		plot(keys, table) {
			const row = (key) => rows.find((r) => r.key === key);
			chart.update(keys.map((key) => ({ key, name: pick(row(key)?.title) || key, unit: row(key)?.unit ?? "" })), table);
		},
	};
}
