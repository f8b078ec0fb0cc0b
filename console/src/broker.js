// SPDX-License-Identifier: MIT
// The connection to the broker, in the worker; the only file that names mqtt.js. It tells:
//   link {state: connecting|loading|online|lost|refused, why, code}
//   message (topic, bytes)
// A broker drops what a client is too slow for: Mosquitto by default whatever is behind 1000 packets
// (max_queued_messages), of any QoS, and the retained topics of a network are a hundred times that.
// So filters are asked for one after the other, at most ASKING at a time: of a park of 300 machines no
// more than 900 messages wait. QoS 0: this is a screen, and after a break everything is asked for again.
import mqtt from "mqtt";

const RETRY_MS = 2000, CONNECT_MS = 10000, KEEPALIVE_S = 20;
const ASKING = 2;
const MAX_PACKET = 128 * 1024; // bytes; the broker sends nothing longer. Our longest have 64 KiB
const QUIET_MS = 1500; // without a retained message: all have been told

/** Reason codes (MQTT 5, 2.4; 3.1.1, 3.2.2.3) after which trying again is of no use. */
const REFUSALS = { 4: "password", 5: "denied", 0x86: "password", 0x87: "denied", 0x8a: "banned", 0x8c: "denied" };

export class Broker {
	constructor(on) {
		this.on = on;
		this.client = null;
		this.always = [];
		this.extra = [];
		this.queue = []; // filters that are still to be asked for
		this.asking = 0; // filters that are being answered
		this.quiet = 0; // a timer
		this.loaded = false;
	}

	/** settings: url, username, password; always: filters of every connection, the first ones. */
	open(settings, always) {
		this.close();
		this.always = always;
		this.on.link("connecting");
		let client;
		try {
			client = mqtt.connect(settings.url, {
				protocolVersion: 5, clean: true, keepalive: KEEPALIVE_S, resubscribe: false,
				clientId: `console-${crypto.getRandomValues(new Uint32Array(2)).join("-")}`,
				username: settings.username || undefined, password: settings.password || undefined,
				reconnectPeriod: RETRY_MS, connectTimeout: CONNECT_MS, properties: { maximumPacketSize: MAX_PACKET },
			});
		} catch (error) {
			this.on.link("refused", "address", String(error.message));
			return;
		}
		this.client = client;
		this.#listen(client);
	}

	/** Events of a client that was closed meanwhile are nobody's. */
	#listen(client) {
		const mine = (handler) => (...args) => { if (client === this.client) handler(...args); };
		client.on("connect", mine(() => this.#connected()));
		client.on("message", mine((topic, bytes, packet) => this.#message(topic, bytes, packet)));
		client.on("error", mine((error) => this.#failed(error)));
		client.on("disconnect", mine((packet) => { this.reason = packet.reasonCode; }));
		client.on("close", mine(() => this.#closed()));
	}

	close() {
		clearTimeout(this.quiet);
		const client = this.client;
		this.client = null;
		client?.on("error", () => {}); // what it still says at its end
		client?.end(true);
	}

	/** Subscribed to beside the filters, in place of what was before: of what is being looked at. */
	look(extra) {
		const old = this.extra.filter((filter) => !extra.includes(filter));
		const fresh = extra.filter((filter) => !this.extra.includes(filter));
		this.extra = extra;
		if (!this.client?.connected)
			return;
		if (old.length)
			this.client.unsubscribe(old, () => {});
		if (fresh.length)
			this.#subscribe(fresh, () => {});
	}

	/** More filters for this connection; `first`: before those that wait. */
	ask(filters, first = false) {
		this.queue = first ? [...filters, ...this.queue] : [...this.queue, ...filters];
		this.#next();
	}

	#connected() {
		this.on.link("loading");
		this.asking = 0;
		this.loaded = false;
		this.queue = [];
		this.ask([...this.always, ...this.extra]);
	}

	#next() {
		while (this.client?.connected && this.asking < ASKING && this.queue.length) {
			this.asking++;
			this.#subscribe([this.queue.shift()], () => {
				this.asking--;
				this.#next();
			});
		}
		if (this.client?.connected && !this.asking)
			this.#wait();
	}

	#subscribe(filters, done) {
		const client = this.client;
		client.subscribe(filters, { qos: 0 }, (error, granted, packet) => {
			if (client !== this.client || !client.connected)
				return;
			if (error || (packet?.granted ?? []).some((code) => code >= 0x80))
				this.on.denied();
			done();
		});
	}

	/** Retained messages follow the last SUBACK; some brokers send them in portions. */
	#wait() {
		if (this.loaded)
			return;
		clearTimeout(this.quiet);
		this.quiet = setTimeout(() => {
			this.quiet = 0;
			this.loaded = !this.queue.length && !this.asking;
			if (this.loaded)
				this.on.link("online");
		}, QUIET_MS);
	}

	#message(topic, bytes, packet) {
		if (packet.retain && this.quiet)
			this.#wait();
		this.on.message(topic, bytes);
	}

	#failed(error) {
		const why = REFUSALS[error.code];
		if (!why)
			return;
		this.close();
		this.on.link("refused", why, error.code);
	}

	#closed() {
		clearTimeout(this.quiet);
		this.quiet = 0;
		this.on.link("lost", "", this.reason);
		this.reason = undefined;
	}
}
