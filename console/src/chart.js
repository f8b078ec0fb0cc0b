// SPDX-License-Identifier: MIT
// The plotted history; the only file that names uPlot. One axis for each unit, at most three.
import uPlot from "uplot";
import { h, setText } from "./dom.js";
import { languageName, say, timeText, unitText, valueText } from "./words.js";

export const MAX_LINES = 6;
const MAX_AXES = 3, HEIGHT = 280;
const MIN_SPAN_S = 30; // of the time axis, while there is little to show

const style = (element, name) => getComputedStyle(element).getPropertyValue(name).trim();

/** A tick of the time axis, no longer than it must be. */
function timeTicks(splits) {
	const span = splits[splits.length - 1] - splits[0];
	const options = span > 300 ? { hour: "2-digit", minute: "2-digit" } : { hour: "2-digit", minute: "2-digit", second: "2-digit" };
	const format = new Intl.DateTimeFormat(languageName() === "ru" ? "ru-RU" : "en-GB", options);
	return splits.map((s) => format.format(s * 1000));
}

export class Chart {
	constructor() {
		this.place = h("div", { class: "plot" });
		this.note = h("p", { class: "quiet" }, say("choose"));
		this.element = h("section", { class: "card chart" }, h("h2", {}, say("history")), this.note, this.place);
		this.lines = [];
		this.plot = null;
		this.sizes = new ResizeObserver(() => this.#fit());
		this.sizes.observe(this.place);
		this.dark = matchMedia("(prefers-color-scheme: dark)");
		this.ondark = () => this.#make(this.data);
		this.dark.addEventListener("change", this.ondark);
	}

	close() {
		this.sizes.disconnect();
		this.dark.removeEventListener("change", this.ondark);
		this.plot?.destroy();
	}

	/** lines: [{key, name, unit}]; data: [times, values of each] */
	update(lines, data) {
		this.data = data;
		setText(this.note, lines.length ? "" : say("choose"));
		this.note.hidden = lines.length > 0;
		const same = (line, i) => line.key === this.lines[i]?.key && line.name === this.lines[i].name;
		if (this.plot && lines.length === this.lines.length && lines.every(same)) {
			this.plot.setData(data);
		} else {
			this.lines = lines;
			this.#make(data);
		}
		this.place.dataset.samples = data[0].length;
	}

	#make(data) {
		this.plot?.destroy();
		this.plot = null;
		if (!this.lines.length)
			return;
		const units = [...new Set(this.lines.map((line) => line.unit))];
		this.plot = new uPlot({
			width: this.#width(), height: HEIGHT,
			scales: { x: { time: true, range: (_, min, max) => [min, Math.max(max, min + MIN_SPAN_S)] } },
			axes: [this.#axis({ space: 75, values: (_, splits) => timeTicks(splits) }),
				...units.slice(0, MAX_AXES).map((unit, i) => this.#axis({ scale: unit, side: i === 0 ? 3 : 1, grid: { show: i === 0 },
					values: (_, splits) => splits.map((v) => `${valueText(v)} ${unitText(unit)}`), size: 72 }))],
			series: [{ label: say("time"), value: (_, s) => (s === null ? "–" : timeText(s * 1000)) }, ...this.lines.map((line, i) => this.#series(line, i))],
		}, data, this.place);
	}

	#axis(more) {
		const grid = style(this.place, "--line");
		return { stroke: style(this.place, "--quiet"), ticks: { stroke: grid }, font: `11px ${style(this.place, "font-family")}`,
			...more, grid: { stroke: grid, width: 1, ...more.grid } };
	}

	#series(line, i) {
		return { label: line.name, scale: line.unit, stroke: style(this.place, `--line-${i + 1}`), width: 1.5,
			points: { show: (plot) => plot.data[0].length < 3 }, value: (_, v) => (v === null || v === undefined ? "–" : `${valueText(v)} ${unitText(line.unit)}`) };
	}

	#width() {
		return Math.max(240, this.place.clientWidth);
	}

	#fit() {
		if (this.plot && this.plot.width !== this.#width())
			this.plot.setSize({ width: this.#width(), height: HEIGHT });
	}
}
