// SPDX-License-Identifier: MIT
// A list of any length of which only the visible rows exist. All rows have one height (--row in
// style.css). The rows come from outside: list.window says which ones are wanted.
import { h, keyed, setAttribute } from "./dom.js";

const MORE = 8; // rows above and below the visible ones

export class List {
	/** columns: [{name, title}]; row: {make() -> element, update(element, item)}; key(item) */
	constructor({ label, columns, row, key, onwindow }) {
		Object.assign(this, { row, key, onwindow });
		this.head = h("div", { class: "row head", role: "row" },
			...columns.map((column) => h("span", { role: "columnheader", class: column.name }, column.title)));
		this.space = h("div", { class: "space", role: "rowgroup" });
		this.scroll = h("div", { class: "scroll", role: "presentation", onkeydown: (e) => this.#key(e) }, this.space);
		this.element = h("div", { class: "list", role: "table", "aria-label": label }, this.head, this.scroll);
		this.window = { first: 0, count: 40 };
		this.total = 0;
		this.wanted = -1; // the row to focus as soon as it is there
		this.scroll.addEventListener("scroll", () => this.#plan(), { passive: true });
		this.sizes = new ResizeObserver(() => this.#plan());
		this.sizes.observe(this.scroll);
	}

	close() {
		this.sizes.disconnect();
		cancelAnimationFrame(this.frame);
	}

	/** One measurement a frame, before anything is written. */
	#plan() {
		cancelAnimationFrame(this.frame);
		this.frame = requestAnimationFrame(() => {
			const height = this.#height();
			const first = Math.max(0, Math.floor(this.scroll.scrollTop / height) - MORE);
			const count = Math.ceil(this.scroll.clientHeight / height) + 2 * MORE;
			if (first === this.window.first && count === this.window.count)
				return;
			this.window = { first, count };
			this.onwindow();
		});
	}

	#height() {
		return parseFloat(getComputedStyle(this.element).getPropertyValue("--row")) || 36;
	}

	update({ total, first, rows }) {
		const height = this.#height();
		this.total = total;
		this.space.style.height = `${total * height}px`;
		setAttribute(this.element, "aria-rowcount", total + 1);
		const placed = rows.map((item, i) => ({ item, index: first + i }));
		keyed(this.space, placed, (p) => this.key(p.item), () => this.row.make(), (element, { item, index }) => {
			element.style.transform = `translateY(${index * height}px)`;
			element.index = index;
			setAttribute(element, "aria-rowindex", index + 2);
			this.row.update(element, item);
		}, true);
		this.#focus();
	}

	/** Arrow keys go from row to row, Home and End to the ends. */
	#key(event) {
		const at = event.target.closest(".row")?.index;
		const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: this.total - 1 }[event.key];
		if (at === undefined || to === undefined || to < 0 || to >= this.total)
			return;
		event.preventDefault();
		this.wanted = to;
		const height = this.#height(), top = to * height, view = this.scroll;
		if (top < view.scrollTop)
			view.scrollTop = top;
		else if (top + height > view.scrollTop + view.clientHeight)
			view.scrollTop = top + height - view.clientHeight;
		this.#focus();
	}

	#focus() {
		if (this.wanted < 0)
			return;
		const row = [...this.space.children].find((element) => element.index === this.wanted);
		if (row) {
			this.wanted = -1;
			row.querySelector("a").focus({ preventScroll: true });
		}
	}
}

/** A row with these cells; the first holds the link, which covers the whole row. */
export function makeRow(...cells) {
	const row = h("div", { class: "row", role: "row" });
	for (const name of cells)
		row.append(h("span", { class: name, role: "cell" }));
	const link = h("a");
	row.firstChild.append(link);
	return row;
}
