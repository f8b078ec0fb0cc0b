/* SPDX-License-Identifier: MIT */
/* driver.h -- all that the author of a driver sees
 *
 * A driver is a constant description plus two or three functions that talk to one kind of
 * machine. It owns no thread, timer, socket or memory and has no writable statics: whatever
 * changes lives in struct device, which the core allocates. It may block only in the link calls
 * at the end of this file; each of them has a deadline and returns -ECANCELED while the daemon
 * stops. Every function returns 0 (or a count) or a negative errno; a driver does not log.
 */
#ifndef DRIVERS_DRIVER_H
#define DRIVERS_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct device;

/* Why a point has no value: the words of `errors` in a telemetry payload. */
enum fail {
	FAIL_NONE,
	FAIL_TIMEOUT,
	FAIL_CRC,
	FAIL_EXCEPTION, /* with the exception code beside it: "exception-N" */
	FAIL_UNSUPPORTED,
	FAIL_OUT_OF_RANGE,
	FAIL_NOT_AVAILABLE,
	FAIL_SENSOR_ERROR,
	FAIL_LINK_DOWN,
	FAIL_PROTOCOL,
	FAIL_STALE,
	FAIL_IN_USE,
	FAIL_PERMISSION,
	FAIL_IDENTITY,
	FAIL_AMBIGUOUS,
	FAIL_COUNT
};

enum value_kind {
	VALUE_NONE,   /* no value: `fail` says why */
	VALUE_BOOL,   /* u.b */
	VALUE_INT,    /* u.i, exact */
	VALUE_UINT,   /* u.u, exact, beyond INT64_MAX */
	VALUE_REAL,   /* u.num, printed with `decimals` decimals (a scaled integer) */
	VALUE_FLOAT,  /* u.num, printed as the shortest text that reads back as the same float32 */
	VALUE_DOUBLE, /* u.num, the same for a float64 */
	VALUE_ENUM,   /* u.s, a key of the profile; lives as long as the profile */
	VALUE_STRING  /* u.s, UTF-8, lives as long as the reading it came in */
};

struct value {
	uint8_t kind;      /* enum value_kind */
	uint8_t fail;      /* enum fail */
	uint8_t exception; /* Modbus exception code with FAIL_EXCEPTION */
	uint8_t decimals;  /* with VALUE_REAL: 0..15 */
	union {
		bool b;
		int64_t i;
		uint64_t u;
		double num;
		const char *s;
	} u;
};

/* The word of the contract for a fail, without an exception's number ("exception"). */
const char *fail_name(enum fail fail);
/* Writes it with the number ("exception-2"); returns buf. */
const char *fail_text(enum fail fail, unsigned exception, char *buf, size_t size);
/* Prints the value as JSON (without escaping needs for numbers; strings are quoted and escaped).
 * Returns the length, or 0 if it did not fit or there is no value. Any thread. */
size_t value_print(const struct value *v, char *buf, size_t size);
/* The value as a number for comparisons; false for strings, enums and missing values. */
bool value_number(const struct value *v, double *num);
/* Missing because this device, or this moment, does not have it: for an optional point no trouble.
 */
bool value_is_lacking(const struct value *v);

struct text {
	const char *ru, *en;
};

/* What a point is, whatever protocol brings it. Immutable. */
struct point {
	const char *id;    /* published name, ends in its unit: "power_w" */
	const char *unit;  /* published unit: "W"; "" for none */
	const char *class; /* of the class table, or NULL */
	struct text title;
	unsigned group; /* index into the groups of its profile or driver */
	bool optional;  /* missing is no fault */
	/* The rest is for points of a driver; a profile has its own words for it. */
	enum value_kind kind;     /* of its values; VALUE_NONE means VALUE_DOUBLE */
	const char *const *words; /* VALUE_ENUM: what it can be, NULL-ended */
	bool counter;             /* only grows, until the device resets it */
};

struct group {
	const char *id;
	int64_t period_ms; /* 0: once after each (re)connection */
	int priority;      /* 1 before 2 when both are due */
};

enum option_type { OPTION_STRING, OPTION_INT, OPTION_BOOL, OPTION_DURATION, OPTION_ENUM };

/* A key that a driver adds to a source; ends with { 0 }. */
struct driver_option {
	const char *name;
	enum option_type type;
	size_t offset; /* into the driver's options structure */
	const char *def;
	int64_t min, max;
	const char *const *words; /* OPTION_ENUM: NULL-ended */
	const char *doc;
};

enum link_kind { LINK_MODBUS, LINK_SERIAL, LINK_HID };

/* ---- what a machine is doing -------------------------------------------------------------- */

enum activity { ACTIVITY_UNKNOWN, ACTIVITY_OFF, ACTIVITY_IDLE, ACTIVITY_BUSY, ACTIVITY_PAUSED };
enum severity { SEVERITY_NONE, SEVERITY_INFO, SEVERITY_WARNING, SEVERITY_ERROR, SEVERITY_CRITICAL };
/* How a job ended, as far as the machine itself says. */
enum job_result { JOB_NONE, JOB_FINISHED, JOB_STOPPED, JOB_FAULT };

/* Something wrong that a driver recognises; people get it as the alarm <source>-<id>. */
struct driver_fault {
	const char *id; /* "thermal-runaway"; stable for ever */
	enum severity severity;
	struct text text, hint; /* both languages; the hint says what to look at */
};

enum { FAULTS_MAX = 64 };

/* What the driver makes of it all. */
struct status {
	enum activity activity;
	enum job_result result; /* of the last job; JOB_NONE: none yet, or one is running */
	double progress;        /* of the running job, 0..1; negative: not known */
	uint64_t faults;        /* bit i: faults[i] of the driver holds */
};

