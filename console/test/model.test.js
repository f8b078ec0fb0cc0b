// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import test from "node:test";
import { split } from "../src/model.js";
import * as views from "../src/views.js";
import { Bed, HEAD, LOOK } from "./bed.js";

const names = (view) => view.rows.map((row) => row.id);

test("a topic is split, and what is not one of ours is nothing", () => {
	assert.deepEqual(split("parks/p1/machines/m1/alarm/hot", "parks"),
		{ park: "p1", kind: "machines", id: "m1", leaf: "alarm", code: "hot" });
	assert.equal(split("a/b/p1/gateways/g/availability", "a/b").kind, "gateways");
	for (const topic of ["parks/p1/machines/m1", "parks/p1/machines/m1/state/x", "parks/p1/machines/m1/alarm",
		"parks/p1/machines/m1/alarm/a/b", "parks/P1/machines/m1/state", "parks/__proto__/machines/m1/state",
		"parks/p1/others/m1/state", "other/p1/machines/m1/state", "parks/p1/machines/m1/alarm/A<b>"])
		assert.equal(split(topic, "parks"), null, topic);
});

test("a machine is reachable only if its own availability and its gateway's are online", () => {
	const bed = new Bed().gateway().machine("m1", "busy");
	assert.equal(bed.stateOf("m1"), "busy");
	bed.gateway("p1", "gw1", "offline");
	assert.equal(bed.stateOf("m1"), "offline");
	bed.gateway();
	bed.say("p1/machines/m1/availability", "offline");
	assert.equal(bed.stateOf("m1"), "offline");
	assert.equal(new Bed().machine("m1", "busy").stateOf("m1"), "unknown", "nothing is known of its gateway");
});

test("trouble comes first: critical, error, warning, offline, the rest", () => {
	const bed = new Bed().gateway();
	for (const id of ["a", "b", "c", "d", "e", "f"])
		bed.machine(id, id === "b" ? "busy" : "idle");
	bed.alarm("f", "x", "warning").alarm("e", "x", "critical").alarm("d", "x", "error");
	bed.say("p1/machines/c/availability", "offline");
	assert.deepEqual(names(views.machines(bed.model, { ...LOOK, park: "p1" }, { lists: new Map(), events: [] })),
		["e", "d", "f", "c", "b", "a"]);
});

test("parks: alarms, then gateways offline, then the rest", () => {
	const bed = new Bed();
	for (const park of ["a", "b", "c", "d"])
		bed.gateway(park).machine("m", "idle", park);
	bed.gateway("b", "gw1", "offline");
	bed.alarm("m", "x", "warning", {}, "c").alarm("gw1", "disk", "error", {}, "d", "gateways");
	const view = views.parks(bed.model, LOOK);
	assert.deepEqual(names(view), ["d", "c", "b", "a"]);
	assert.equal(view.totals.machines, 4);
	assert.equal(view.totals.gatewaysOffline, 1);
	assert.deepEqual(view.rows[0].worst, { id: "gw1", texts: { ru: "т", en: "t" }, code: "disk" });
});

test("an alarm that is suppressed, cleared or removed does not count", () => {
	const bed = new Bed().gateway().machine("m1");
	const level = () => bed.model.machine("p1", "m1").level;
	bed.alarm("m1", "hot", "critical");
	assert.equal(level(), "critical");
	bed.alarm("m1", "hot", "critical", { suppressed_by: "maintenance" });
	assert.equal(level(), "");
	bed.alarm("m1", "hot", "critical", { active: false });
	assert.equal(level(), "");
	bed.alarm("m1", "hot", "error");
	assert.equal(level(), "error");
	bed.say("p1/machines/m1/alarm/hot", "");
	assert.equal(level(), "");
	assert.equal(bed.model.machine("p1", "m1").alarms.size, 0);
});

test("empty payloads remove a machine, and the park with its last thing", () => {
	const bed = new Bed().machine("m1");
	for (const leaf of ["availability", "info", "state"])
		bed.say(`p1/machines/m1/${leaf}`, "");
	assert.equal(bed.model.parks.size, 0);
	assert.equal(bed.model.count.machines, 0);
	bed.say("p2/machines/m9/state", "");
	assert.equal(bed.model.parks.size, 0, "a removal makes nothing");
});

test("what a new connection does not tell is gone", () => {
	const bed = new Bed().gateway().machine("m1").machine("m2").alarm("m1", "hot").alarm("m1", "wet");
	bed.model.begin();
	bed.gateway().machine("m1").alarm("m1", "wet");
	assert.equal(bed.model.machine("p1", "m2").id, "m2", "until all has been told");
	bed.model.sweep();
	assert.equal(bed.model.machine("p1", "m2"), null);
	assert.deepEqual([...bed.model.machine("p1", "m1").alarms.keys()], ["wet"]);
});

test("nonsense is refused and harms nothing", () => {
	const bed = new Bed().gateway().machine("m1", "busy");
	const nonsense = ["{", "null", "[]", "1", "\"x\"", "{\"v\":2}", "x".repeat(300000), new TextDecoder().decode(new Uint8Array([255, 254]))];
	for (const payload of nonsense)
		for (const leaf of ["info", "state", "alarm/x"])
			assert.equal(bed.say(`p1/machines/m1/${leaf}`, payload), false, payload.slice(0, 20));
	assert.equal(bed.say("p1/machines/m1/availability", "perhaps"), false);
	assert.equal(bed.stateOf("m1"), "busy");
	const odd = { ...HEAD, state: 7, since: "x", reason: {}, job: [], progress: "half", maintenance: 3, alarms: 5 };
	assert.equal(bed.say("p1/machines/m1/state", odd), true);
	assert.equal(bed.stateOf("m1"), "unknown");
	assert.ok(views.machines(bed.model, { ...LOOK, park: "p1" }, { lists: new Map(), events: [] }).rows.length);
});

test("alarms of one machine are bounded", () => {
	const bed = new Bed().gateway().machine("m1");
	for (let i = 0; i < 500; i++)
		bed.alarm("m1", `a${i}`);
	assert.equal(bed.model.machine("p1", "m1").alarms.size, 100);
});

test("the filter looks into titles, ids, classes; the window cuts", () => {
	const bed = new Bed().gateway();
	for (let i = 10; i < 60; i++)
		bed.machine(`m${i}`, i % 2 ? "busy" : "idle");
	const focus = { lists: new Map(), events: [] };
	const look = { ...LOOK, park: "p1" };
	assert.deepEqual(names(views.machines(bed.model, { ...look, filter: "лазер m42" }, focus)), ["m42"]);
	const cut = views.machines(bed.model, { ...look, state: "busy", first: 20, count: 5 }, focus);
	assert.deepEqual([cut.total, cut.first, names(cut)], [25, 20, ["m51", "m53", "m55", "m57", "m59"]]);
	assert.equal(views.machines(bed.model, { ...look, first: 1000, count: 5 }, focus).first, 45, "a list that became shorter");
	assert.deepEqual(names(views.parks(bed.model, { ...LOOK, filter: "laser m11" })), ["p1"]);
	assert.deepEqual(names(views.parks(bed.model, { ...LOOK, filter: "printer" })), []);
});
