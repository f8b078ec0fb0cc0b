/* SPDX-License-Identifier: MIT */
/* hint.c -- what to touch when a source does not answer, in Russian and English
 *
 * A text is a row of a table. In it {unit} {place} {holder} {detail} {n} {point} {range} {profile}
 * {peek} stand for the facts; what does not apply to a row is simply not named there.
 */
#include "config/hint.h"

#include <stdio.h>
#include <string.h>

enum wire { WIRE_ANY, WIRE_RTU, WIRE_TCP, WIRE_USB /* HID as well */, WIRE_HID };

struct row {
	uint8_t fail;
	uint8_t wire;
	uint8_t exception; /* 0: any */
	struct text text;
};

/* a row is its key and two texts */
/* clang-format off */
static const struct row rows[] = {
	{FAIL_TIMEOUT, WIRE_RTU, 0,
		{"Нет ответа от устройства {unit} на {place}: проверьте его питание и адрес, скорость и чётность, линию A/B и терминатор.",
			"No answer from unit {unit} on {place}: check its power and address, speed and parity, the A/B wires and the terminator."}},
	{FAIL_TIMEOUT, WIRE_TCP, 0,
		{"Устройство {unit} за {place} не отвечает: соединение есть, проверьте номер устройства (unit) и нагрузку на прибор или шлюз.",
			"Unit {unit} behind {place} does not answer although the connection stands: check the unit number, and whether device or gateway is overloaded."}},
	{FAIL_TIMEOUT, WIRE_HID, 0,
		{"{place} не отвечает: проверьте кабель USB и питание прибора; в iCharger включите Modbus через USB HID (System → Communication).",
			"{place} does not answer: check the USB cable and the device's power; an iCharger must have Modbus over USB HID switched on (System → Communication)."}},
	{FAIL_TIMEOUT, WIRE_USB, 0,
		{"{place} не отвечает: проверьте кабель USB, питание прибора и скорость порта.",
			"{place} does not answer: check the USB cable, the device's power and the port speed."}},
	{FAIL_CRC, WIRE_RTU, 0,
		{"Повреждённые кадры от устройства {unit} на {place}: проверьте экран и общий провод, терминаторы на концах, чётность, нет ли второго устройства с тем же адресом.",
			"Damaged frames from unit {unit} on {place}: check shield and common wire, terminators at both ends, the parity, and that no second device has this address."}},
	{FAIL_CRC, WIRE_TCP, 0,
		{"Испорченные ответы от устройства {unit} за {place}: проверьте шлюз или прибор (перезапустите его, обновите прошивку) и линию за шлюзом.",
			"Broken answers from unit {unit} behind {place}: check the gateway or device (restart it, update its firmware) and the line behind the gateway."}},
	{FAIL_CRC, WIRE_ANY, 0,
		{"Повреждённые данные от {place}: проверьте кабель и источник помех рядом с ним.",
			"Damaged data from {place}: check the cable and what disturbs it nearby."}},
	{FAIL_EXCEPTION, WIRE_ANY, 1,
		{"Устройство {unit} на {place} не знает функции, которой читают {point} (исключение 1): вероятно, не тот профиль ({profile}) или не тот прибор на этом адресе.",
			"Unit {unit} on {place} does not know the function that reads {point} (exception 1): probably the wrong profile ({profile}), or another device at this address."}},
	{FAIL_EXCEPTION, WIRE_ANY, 2,
		{"У устройства {unit} на {place} нет {point} (исключение 2): сверьте профиль {profile} с моделью и версией прибора (`{peek}`).",
			"Unit {unit} on {place} does not have {point} (exception 2): compare the profile {profile} with model and firmware of the device (`{peek}`)."}},
	{FAIL_EXCEPTION, WIRE_ANY, 3,
		{"Устройство {unit} на {place} отвергает длину запроса {point} (исключение 3): уменьшите limits.max_regs в профиле {profile}.",
			"Unit {unit} on {place} refuses the length of the request for {point} (exception 3): lower limits.max_regs in the profile {profile}."}},
	{FAIL_EXCEPTION, WIRE_ANY, 4,
		{"Устройство {unit} на {place} сообщает о собственной неисправности (исключение 4): посмотрите на его дисплей, перезапустите его питанием.",
			"Unit {unit} on {place} reports a failure of its own (exception 4): look at its display, switch it off and on."}},
	{FAIL_EXCEPTION, WIRE_ANY, 5,
		{"Устройство {unit} на {place} занято долгой операцией (исключение 5): подождите; если это не проходит, увеличьте interval.",
			"Unit {unit} on {place} is busy with a long operation (exception 5): wait; if it stays so, raise `interval`."}},
	{FAIL_EXCEPTION, WIRE_ANY, 6,
		{"Устройство {unit} на {place} занято (исключение 6): опрашивайте его реже (interval) и проверьте, не опрашивает ли его ещё кто-то.",
			"Unit {unit} on {place} is busy (exception 6): poll it less often (`interval`), and check whether somebody else polls it."}},
	{FAIL_EXCEPTION, WIRE_ANY, 7,
		{"Устройство {unit} на {place} не может выполнить запрос (исключение 7): проверьте его режим работы и настройки.",
			"Unit {unit} on {place} cannot do what was asked (exception 7): check its mode of operation and its settings."}},
	{FAIL_EXCEPTION, WIRE_ANY, 8,
		{"Ошибка памяти в устройстве {unit} на {place} (исключение 8): перезапустите его питанием, при повторении замените.",
			"Memory error in unit {unit} on {place} (exception 8): switch it off and on; replace it if that comes back."}},
	{FAIL_EXCEPTION, WIRE_ANY, 10,
		{"Шлюз {place} не может передать запрос устройству {unit} (исключение 10): проверьте настройки его последовательного порта.",
			"Gateway {place} has no path to unit {unit} (exception 10): check the settings of its serial port."}},
	{FAIL_EXCEPTION, WIRE_ANY, 11,
		{"Шлюз {place} не получает ответа от устройства {unit} (исключение 11): проверьте питание, адрес и линию за шлюзом.",
			"Gateway {place} gets no answer from unit {unit} (exception 11): check power, address and wiring behind the gateway."}},
	{FAIL_EXCEPTION, WIRE_ANY, 0,
		{"Устройство {unit} на {place} отвечает исключением {n}: смысл этого кода ищите в документации прибора.",
			"Unit {unit} on {place} answers with exception {n}: see the device's manual for its meaning."}},
	{FAIL_UNSUPPORTED, WIRE_USB, 0,
		{"{place} не имеет {point}: у этой модели или прошивки такой величины нет; её можно убрать из points источника.",
			"{place} does not have {point}: this model or its firmware lacks it; it may be left out of the source's `points`."}},
	{FAIL_UNSUPPORTED, WIRE_ANY, 0,
		{"Устройство {unit} на {place} не поддерживает {point}: уберите эту величину из points источника или выберите профиль этой модели вместо {profile}; проверить: `{peek}`.",
			"Unit {unit} on {place} does not have {point}: leave it out of the source's `points`, or choose the profile of this model instead of {profile}; to try it: `{peek}`."}},
	{FAIL_OUT_OF_RANGE, WIRE_USB, 0,
		{"{place} прислал для {point} то, чего драйвер не знает: возможно, прошивка новее; сообщите о её версии.",
			"What {place} says for {point} is not known to the driver: its firmware may be newer; please report its version."}},
	{FAIL_OUT_OF_RANGE, WIRE_ANY, 0,
		{"Устройство {unit} на {place} даёт для {point} значение вне пределов {range}: проверьте датчик и профиль {profile} (тип, порядок слов, масштаб, range); проверить: `{peek}`.",
			"What unit {unit} on {place} says for {point} is out of range {range}: check the sensor, and type, word order, scale and range in the profile {profile}; to see it: `{peek}`."}},
	{FAIL_NOT_AVAILABLE, WIRE_USB, 0,
		{"{place} сейчас не даёт {point}: обычно это значит, что задания нет или датчик не подключён.",
			"{place} has no {point} now: usually there is no job, or nothing is connected to that sensor."}},
	{FAIL_NOT_AVAILABLE, WIRE_ANY, 0,
		{"Устройство {unit} на {place} сейчас не даёт {point}: так бывает сразу после включения или без нагрузки; если это не проходит, проверьте, подключён ли вход.",
			"Unit {unit} on {place} has no {point} now: usual right after power-up or without load; if it stays so, check whether that input is connected."}},
	{FAIL_SENSOR_ERROR, WIRE_USB, 0,
		{"{place} сообщает невозможное значение {point}: проверьте датчик (термистор), его провода и разъём.",
			"{place} reports an impossible {point}: check the sensor (thermistor), its wires and its plug."}},
	{FAIL_SENSOR_ERROR, WIRE_ANY, 0,
		{"Устройство {unit} на {place} сообщает об ошибке датчика {point}: проверьте сам датчик и его провода.",
			"Unit {unit} on {place} reports a sensor fault at {point}: check the sensor itself and its wires."}},
	{FAIL_LINK_DOWN, WIRE_RTU, 0,
		{"Порта {place} нет: вставьте адаптер USB–RS-485 и проверьте имя порта в конфигурации (ls /dev/serial/by-id).",
			"The port {place} is not there: plug in the USB–RS-485 adapter, and check the port's name in the configuration (ls /dev/serial/by-id)."}},
	{FAIL_LINK_DOWN, WIRE_TCP, 0,
		{"Нет соединения с {place}: проверьте питание прибора, сетевой кабель, адрес и включён ли в нём Modbus TCP.",
			"No connection to {place}: check the device's power, network cable and address, and that Modbus TCP is enabled in it."}},
	{FAIL_LINK_DOWN, WIRE_USB, 0,
		{"{place} не подключено: проверьте кабель USB и включён ли прибор.",
			"{place} is not plugged in: check the USB cable and whether the device is switched on."}},
	{FAIL_PROTOCOL, WIRE_RTU, 0,
		{"Устройство {unit} на {place} отвечает не по протоколу: проверьте, что на адресе один прибор, а адаптер не возвращает эхо.",
			"Unit {unit} on {place} answers against the protocol: check that only one device has this address and that the adapter does not echo."}},
	{FAIL_PROTOCOL, WIRE_USB, 0,
		{"{place} отвечает не так, как этот вид машин: проверьте driver и baud источника и что подключён именно этот прибор.",
			"{place} does not answer as such a machine does: check the source's `driver` and `baud`, and that it is the right device."}},
	{FAIL_PROTOCOL, WIRE_ANY, 0,
		{"{place} отвечает не по протоколу: проверьте, что это тот прибор, и порт его Modbus TCP (не RTU через TCP).",
			"{place} answers against the protocol: check that it is the right device, and that the port speaks Modbus TCP (not RTU over TCP)."}},
	{FAIL_STALE, WIRE_USB, 0,
		{"Свежих данных от {place} нет: опрос только что начат, или машина занята и пока не отвечает.",
			"There is nothing fresh from {place}: polling has just begun, or the machine is busy and does not answer yet."}},
	{FAIL_STALE, WIRE_ANY, 0,
		{"Свежих данных устройства {unit} на {place} нет: опрос только что начат, или линия перегружена (`labpulse check` покажет загрузку).",
			"There is nothing fresh from unit {unit} on {place}: polling has just begun, or the line is overloaded (`labpulse check` shows its load)."}},
	{FAIL_IN_USE, WIRE_TCP, 0,
		{"{place} занят другой программой {holder}: прибор держит мало соединений, закройте лишнюю программу опроса.",
			"{place} is taken by another program {holder}: the device bears few connections; stop the other poller."}},
	{FAIL_IN_USE, WIRE_ANY, 0,
		{"Порт {place} занят программой {holder}: остановите её или выберите другой порт.",
			"The port {place} is held by {holder}: stop that program or choose another port."}},
	{FAIL_PERMISSION, WIRE_TCP, 0,
		{"Нет прав на соединение с {place}: проверьте межсетевой экран и ограничения службы labpulsed.",
			"No permission to connect to {place}: check the firewall and the restrictions of the labpulsed service."}},
	{FAIL_PERMISSION, WIRE_HID, 0,
		{"Нет прав на {place}: установите правила udev 70-labpulse.rules (или дайте группе labpulse доступ к узлу hidraw) и подключите прибор заново.",
			"No permission for {place}: install the udev rules 70-labpulse.rules (or give the group labpulse access to the hidraw node), then plug the device in again."}},
	{FAIL_PERMISSION, WIRE_ANY, 0,
		{"Нет прав на {place}: добавьте пользователя службы в группу dialout и перезапустите labpulsed.",
			"No permission for {place}: add the service's user to the group dialout and restart labpulsed."}},
	{FAIL_IDENTITY, WIRE_USB, 0,
		{"На {place} подключено другое устройство {detail}, чем раньше: верните прежнее; если его заменили намеренно, выполните labpulse accept {source}.",
			"Another device {detail} than before is plugged in at {place}: put the old one back; if it was replaced on purpose, run labpulse accept {source}."}},
	{FAIL_IDENTITY, WIRE_ANY, 0,
		{"На адресе {unit} на {place} другой прибор {detail}, чем ждёт профиль {profile}: проверьте адрес; если прибор заменили намеренно, выполните labpulse accept {source}, а для другой модели выберите её профиль.",
			"Unit {unit} on {place} is another device {detail} than the profile {profile} expects: check its address; if it was replaced on purpose, run labpulse accept {source}, and for another model choose its profile."}},
	{FAIL_AMBIGUOUS, WIRE_ANY, 0,
		{"Под описание {place} подходят несколько подключённых устройств {detail}: укажите серийный номер или порт (usb-port:…).",
			"Several plugged-in devices match {place} {detail}: name the serial number or the port (usb-port:…)."}},
};
/* clang-format on */

