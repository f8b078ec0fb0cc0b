// SPDX-License-Identifier: MIT
// Trouble first: what an order and a colour follow from. Pure.
import { SEVERITIES } from "./payload.js";

/** It is active, and nothing suppresses it (maintenance, a dead bus). */
export const counts = (alarm) => alarm.active && !alarm.suppressed;

/** The worst severity among alarms that count, or "". */
export function levelOf(alarms) {
	let worst = SEVERITIES.length;
	for (const alarm of alarms.values())
		if (counts(alarm))
			worst = Math.min(worst, SEVERITIES.indexOf(alarm.severity));
	return SEVERITIES[worst] ?? "";
}

const LEVEL_RANK = { critical: 0, error: 1, warning: 2 };
const STATE_RANK = { fault: 1, offline: 3, unknown: 4, paused: 5, busy: 6, idle: 7, off: 8 };
export const RANKS = 9;

/** 0 is the worst. */
export function rankOf(level, state) {
	return Math.min(LEVEL_RANK[level] ?? RANKS, STATE_RANK[state] ?? STATE_RANK.unknown);
}

/** Of a park: alarms of machines and gateways, then gateways that are offline. */
export function parkRank(level, gatewaysOffline) {
	return LEVEL_RANK[level] ?? (gatewaysOffline ? 3 : 4);
}

/** The worse of two severities; "" is none. */
export function worse(a, b) {
	const at = (level) => (level ? SEVERITIES.indexOf(level) : SEVERITIES.length);
	return at(a) <= at(b) ? a : b;
}

/** Alarms as people want them: active, counting, worst, newest first. */
export function byTrouble(a, b) {
	return Number(b.active) - Number(a.active) || Number(counts(b)) - Number(counts(a)) ||
		SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity) || (b.raised ?? 0) - (a.raised ?? 0) ||
		(a.code < b.code ? -1 : 1);
}

/** Sorts things that are in their natural order already into ranks, keeping that order in each. */
export function bucket(things, rank, ranks = RANKS) {
	const buckets = Array.from({ length: ranks }, () => []);
	for (const thing of things)
		buckets[rank(thing)].push(thing);
	return buckets.flat();
}
