// SPDX-License-Identifier: MIT
// Which broker, as whom, in which language. The password is in this tab's sessionStorage only.

const SESSION = "labpulse-broker", LANGUAGE = "labpulse-language";

/** The page's own host: Mosquitto serves both from one port; elsewhere /mqtt is the usual path. */
function defaultUrl() {
	const scheme = location.protocol === "https:" ? "wss:" : "ws:";
	return `${scheme}//${location.host || "localhost:8083"}/mqtt`;
}

export function load() {
	const query = new URLSearchParams(location.search);
	let saved = {};
	try {
		saved = JSON.parse(sessionStorage.getItem(SESSION)) ?? {};
	} catch { /* the browser keeps nothing for us */ }
	const given = Object.fromEntries(["broker", "root"].filter((key) => query.has(key)).map((key) => [key, query.get(key)]));
	const url = given.broker ?? saved.url ?? defaultUrl();
	// A password goes only where it was typed in for, wherever a link points.
	const kept = saved.url === url ? saved : {};
	return { username: "", password: "", ...kept, url, root: given.root ?? kept.root ?? "parks" };
}

export function save(settings) {
	try {
		sessionStorage.setItem(SESSION, JSON.stringify(settings));
	} catch { /* asked again next time */ }
}

export function language() {
	let kept = null;
	try {
		kept = localStorage.getItem(LANGUAGE);
	} catch { /* as the browser says */ }
	const wanted = kept ?? navigator.language ?? "en";
	return wanted.startsWith("ru") ? "ru" : "en";
}

export function keepLanguage(name) {
	try {
		localStorage.setItem(LANGUAGE, name);
	} catch { /* until the page is closed */ }
}

/** Only WebSockets: an address from a link is not to make the browser do anything else. */
export function isBrokerUrl(text) {
	try {
		const url = new URL(text);
		return (url.protocol === "ws:" || url.protocol === "wss:") && !url.username && !url.password;
	} catch {
		return false;
	}
}
