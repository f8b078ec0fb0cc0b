/* SPDX-License-Identifier: MIT */
/* alarm_words.c -- what the alarms that labpulse makes by itself say, in Russian and English */
#include "config/alarm_words.h"

#include <string.h>

/* a row is a code, a severity and four texts */
/* clang-format off */
static const struct alarm_words rows[] = {
	{"bus-<id>-down", SEVERITY_ERROR,
		{"Ни один прибор на этой шине не отвечает",
			"No device on this bus answers"},
		{"Проверьте то, что у приборов общее: адаптер USB–RS-485 или сетевой кабель, питание, линию A/B. Кто именно молчит и почему, покажет labpulse watch.",
			"Check what the devices have in common: the USB–RS-485 adapter or network cable, the power, the A/B line. labpulse watch tells which of them are silent, and why."}},
	{"<source>-silent", SEVERITY_ERROR,
		{"Прибор не отвечает больше минуты",
			"The device has not answered for more than a minute"},
		{"Проверьте его питание, кабель и адрес. Точная причина и что трогать — в hint этого источника: в state машины или в labpulse watch.",
			"Check its power, cable and address. The exact reason and what to touch are in this source's hint: in the machine's state, or in labpulse watch."}},
	{"identity", SEVERITY_ERROR,
		{"Эту машину уже ведёт другой шлюз",
			"Another gateway already holds this machine"},
		{"Одна машина задана в конфигурациях двух шлюзов парка: уберите её из одной из них или дайте машинам разные id. Если прежний шлюз заменён этим, остановите его.",
			"One machine is in the configurations of two gateways of the park: take it out of one of them, or give the machines different ids. If this gateway replaces the other, stop that one."}},
	{"config-refused", SEVERITY_WARNING,
		{"Новая конфигурация отклонена; работает прежняя",
			"The new configuration was refused; the old one goes on"},
		{"Выполните labpulse check, исправьте указанное и перезагрузите снова.",
			"Run labpulse check, mend what it names, reload again."}},
	{"mqtt311", SEVERITY_WARNING,
		{"Брокер понимает только MQTT 3.1.1: отказы в приёме сообщений не видны",
			"The broker speaks only MQTT 3.1.1: refused messages are not noticed"},
		{"Используйте брокер с MQTT 5 или осознанно задайте mqtt.protocol: 3.1.1.",
			"Use a broker with MQTT 5, or set mqtt.protocol to 3.1.1 knowingly."}},
	{"duplicate-client", SEVERITY_ERROR,
		{"Другой клиент подключается к брокеру под именем этого шлюза",
			"Another client connects to the broker by this gateway's name"},
		{"У двух шлюзов одинаковые park и gateway или одинаковый mqtt.client_id: они выбивают друг друга. Дайте им разные имена; если образ карты памяти скопирован, смените gateway в копии.",
			"Two gateways have the same park and gateway, or the same mqtt.client_id: each throws the other out. Give them different names; if a memory card was copied, change gateway in the copy."}},
	{"disk", SEVERITY_ERROR,
		{"Диск шлюза не принимает данные: замеченное сейчас может пропасть при отключении питания",
			"The gateway's disk takes no data: what is noticed now may be lost at a power cut"},
		{"Освободите место на диске шлюза (df -h), проверьте права на каталог spool.path и исправность карты памяти или диска (dmesg). Опрос и отправка продолжаются.",
			"Make room on the gateway's disk (df -h), check the permissions of the directory spool.path, and whether the memory card or disk is failing (dmesg). Polling and sending go on."}},
	{"spool-corrupt", SEVERITY_ERROR,
		{"База на диске шлюза была повреждена или новее этой версии; она отложена, начата новая",
			"A database on the gateway's disk was corrupt, or newer than this version; it was set aside and a new one begun"},
		{"Потерянное названо в gateways/<шлюз>/gap. Проверьте карту памяти или диск (dmesg). Отложенный файл *.corrupt-* или *.newer-* лежит в каталоге spool.path: скопируйте его, если он нужен, и удалите — тогда тревога закончится.",
			"What was lost is named in gateways/<gateway>/gap. Check the memory card or disk (dmesg). The file *.corrupt-* or *.newer-* is in the directory spool.path: copy it if you want it, then delete it; that ends the alarm."}},
	{"spool-full", SEVERITY_WARNING,
		{"Связи нет так долго, что места не хватает: самая старая телеметрия удаляется",
			"The broker has been away for so long that there is no room: the oldest telemetry goes"},
		{"Восстановите связь с брокером или увеличьте spool.max_size. События, задания и тревоги не теряются. Потерянные промежутки названы в gateways/<шлюз>/gap.",
			"Restore the connection to the broker, or raise spool.max_size. Events, jobs and alarms are not lost. The ranges that were lost are named in gateways/<gateway>/gap."}},
	{"dead-letter", SEVERITY_ERROR,
		{"Брокер окончательно отказался принять сообщение",
			"The broker refused a message for good"},
		{"labpulse spool покажет, какое и почему: обычно предел размера или правило темы на брокере. Исправьте его там; сообщение осталось в state.db (labpulse spool export --dead). Тревога закончится через час после последнего отказа.",
			"labpulse spool tells which and why: usually a size limit or a topic rule of the broker. Mend it there; the message is kept in state.db (labpulse spool export --dead). The alarm ends an hour after the last refusal."}},
	{"clock", SEVERITY_WARNING,
		{"Часы шлюза не установлены: время в данных может быть неверным",
			"The gateway's clock is not set: times in the data may be wrong"},
		{"Проверьте сеть до сервера времени и службу времени (timedatectl, chronyc tracking). Данные идут с пометкой unsynced; то, что ждёт отправки, получит верное время, когда часы установятся.",
			"Check the network to the time server, and the time service (timedatectl, chronyc tracking). Data say unsynced; what waits to be sent gets the right time when the clock is set."}},
	{"alarm-flood", SEVERITY_WARNING,
		{"Слишком много тревог сразу: часть некритических пока не объявлена",
			"Too many alarms at once: some that are not critical are not announced yet"},
		{"Ищите общую причину: питание, сеть, ошибку в порогах. Подавленные тревоги видны в своих темах с suppressed_by: \"flood\" и объявляются по одной каждые 10 с.",
			"Look for a common cause: power, network, a mistake in the limits. The alarms held back are in their topics with suppressed_by \"flood\"; one is announced every 10 s."}},
	{"test", SEVERITY_INFO,
		{"Это проверка: учебная тревога, вызванная человеком; с машиной всё в порядке",
			"This is a test: an alarm raised by a person on purpose; nothing is wrong with the machine"},
		{"Ничего делать не нужно: проверяется путь тревоги до людей, она закончится сама.",
			"Nothing to do: this tries the way of an alarm to people; it ends by itself."}},
};
/* clang-format on */

enum { N_ROWS = sizeof rows / sizeof rows[0] };

static bool
fits(const char *pattern, const char *code)
{
	const char *open = strchr(pattern, '<'), *close = open ? strchr(open, '>') : NULL;
	size_t len = strlen(code), lead = close ? (size_t)(open - pattern) : 0;
	size_t tail = close ? strlen(close + 1) : 0;

	if (!close)
		return strcmp(pattern, code) == 0;
	return len > lead + tail && strncmp(code, pattern, lead) == 0 &&
	       strcmp(code + len - tail, close + 1) == 0;
}

const struct alarm_words *
alarm_words_at(size_t i)
{
	return i < N_ROWS ? &rows[i] : NULL;
}

const struct alarm_words *
alarm_words_find(const char *code)
{
	for (size_t i = 0; i < N_ROWS; i++)
		if (fits(rows[i].code, code))
			return &rows[i];
	return NULL;
}
