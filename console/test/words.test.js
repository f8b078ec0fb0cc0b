// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import test from "node:test";
import { parse } from "../src/route.js";
import * as words from "../src/words.js";

const folder = new URL("../src/", import.meta.url);

test("both languages", () => {
	words.setLanguage("ru");
	assert.equal(words.say("fault"), "авария");
	assert.equal(words.durationText(3725), "1 ч 2 мин");
	assert.equal(words.valueText(1234.5).replace(/\s/g, " "), "1 234,5");
	assert.equal(words.errorText("exception-2"), "исключение 2");
	words.setLanguage("en");
	assert.equal(words.durationText(86400 * 3 + 60), "3 d");
	assert.equal(words.valueText(1234.5), "1,234.5");
	assert.equal(words.timeText(1e300), "–");
});

test("every text that the page says is there", () => {
	const said = readdirSync(folder).flatMap((file) =>
		[...readFileSync(new URL(file, folder), "utf8").matchAll(/say\("([^"]+)"\)/g)].map((match) => match[1]));
	assert.ok(said.length > 50);
	assert.deepEqual(said.filter((key) => !words.isText(key)), []);
});

test("addresses within the page; nonsense leads home", () => {
	assert.deepEqual(parse("#/park/p1/machine/m1"), { page: "machine", park: "p1", machine: "m1" });
	assert.deepEqual(parse("#/park/p1"), { page: "machines", park: "p1" });
	assert.deepEqual(parse("#/machines"), { page: "machines" });
	for (const hash of ["", "#", "#/", "#/park/", "#/park/P%21", "#/x/y"])
		assert.deepEqual(parse(hash), { page: "parks" }, hash);
});

test("nothing makes HTML of a text", () => {
	for (const file of readdirSync(folder))
		assert.doesNotMatch(readFileSync(new URL(file, folder), "utf8"), /innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(/, file);
});
