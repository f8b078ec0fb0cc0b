// SPDX-License-Identifier: MIT
// What happened, the newest first, in one line each.
import { h, keyed, setText } from "./dom.js";
import { isText, say, timeText } from "./words.js";

const word = (text) => (isText(text) ? say(text) : text);

const LINES = {
	state: (e) => `${word(e.from) || "–"} → ${word(e.to)}${e.reason ? `: ${e.reason}` : ""}`,
	alarm: (e) => `${say("alarm")} ${e.code} ${word(e.transition)} (${word(e.severity)})`,
	identity: (e) => `${e.source}: ${say("identity")}: ${e.was || "–"} → ${e.now || "–"}`,
	config: (e) => `${say("config")}: ${e.ok ? say("ok") : e.error}`,
	clock: (e) => `${say("clock")}: ${e.step / 1000} s`,
	counters: (e) => `${say("counters")}: ${e.field} ${e.was} → ${e.now} ${e.note}`,
};

export function eventList() {
	const list = h("ol", { class: "events" }), none = h("p", { class: "quiet" }, say("noEvents"));
	return {
		element: h("section", { class: "card happened" }, h("h2", {}, say("events")), none, list),
		update(events) {
			none.hidden = events.length > 0;
			keyed(list, events, (e) => e.n,
				() => h("li", {}, h("time"), h("b"), h("span")), (item, e) => {
					setText(item.children[0], timeText(e.ts));
					setText(item.children[1], e.of);
					setText(item.children[2], LINES[e.type](e));
				});
		},
	};
}