enum { N_ROWS = sizeof rows / sizeof rows[0], PLACE_SIZE = 320 };

static enum wire
wire_of(const struct hint_facts *f)
{
	static const enum wire wires[] = {[BUS_MODBUS_RTU] = WIRE_RTU,
		[BUS_MODBUS_TCP] = WIRE_TCP,
		[BUS_SERIAL] = WIRE_USB,
		[BUS_HID] = WIRE_HID};

	if (f->bus)
		return wires[f->bus->type];
	return f->source && f->source->device ? WIRE_USB : WIRE_ANY;
}

static bool
fits(const struct row *row, const struct hint_facts *f, enum wire wire)
{
	bool same = row->wire == wire || (row->wire == WIRE_USB && wire == WIRE_HID);

	return row->fail == f->fail && (row->wire == WIRE_ANY || same) &&
	       (row->exception == 0 || row->exception == f->exception);
}

/* The most exact rows come first. */
static const struct row *
find_row(const struct hint_facts *f)
{
	enum wire wire = wire_of(f);

	for (size_t i = 0; i < N_ROWS; i++)
		if (fits(&rows[i], f, wire))
			return &rows[i];
	for (size_t i = 0; i < N_ROWS; i++) /* a fail that is odd on this wire: any text of it */
		if (rows[i].fail == f->fail)
			return &rows[i];
	return NULL;
}

