// SPDX-License-Identifier: MIT
// The last samples of one point, in the order of their time; and several of them in one table. Pure.

export class Ring {
	constructor(size) {
		this.times = new Float64Array(size);
		this.values = new Float64Array(size);
		this.first = 0;
		this.length = 0;
	}

	at(i) {
		return (this.first + i) % this.times.length;
	}

	/** A time that is not later than the last one is a repeat or an older record: left out. */
	push(time, value) {
		const size = this.times.length;
		if (this.length && this.times[this.at(this.length - 1)] >= time)
			return;
		if (this.length === size)
			this.first = (this.first + 1) % size;
		else
			this.length++;
		const i = this.at(this.length - 1);
		this.times[i] = time;
		this.values[i] = value;
	}
}

/**
 * Rings -> [times in s, column, …] for uPlot: null where a value was missed (a gap in the line),
 * undefined where another ring has a time that this one does not (none).
 */
export function table(rings) {
	const times = [], columns = rings.map(() => []), next = rings.map(() => 0);
	for (;;) {
		let time = Infinity;
		for (let i = 0; i < rings.length; i++)
			if (next[i] < rings[i].length)
				time = Math.min(time, rings[i].times[rings[i].at(next[i])]);
		if (time === Infinity)
			return [times, ...columns];
		times.push(time / 1000);
		for (let i = 0; i < rings.length; i++)
			columns[i].push(takeAt(rings[i], next, i, time));
	}
}

function takeAt(ring, next, i, time) {
	const at = ring.at(next[i]);
	if (next[i] >= ring.length || ring.times[at] !== time)
		return undefined;
	next[i]++;
	return Number.isNaN(ring.values[at]) ? null : ring.values[at];
}
