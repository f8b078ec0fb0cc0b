// SPDX-License-Identifier: MIT
// A Modbus slave made of npm's modbus-serial and the frames of a golden file.
//
//   NODE_PATH=build/npm/node_modules node modbus_serial_server.js GOLDEN CASE tcp PORT
//   NODE_PATH=build/npm/node_modules node modbus_serial_server.js GOLDEN CASE rtu DEVICE
//
// Prints "ready" when it listens. What the frames do not hold answers exception 2.
"use strict";
const fs = require("fs");
const modbus = require("modbus-serial");

const [golden, index, kind, where] = process.argv.slice(2);
const chosen = JSON.parse(fs.readFileSync(golden, "utf8")).cases[Number(index)];
const tables = { 1: new Map(), 2: new Map(), 3: new Map(), 4: new Map() };

for (const exchange of chosen.exchanges) {
	const request = Buffer.from(exchange.request.replace(/ /g, ""), "hex");
	const response = Buffer.from(exchange.response.replace(/ /g, ""), "hex");
	const fc = request[1], start = request.readUInt16BE(2), count = request.readUInt16BE(4);

	for (let i = 0; i < count; i++)
		tables[fc].set(start + i, fc <= 2 ? Boolean(response[3 + (i >> 3)] >> (i & 7) & 1) : response.readUInt16BE(3 + 2 * i));
}

function get(fc) {
	return function (address, unit, callback) {
		const value = tables[fc].get(address);

		if (unit !== chosen.unit)
			callback({ modbusErrorCode: 0x0B });
		else if (value === undefined)
			callback({ modbusErrorCode: 0x02 });
		else
			callback(null, value);
	};
}

const vector = {
	getCoil: get(1),
	getDiscreteInput: get(2),
	getHoldingRegister: get(3),
	getInputRegister: get(4),
};

const server = kind === "tcp"
	? new modbus.ServerTCP(vector, { host: "127.0.0.1", port: Number(where), unitID: 255 })
	: new modbus.ServerSerial(vector, { port: where, baudRate: 9600, unitID: chosen.unit });

server.on("initialized", () => console.log("ready"));
server.on("error", (error) => console.error(error));
server.on("socketError", (error) => console.error(error.message));
process.on("SIGTERM", () => process.exit(0));
