// SPDX-License-Identifier: MIT
// Small pieces that several pages show: states, counts, progress.
import { h, keyed, setAttribute, setText } from "./dom.js";
import { SEVERITIES, STATES } from "./payload.js";
import { say, whole } from "./words.js";

/** A word with its colour; the colour never says anything alone. */
export function setMark(element, word) {
	setAttribute(element, "data-mark", word);
	setText(element, word ? say(word) : "");
}

export const mark = (word) => h("span", { class: "mark", "data-mark": word }, word ? say(word) : "");

/** "3 fault  12 busy": what is there, the worst first. */
export function setCounts(element, states) {
	const shown = STATES.filter((state) => states[state]);
	keyed(element, shown, (state) => state, (state) => h("span", { class: "count", "data-mark": state, title: say(state) }),
		(span, state) => setText(span, `${whole(states[state])} ${say(state)}`));
}

/** The same as buttons that choose what the list shows. */
export function setChips(element, totals, chosen, choose) {
	const shown = STATES.filter((state) => totals.states[state] || state === chosen);
	keyed(element, shown, (state) => state,
		(state) => h("button", { class: "chip", type: "button", "data-mark": state, onclick: () => element.choose(state) }),
		(button, state) => {
			setText(button, `${whole(totals.states[state])} ${say(state)}`);
			setAttribute(button, "aria-pressed", String(state === chosen));
		});
	element.choose = (state) => choose(state === chosen ? "" : state);
}

/** Alarms by severity, and gateways that are offline. */
export function setTroubles(element, totals) {
	const shown = SEVERITIES.filter((severity) => totals.alarms[severity]).map((mark) => ({ mark, n: totals.alarms[mark] }));
	if (totals.gatewaysOffline)
		shown.push({ mark: "offline", n: totals.gatewaysOffline, text: say("gatewaysOffline") });
	keyed(element, shown, (item) => item.mark, (item) => h("span", { class: "count", "data-mark": item.mark }),
		(span, item) => setText(span, `${whole(item.n)} ${item.text ?? say(item.mark)}`));
}

export function setProgress(element, row) {
	setText(element, row.job ? (row.progress === null ? say("running") : `${whole(row.progress * 100)} %`) : "");
	element.style.setProperty("--done", row.job && row.progress !== null ? `${row.progress * 100}%` : "0%");
}
