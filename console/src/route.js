// SPDX-License-Identifier: MIT
// Addresses within the page: #/, #/machines, #/park/P, #/park/P/machine/M.
import { isId } from "./payload.js";

export function address(park, machine) {
	return machine ? `#/park/${park}/machine/${machine}` : `#/park/${park}`;
}

/** {page, park, machine} of a location's hash; what it does not know is the overview. */
export function parse(hash) {
	const levels = hash.replace(/^#\/?/, "").split("/");
	if (levels[0] === "machines" && levels.length === 1)
		return { page: "machines" };
	if (levels[0] !== "park" || !isId(levels[1] ?? ""))
		return { page: "parks" };
	if (levels.length === 4 && levels[2] === "machine" && isId(levels[3]))
		return { page: "machine", park: levels[1], machine: levels[3] };
	return { page: "machines", park: levels[1] };
}
