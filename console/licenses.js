// SPDX-License-Identifier: MIT
// node licenses.js FOLDER: the licences of all packages in FOLDER/node_modules that may be inside the
// page, as text. (What only builds it is not inside.)
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const folder = process.argv[2];
const { packages } = JSON.parse(readFileSync(join(folder, "package-lock.json"), "utf8"));

for (const [path, entry] of Object.entries(packages)) {
	const place = join(folder, path);
	if (!path || entry.dev || !existsSync(place))
		continue;
	const file = readdirSync(place).find((name) => /^licen[cs]e/i.test(name));
	console.log(`==== ${path.replace(/^.*node_modules\//, "")} ${entry.version} (${entry.license ?? "see its repository"})\n`);
	console.log(file ? readFileSync(join(place, file), "utf8").trim() + "\n" : "");
}