static void
write_place(char *buf, size_t size, const struct hint_facts *f)
{
	const struct bus_config *bus = f->bus;

	if (bus && bus->type != BUS_MODBUS_TCP)
		snprintf(buf, size, "%s", bus->device ? bus->device : bus->id);
	else if (bus)
		snprintf(buf, size, "%s:%d", bus->host ? bus->host : bus->id, bus->port);
	else
		snprintf(buf, size, "%s", f->source && f->source->device ? f->source->device : "?");
}

struct facts_text {
	char unit[16], place[PLACE_SIZE], n[16], holder[160], detail[160];
	char point[96], range[64], profile[64], peek[128], source[80];
};

static const char *
fact(const struct facts_text *t, const char *name, size_t len)
{
	const struct {
		const char *name, *value;
	} facts[] = {{"unit", t->unit}, {"place", t->place}, {"n", t->n}, {"holder", t->holder},
		{"detail", t->detail}, {"point", t->point}, {"range", t->range},
		{"profile", t->profile}, {"peek", t->peek}, {"source", t->source}};

	for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++)
		if (strlen(facts[i].name) == len && !memcmp(facts[i].name, name, len))
			return facts[i].value;
	return "";
}

/* Cuts at a character's border, so that the text stays UTF-8. */
static void
append(char *buf, size_t size, size_t *len, const char *s, size_t n)
{
	size_t room = size - 1 - *len;

	if (n > room) {
		n = room;
		while (n > 0 && ((unsigned char)s[n] & 0xC0) == 0x80)
			n--;
	}
	memcpy(buf + *len, s, n);
	*len += n;
}

