// SPDX-License-Identifier: MIT
// Elements. Whatever the broker says becomes text: nothing here or elsewhere makes HTML of it.

/** h("div", {class: "row", onclick: f, "aria-label": "…"}, child, "text", …) */
export function h(name, attributes = {}, ...children) {
	const element = document.createElement(name);
	for (const [key, value] of Object.entries(attributes)) {
		if (key.startsWith("on"))
			element.addEventListener(key.slice(2), value);
		else if (value !== null && value !== false)
			element.setAttribute(key, value === true ? "" : value);
	}
	element.append(...children.filter((child) => child !== null && child !== undefined));
	return element;
}

/** Touches the document only where something is different. */
export function setText(element, text) {
	if (element.textContent !== text)
		element.textContent = text;
}

export function setAttribute(element, name, value) {
	if (value === null || value === false)
		element.removeAttribute(name);
	else if (element.getAttribute(name) !== String(value))
		element.setAttribute(name, value);
}

/**
 * Children of `parent`, one per item in its order: made by make(item) when its key is new, brought up
 * to date by update(element, item). An element stays with its key, so a click hits what was seen; with
 * `reuse` those that are not wanted any more become new ones (a list that is scrolled makes hundreds).
 */
export function keyed(parent, items, key, make, update, reuse = false) {
	const names = items.map(key), old = parent.keyed ?? new Map(), now = new Map();
	const wanted = new Set(names);
	const spare = reuse ? [...old.keys()].filter((name) => !wanted.has(name)) : [];
	let place = parent.firstChild;
	items.forEach((item, i) => {
		const from = old.has(names[i]) ? names[i] : spare.pop();
		const element = old.get(from) ?? make(item);
		old.delete(from);
		now.set(names[i], element);
		update(element, item);
		if (element === place)
			place = place.nextSibling;
		else if (!reuse || element.parentNode !== parent) // the order of rows that are placed does not matter
			parent.insertBefore(element, place);
	});
	for (const element of old.values())
		element.remove();
	parent.keyed = now;
}
