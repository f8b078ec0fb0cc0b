// SPDX-License-Identifier: MIT
// The page: which part of it is shown, what the worker is asked for, and what it says.
import { h, setAttribute, setText } from "./dom.js";
import { loginForm } from "./login.js";
import { machinePage } from "./page_machine.js";
import { machinesPage } from "./page_machines.js";
import { parksPage } from "./page_parks.js";
import { parse } from "./route.js";
import * as settings from "./settings.js";
import { languageName, say, setLanguage } from "./words.js";

const PAGES = { parks: parksPage, machines: machinesPage, machine: machinePage };

let worker = null, access = settings.load();
let link = "connecting", why = "", denied = false, connectedOnce = false;
let page = null, place = null, last = null;
let chosenState = "", filter = "";
let parts = null;

const context = {
	send: (message) => worker?.postMessage(message),
	relook: () => relook(),
	isLoaded: () => link === "online" || link === "lost",
	chosen: () => chosenState,
	choose(state) {
		chosenState = state;
		relook();
	},
};

/** The frame around the pages; made anew when the language changes. */
function frame() {
	const search = h("input", { type: "search", class: "search", placeholder: say("search"), "aria-label": say("search"), value: filter,
		oninput: (e) => { filter = e.target.value.trim().toLowerCase(); relook(); } });
	const status = h("button", { type: "button", class: "status", role: "status", onclick: () => parts.login.show(access, "") });
	const banner = h("p", { class: "banner", role: "alert", hidden: true });
	const main = h("main");
	const login = loginForm(open);
	const nav = h("nav", {}, h("a", { href: "#/" }, say("parks")), h("a", { href: "#/machines" }, say("machines")));
	const bar = h("div", { class: "bar" }, h("strong", { class: "brand" }, "labpulse"), nav, search, status,
		h("button", { type: "button", class: "plain language", onclick: turnLanguage }, say("language")));
	document.documentElement.lang = languageName();
	document.body.replaceChildren(bar, banner, main, login.element);
	parts = { search, status, banner, main, login, nav };
}

function turnLanguage() {
	setLanguage(languageName() === "ru" ? "en" : "ru");
	settings.keepLanguage(languageName());
	frame();
	turn();
	showLink();
}

/** To the page that the address names. */
function turn() {
	const next = parse(location.hash);
	if (JSON.stringify(next) !== JSON.stringify(place))
		chosenState = "";
	page?.close();
	place = next;
	page = PAGES[place.page](context, place);
	parts.main.replaceChildren(page.element);
	for (const item of parts.nav.children)
		setAttribute(item, "aria-current", item.hash === (location.hash || "#/") ? "page" : null);
	relook();
}

function relook() {
	const list = place.page !== "machine";
	context.send({ look: { park: "", machine: "", ...page.look(), filter: list ? filter : "", state: list ? chosenState : "" } });
}

// ---- the connection -----------------------------------------------------------------------------

function open(wanted) {
	access = wanted;
	settings.save(access);
	denied = false;
	connectedOnce = false;
	if (settings.isBrokerUrl(access.url))
		context.send({ open: access });
	else
		takeLink({ link: "refused", why: "address" });
}

function takeLink(message) {
	link = message.link;
	why = message.why;
	connectedOnce ||= link === "online" || link === "loading";
	showLink();
	if (link === "refused")
		parts.login.show(access, say(why === "denied" && !access.username ? "anonymous" : why || "refused"));
}

function showLink() {
	setText(parts.status, say(link));
	setAttribute(parts.status, "data-link", link);
	setAttribute(document.body, "data-link", link);
	const text = link === "lost" ? say(connectedOnce ? "lostLong" : "never") : denied ? say("deniedTopics") : "";
	setText(parts.banner, text);
	parts.banner.hidden = !text;
}

function takeView(message) {
	// An answer to a question of a page that was left meanwhile.
	const asked = page.look();
	if (message.view.view !== asked.view || (message.view.park ?? "") !== (asked.park ?? "") || (message.view.machine ?? "") !== (asked.machine ?? ""))
		return;
	last = message;
	page.update(message.data);
	setAttribute(document.body, "data-messages", message.count.messages);
}

function listen({ data }) {
	if (data.link)
		takeLink(data);
	if (data.denied) {
		denied = true;
		showLink();
	}
	if (data.view)
		takeView(data);
	if (data.plot)
		page.plot?.(data.plot, data.table);
}

/** By way of a Blob: a server without Content-Type (Mosquitto's) gives a worker no type to trust. */
async function startWorker() {
	const answer = await fetch("worker.js");
	const code = new Blob([await answer.text()], { type: "text/javascript" });
	const url = URL.createObjectURL(code);
	worker = new Worker(url);
	URL.revokeObjectURL(url);
	worker.addEventListener("message", listen);
}

// ---- start --------------------------------------------------------------------------------------

function shortcuts(event) {
	const typing = event.target.closest("input, dialog");
	if (event.key === "/" && !typing) {
		event.preventDefault();
		parts.search.focus();
	}
	if (event.key === "Escape" && event.target === parts.search && filter) {
		parts.search.value = filter = "";
		relook();
	}
}

/** In a task of its own: to read the script is one already. */
function start() {
	setLanguage(settings.language());
	frame();
	addEventListener("hashchange", turn);
	addEventListener("keydown", shortcuts);
	// What is so many seconds old grows older without any message.
	setInterval(() => { if (last && !document.hidden) takeView(last); }, 1000);
	startWorker().then(() => {
		turn();
		open(access);
	});
}
setTimeout(start);