static void
expand(char *buf, size_t size, const char *template, const struct facts_text *facts)
{
	size_t len = 0;

	for (const char *p = template; *p;) {
		const char *open = strchr(p, '{'), *close = open ? strchr(open, '}') : NULL;
		if (!close) {
			append(buf, size, &len, p, strlen(p));
			break;
		}
		const char *value = fact(facts, open + 1, (size_t)(close - open - 1));
		size_t lead = (size_t)(open - p);
		if (!*value && lead && p[lead - 1] == ' ') /* no fact: no gap either */
			lead--;
		append(buf, size, &len, p, lead);
		append(buf, size, &len, value, strlen(value));
		p = close + 1;
	}
	buf[len] = '\0';
}

/* What is known of the source: its unit and profile. */
static void
write_source(struct facts_text *t, const struct hint_facts *f)
{
	const struct source_config *s = f->source;

	snprintf(t->source, sizeof t->source, "%s/%s", f->machine ? f->machine : "MACHINE",
		s && s->id ? s->id : "SOURCE");
	snprintf(t->unit, sizeof t->unit, "?");
	if (s)
		snprintf(t->unit, sizeof t->unit, "%d", s->unit);
	snprintf(t->profile, sizeof t->profile, "%s", s && s->profile ? s->profile->regs.id : "");
}