/* A message that a serial or HID driver may send, exactly so. Whatever is not in its table cannot
 * be sent: device_ask() takes the index. */
struct driver_query {
	const char *bytes;
	size_t len;
};
#define QUERY(literal)                                                                             \
	{                                                                                          \
		literal, sizeof(literal) - 1                                                       \
	}

struct driver {
	const char *name; /* as in `driver:` */
	const char *summary;
	enum link_kind link;
	bool needs_profile; /* points and groups come from a profile */
	const struct point *points;
	size_t n_points;
	const struct group *groups;
	size_t n_groups;
	const struct driver_fault *faults;
	size_t n_faults;                    /* at most FAULTS_MAX */
	const struct driver_query *queries; /* LINK_SERIAL, LINK_HID */
	size_t n_queries;
	int timeout_ms; /* where the source says nothing; 0: 500 */
	const struct driver_option *options;
	size_t options_size;
	size_t state_size; /* zeroed by the core, one per device */
	/* Identifies the device after the link came up. -ESTALE: another device. Optional. */
	int (*open)(struct device *dev);
	/* Reads one group and reports it. 0 if the device answered at all. */
	int (*poll)(struct device *dev, unsigned group);
	/* Takes what arrived between polls, without waiting (device_receive() with 0 ms, until it
	 * returns -ETIMEDOUT). More than 0: there is news, group 0 is polled at once. Optional. */
	int (*listen)(struct device *dev);
};

/* ---- what a driver may call; all on the thread of its bus -------------------------------- */

const void *device_options(const struct device *dev);
void *device_state(struct device *dev);
/* Gives the value of point `point` (its index in driver or profile) of the running poll. */
void device_report(struct device *dev, unsigned point, const struct value *value);
/* The same for a point that could not be read. */
void device_report_fail(struct device *dev, unsigned point, enum fail fail, unsigned exception);

/* Short forms of it. `decimals`: as many as the device has; `word`: one of the point's words. */
void device_report_int(struct device *dev, unsigned point, int64_t v);
void device_report_real(struct device *dev, unsigned point, double v, unsigned decimals);
void device_report_bool(struct device *dev, unsigned point, bool v);
void device_report_word(struct device *dev, unsigned point, const char *word);
/* Text that the device supplied: what is printable of it, kept as long as the reading. */
void device_report_text(struct device *dev, unsigned point, const char *text);
/* What the machine is doing now; goes out with this poll and all later ones until it is said
 * anew. Before the first call: ACTIVITY_UNKNOWN, no faults. */
void device_set_status(struct device *dev, const struct status *status);
/* What the running or last job is called, "" none: text that a person's file supplies, cut at 95
 * bytes. It goes nowhere but into `job` messages, and only if the machine's configuration says so
 * (`publish: {job_names: true}`). Stays until it is said anew. */
void device_set_job_name(struct device *dev, const char *name);
/* Who the device is, "Ender-3"; to be set in `open`. Another one than last time is not polled
 * until a person accepts it. No serial line noise, no version that an update changes. */
void device_set_identity(struct device *dev, const char *identity);
/* The source's `timeout`, or the driver's. */
int device_timeout_ms(const struct device *dev);
/* Milliseconds that only grow. */
int64_t device_now_ms(const struct device *dev);
/* `on_open: resets`: opening the port has just restarted the board. */
bool device_was_reset(const struct device *dev);

/* ---- serial and HID ------------------------------------------------------------------------ */

/* Sends queries[query] of the driver. 0 or -errno. */
int device_ask(struct device *dev, unsigned query);
/* The next thing the device says: a line (without its end, NUL-terminated, control characters left
 * out; what is longer than 4095 characters is dropped whole) or a HID report. The length (a line's
 * is never 0), -ETIMEDOUT, -EIO / -ENODEV … (unplugged), -ECANCELED. */
int device_receive(struct device *dev, void *buf, size_t size, int timeout_ms);
/* Throws away what has already arrived: before a question whose answer cannot be told from an
 * older one. */
int device_drain(struct device *dev);

/* ---- Modbus ------------------------------------------------------------------------------- */

/* Registers: the requests that the plan wants in this poll, one after the other. */
enum table { TABLE_COIL, TABLE_DISCRETE, TABLE_HOLDING, TABLE_INPUT };

struct request {
	enum table table;
	uint16_t address, count; /* on the wire, 0-based */
	unsigned index;          /* of the plan; opaque */
};

/* The next request of this poll; false when there is none left. */
bool device_request(struct device *dev, unsigned group, struct request *req);
/* Its answer: one word per register, or 0/1 per bit. Decodes and reports the points in it. */
void device_answer(struct device *dev, const struct request *req, const uint16_t *words);
/* It failed: reports its points so, and for exceptions 2 and 3 re-plans. `rc` is the -errno of
 * the transaction, `exception` the code of a Modbus exception or 0. */
void device_refuse(struct device *dev, const struct request *req, int rc, unsigned exception);

/* One transaction: sends `req` (function code and data) to this device's unit and returns the
 * length of the answer in `rsp` (>= 1; an exception answer is an answer), or -ETIMEDOUT, -EBADMSG
 * (broken frame), -EPROTO, -EIO / -ENODEV / -ECONNRESET … (link), -ECANCELED. */
int device_transact(struct device *dev, const uint8_t *req, size_t len, uint8_t *rsp, size_t cap);
/* Before the same request is sent once more: counts it and lets `pause_ms` pass. False if it must
 * not be repeated now: the link is closed or being stopped, or the unit has to be left alone. */
bool device_retry(struct device *dev, int pause_ms);

#endif
