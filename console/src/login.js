// SPDX-License-Identifier: MIT
// The form that asks where the broker is and who we are.
import { h, setText } from "./dom.js";
import { isBrokerUrl } from "./settings.js";
import { say } from "./words.js";

const FIELDS = [["url", "broker", "url", "off"], ["username", "username", "text", "username"],
	["password", "passwordField", "password", "current-password"], ["root", "root", "text", "off"]];

export function loginForm(onopen) {
	const error = h("p", { class: "error", role: "alert" });
	const inputs = FIELDS.map(([name, label, type, complete]) => ({ name, label: h("span", {}, say(label)),
		input: h("input", { name, type, autocomplete: complete, spellcheck: "false", required: name === "url" || name === "root" }) }));
	const cancel = h("button", { type: "button", class: "plain", onclick: () => dialog.close() }, say("close"));
	const form = h("form", { method: "dialog", novalidate: true, onsubmit: submit }, h("h2", {}, say("settings")), error,
		...inputs.map(({ label, input }) => h("label", {}, label, input)),
		h("div", { class: "buttons" }, cancel, h("button", { type: "submit" }, say("connect"))));
	const dialog = h("dialog", { class: "login", "aria-label": say("settings") }, form);

	function submit(event) {
		event.preventDefault();
		const settings = Object.fromEntries(inputs.map(({ name, input }) => [name, name === "password" ? input.value : input.value.trim()]));
		settings.root = settings.root.replace(/^\/+|\/+$/g, "");
		if (!isBrokerUrl(settings.url) || !settings.root || /[+#]/.test(settings.root)) {
			setText(error, say("address"));
			return;
		}
		dialog.close();
		onopen(settings);
	}

	return {
		element: dialog,
		show(settings, why) {
			inputs.forEach(({ name, input }) => { input.value = settings[name] ?? ""; });
			setText(error, why);
			if (!dialog.open)
				dialog.showModal();
			inputs[why ? 1 : 0].input.focus();
		},
	};
}