/* The point with its register, and how to look at it: "power_w (input 12)". */
static void
write_point(struct facts_text *t, const struct hint_facts *f, enum language language)
{
	static const char *const tables[] = {"coil", "discrete", "holding", "input"};
	static const struct text any = {"эту величину", "this value"};
	const struct reg_point *p = f->point;

	t->range[0] = '\0';
	snprintf(t->point, sizeof t->point, "%s", config_text(&any, language));
	snprintf(t->peek, sizeof t->peek, "labpulse peek");
	if (!p)
		return;
	if (f->source && f->source->device) { /* no register to look at */
		snprintf(t->point, sizeof t->point, "%s", p->point.id);
		return;
	}
	snprintf(
		t->point, sizeof t->point, "%s (%s %u)", p->point.id, tables[p->table], p->address);
	if (f->bus)
		snprintf(t->peek, sizeof t->peek, "labpulse peek %s %s %s %u %u", f->bus->id,
			t->unit, tables[p->table], p->address, p->count);
	if (p->has_range)
		snprintf(t->range, sizeof t->range, "%g…%g", p->range_min, p->range_max);
}

void
hint_write(char *buf, size_t size, enum language language, const struct hint_facts *facts)
{
	const struct row *row = find_row(facts);
	const char *unknown =
		language == LANGUAGE_RU ? "(владелец неизвестен)" : "(holder not known)";
	struct facts_text t;

	if (size == 0)
		return;
	buf[0] = '\0';
	if (!row)
		return;
	write_source(&t, facts);
	write_point(&t, facts, language);
	write_place(t.place, sizeof t.place, facts);
	snprintf(t.n, sizeof t.n, "%u", facts->exception);
	snprintf(t.holder, sizeof t.holder, "%s",
		facts->holder && facts->holder[0] ? facts->holder : unknown);
	snprintf(t.detail, sizeof t.detail, "%s%s%s", facts->detail && facts->detail[0] ? "(" : "",
		facts->detail ? facts->detail : "", facts->detail && facts->detail[0] ? ")" : "");
	expand(buf, size, config_text(&row->text, language), &t);
}
