// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import test from "node:test";
import { Focus } from "../src/focus.js";
import { split } from "../src/model.js";
import { Ring, table } from "../src/ring.js";
import { HEAD, bytes } from "./bed.js";

const say = (focus, leaf, payload, id = "m1") =>
	focus.take(split(`parks/p1/machines/${id}/${leaf}`, "parks"), bytes({ ...HEAD, ...payload }));
const value = (focus, key) => focus.view().values.find((row) => row.key === key);

test("telemetry becomes values and history; an error is no value", () => {
	const focus = new Focus("p1", "m1");
	say(focus, "info", { points: { "meter.power_w": { unit: "W", class: "c", title: { en: "Power" } } } });
	say(focus, "state", { values: { "meter.power_w": 1, "meter.mode": "eco" }, sources: { meter: { ok: true, at: 900 } } });
	assert.deepEqual([value(focus, "meter.power_w").value, value(focus, "meter.power_w").unit], [1, "W"]);
	say(focus, "telemetry", { ts: 2000, source: "meter", values: { power_w: 5, on: true } });
	say(focus, "telemetry", { ts: 3000, source: "meter", values: {}, errors: { power_w: "timeout" } });
	assert.deepEqual([value(focus, "meter.power_w").value, value(focus, "meter.power_w").error], [5, "timeout"]);
	assert.deepEqual(table([focus.series.get("meter.power_w"), focus.series.get("meter.on")]),
		[[2, 3], [5, null], [1, undefined]]);
	say(focus, "state", { values: { "meter.power_w": 1 }, sources: { meter: { ok: true, at: 900 } } });
	assert.equal(value(focus, "meter.power_w").value, 5, "an older snapshot is not news");
});

test("a record that comes twice is told once", () => {
	const focus = new Focus("p1", "m1");
	const event = { type: "state", from: "idle", to: "busy", reason: "r", epoch: "e", seq: 1 };
	say(focus, "event", event);
	say(focus, "event", event);
	say(focus, "event", { ...event, seq: 2 });
	assert.equal(focus.view().events.length, 2);
});

test("a job starts and ends in one line", () => {
	const focus = new Focus("p1", "m1");
	say(focus, "job", { type: "started", job: "J1", started: 5, epoch: "e", seq: 1 });
	assert.equal(focus.view().jobs[0].result, "");
	say(focus, "job", { type: "ended", job: "J1", started: 5, ended: 9, duration_s: 4, result: "finished", epoch: "e", seq: 2 });
	assert.equal(focus.view().jobs.length, 1);
	assert.equal(focus.view().jobs[0].result, "finished");
});

test("memory is bounded", () => {
	const focus = new Focus("p1", "m1");
	for (let i = 1; i <= 3000; i++) {
		say(focus, "event", { type: "state", to: "busy", reason: "r", epoch: "e", seq: i });
		say(focus, "job", { type: "started", job: `J${i}`, started: i, epoch: "e", seq: i });
		say(focus, "telemetry", { ts: i, source: `s${i}`, values: { x_w: i } });
	}
	const view = focus.view();
	assert.deepEqual([view.events.length, view.jobs.length, view.values.length, focus.series.size], [200, 100, 500, 100]);
	assert.ok(focus.names.size <= 800);
});

test("a ring keeps the last samples, in the order of time", () => {
	const ring = new Ring(3);
	for (const [time, v] of [[1, 10], [2, 20], [2, 21], [1, 11], [3, 30], [4, 40]])
		ring.push(time * 1000, v);
	assert.deepEqual(table([ring]), [[2, 3, 4], [20, 30, 40]]);
});
