/* SPDX-License-Identifier: MIT */
/* fuzz_frame.c -- whatever a wire may say: frame search and decoding must survive it
 *
 * The first byte chooses RTU or TCP and the request; the rest is what arrives. A found answer must
 * lie inside the buffer; its registers are decoded as every type.
 */
#include "drivers/decode.h"
#include "drivers/frame.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
decode_all(const uint8_t *pdu, size_t len)
{
	uint16_t words[FRAME_PDU_MAX] = {0};
	char text[512];
	struct reg_point reg = {.table = TABLE_HOLDING,
		.count = 8,
		.chars = 2,
		.scale = 0.1,
		.factor = 1,
		.decimals = 1,
		.scale_from = -1,
		.sign_from = -1,
		.atomic_with = -1};
	struct profile profile = {.points = &reg, .n_points = 1};
	struct request req = {.table = TABLE_HOLDING, .count = 8};
	struct block block = {.profile = &profile, .req = &req, .words = words};

	memcpy(words, pdu, len < sizeof(words) ? len : sizeof(words));
	for (int type = REG_BOOL; type <= REG_STRING; type++) {
		for (int order = ORDER_ABCD; order <= ORDER_DCBA; order++) {
			struct text_room room = {.bytes = text, .cap = sizeof(text)};
			struct value v;
			char out[600];
			double num;

			reg.type = (enum reg_type)type;
			reg.order = (enum reg_order)order;
			decode_point(&block, 0, &room, &v);
			value_print(&v, out, sizeof(out));
			value_number(&v, &num);
		}
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t functions[] = {1, 2, 3, 4, 17, 43};
	uint8_t function, pdu[5], echo[FRAME_RTU_MAX];
	struct frame_want want;
	struct frame_at f;

	if (size < 2)
		return 0;
	function = functions[(data[0] >> 1) % 6];
	memcpy(pdu, (uint8_t[]){function, 0, 0, 0, 10}, sizeof(pdu));
	want = (struct frame_want){.unit = 1,
		.function = function,
		.expect = frame_expected(pdu, sizeof(pdu)),
		.echo = echo,
		.echo_len = frame_build_rtu(echo, 1, pdu, sizeof(pdu)),
		.check_unit = true,
		.transaction = 1};
	bool tcp = data[0] & 1;

	data++;
	size--;
	while (size > 0) {
		f = tcp ? frame_find_tcp(data, size, &want) : frame_find_rtu(data, size, &want);
		if (f.found == FRAME_NONE || f.found == FRAME_INVALID)
			break;
		assert(f.len > 0 && f.at + f.len <= size);
		if (f.found == FRAME_ANSWER) {
			assert(f.pdu + f.pdu_len <= size && f.pdu_len <= FRAME_PDU_MAX);
			assert((data[f.pdu] & 0x7F) == function);
			decode_all(data + f.pdu, f.pdu_len);
		}
		data += f.at + f.len;
		size -= f.at + f.len;
	}
	return 0;
}
