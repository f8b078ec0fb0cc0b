/* SPDX-License-Identifier: MIT */
/* profile.h -- a Modbus device as data: what config/profile.c fills in and plan.c and device.c use
 *
 * Immutable after loading and shared by all devices that use it. The loader owns all memory.
 */
#ifndef DRIVERS_PROFILE_H
#define DRIVERS_PROFILE_H

#include "drivers/driver.h"

enum reg_type {
	REG_BOOL,
	REG_U8H,
	REG_U8L,
	REG_U16,
	REG_S16,
	REG_U32,
	REG_S32,
	REG_U64,
	REG_S64,
	REG_F32,
	REG_F64,
	REG_BCD16,
	REG_BCD32,
	REG_STRING
};
/* Bytes on the wire: A is the most significant byte of a 32-bit value; for 64 bits the same rule
 * is repeated over the words (CDAB: least significant word first). */
enum reg_order { ORDER_ABCD, ORDER_CDAB, ORDER_BADC, ORDER_DCBA };
enum scale_mode { SCALE_FIXED, SCALE_POW10, SCALE_POW10NEG };
enum decode_rule { DECODE_NONE, DECODE_PF4Q };

struct enum_entry {
	uint64_t raw;
	const char *key;
	struct text text; /* may be empty */
};

struct reg_point {
	struct point point;
	enum table table;
	uint16_t address; /* 0-based */
	uint16_t count;   /* registers or bits, from type */
	enum reg_type type;
	enum reg_order order;
	uint8_t chars;        /* strings: characters per register, 1 or 2 */
	uint8_t shift, width; /* bits taken before scaling; width 0: all */
	uint8_t decimals;     /* of `scale`, for printing */
	enum decode_rule decode;
	double scale;  /* times the factor from the profile's unit to the published one */
	double offset; /* after scale, in the published unit */
	double factor; /* unit factor alone, for scale_from */
	int scale_from, sign_from, atomic_with; /* index of another point, or -1 */
	enum scale_mode scale_mode;
	bool has_range;
	double range_min, range_max; /* after scale, published unit */
	bool zero_is_na;
	bool enabled;
	uint64_t *raw_na, *raw_error, *raw_unsupported;
	size_t n_raw_na, n_raw_error, n_raw_unsupported;
	struct enum_entry *enums;
	size_t n_enums;
	bool counter, counter_reset; /* counts up; may be reset by the device */
	double wraps_at, max_step;   /* published unit; 0: none */
	double deadband;             /* published unit; < 0: none */
};

enum identify_kind { IDENTIFY_REGISTER, IDENTIFY_FC17, IDENTIFY_FC43 };

struct identify {
	enum identify_kind kind;
	struct reg_point reg; /* IDENTIFY_REGISTER: table, address, type, order */
	uint64_t *any_of;
	size_t n_any_of;
	uint8_t object;               /* IDENTIFY_FC43 */
	const char *contains, *regex; /* text rules; NULL: none */
};

struct exact_range { /* one request that must be made just so */
	unsigned group;
	enum table table;
	uint16_t start, count;
};

struct profile_link {
	int baud; /* 0: not said */
	char format[4];
	int unit;
	int tcp_port;
	int max_connections;
	bool check_unit;
	int response_timeout_ms, byte_timeout_ms, min_gap_ms, pause_after_connect_ms;
	int max_latency_ms; /* default 1000: how late an answer of this device can still come */
	bool wake;
	bool rtu, tcp; /* transports it was made for */
};

struct profile_limits {
	int max_regs, max_bits, align, max_hole;
	bool holes;
};

struct profile {
	const char *id;
	int revision;
	struct profile_link link;
	struct profile_limits limits;
	struct group *groups;
	size_t n_groups;
	bool *group_atomic; /* per group: one request or none */
	struct exact_range *exact;
	size_t n_exact;
	struct reg_point *points;
	size_t n_points;
	struct identify *identify;
	size_t n_identify;
};

#endif
