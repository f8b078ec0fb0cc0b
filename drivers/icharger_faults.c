/* SPDX-License-Identifier: MIT */
/* icharger_faults.c -- the errors of iCharger battery chargers, for icharger.c
 *
 * In the order of the error index of register +56, from 2 to 36, as GNU DataExplorer lists them
 * (gde/device/junsi/modbus); then what has another index. How bad each is, is our judgement.
 */
#include "drivers/icharger_points.h"

/* clang-format off */
#define SUPPLY {"Проверьте блок питания и его провода", "Check the power supply and its leads"}
#define PACK {"Проверьте батарею и настройки программы", \
	"Check the battery and the program's settings"}
#define LEADS {"Проверьте силовой и балансировочный разъёмы", \
	"Check the main and the balance connectors"}
#define REPAIR {"Отключите батарею и питание; если повторится, сдайте зарядник в ремонт", \
	"Unplug battery and supply; if it comes back, have the charger repaired"}
#define HOT {"Подойдите к батарее, дайте остыть, проверьте обдув и ток", \
	"Go to the battery, let it cool, check airflow and current"}
#define DANGER {"Подойдите к батарее: она может быть перезаряжена или повреждена", \
	"Go to the battery: it may be overcharged or damaged"}
#define COUNT {"Сверьте число банок в программе и в батарее", \
	"Compare the number of cells in the program and in the battery"}
#define POLARITY {"Отключите батарею и проверьте полярность", \
	"Unplug the battery and check its polarity"}
#define WARM {"Дайте заряднику согреться", "Let the charger warm up"}
#define WAIT {"Дождитесь другого канала", "Wait for the other channel"}
#define DISPLAY {"Посмотрите на экран зарядника", "Look at the charger's display"}

#define FAULT(id, severity, ru, en, hint) {id, SEVERITY_##severity, {ru, en}, hint}

const struct driver_fault icharger_faults[] = {
	FAULT("input-over", ERROR, "Высокое напряжение питания", "Input voltage too high", SUPPLY),
	FAULT("input-low", WARNING, "Низкое напряжение питания", "Input voltage too low", SUPPLY),
	FAULT("output-over", ERROR, "Высокое напряжение на выходе", "Output voltage too high", LEADS),
	FAULT("battery-low", ERROR, "Низкое напряжение батареи", "Battery voltage too low", PACK),
	FAULT("battery-over", ERROR, "Высокое напряжение батареи", "Battery voltage too high", PACK),
	FAULT("output-current-over", ERROR, "Большой ток на выходе", "Output current too high", LEADS),
	FAULT("output-current-low", ERROR, "Малый ток на выходе", "Output current too low", LEADS),
	FAULT("input-current-over", ERROR, "Большой ток питания", "Input current too high", SUPPLY),
	FAULT("input-current-low", ERROR, "Малый ток питания", "Input current too low", SUPPLY),
	FAULT("temp-over", CRITICAL, "Зарядник перегрелся", "The charger is too hot", HOT),
	FAULT("temp-low", WARNING, "Зарядник слишком холодный", "The charger is too cold", WARM),
	FAULT("self-check", CRITICAL, "Самопроверка не прошла", "The self-check failed", REPAIR),
	FAULT("ground", CRITICAL, "Неисправность цепи земли", "Ground failure", REPAIR),
	FAULT("polarity", ERROR, "Батарея подключена наоборот",
		"The battery is connected the wrong way round", POLARITY),
	FAULT("control", CRITICAL, "Отказ управления зарядом", "The charge control failed", REPAIR),
	FAULT("time-limit", ERROR, "Превышено допустимое время", "The time limit was reached", PACK),
	FAULT("capacity-limit", CRITICAL, "Превышен допустимый заряд",
		"The capacity limit was exceeded", DANGER),
	FAULT("battery-temp", CRITICAL, "Температура батареи вышла за предел",
		"The battery is beyond its temperature limit", HOT),
	FAULT("no-current", WARNING, "Нет тока: батарея отключена",
		"No current: the battery is disconnected", LEADS),
	FAULT("balance-wiring", ERROR, "Балансировочные провода перепутаны",
		"The balance leads are miswired", LEADS),
	FAULT("cells-low", ERROR, "Низкое напряжение банки", "Cell voltage too low", PACK),
	FAULT("cells-over", CRITICAL, "Высокое напряжение банки", "Cell voltage too high", DANGER),
	FAULT("cells-below-pack", ERROR, "Сумма банок ниже напряжения батареи",
		"The cells add up to less than the battery voltage", LEADS),
	FAULT("cells-above-pack", ERROR, "Сумма банок выше напряжения батареи",
		"The cells add up to more than the battery voltage", LEADS),
	FAULT("cells-set", WARNING, "Число банок не то, что в программе",
		"Cell count differs from the program", COUNT),
	FAULT("cells-set-low", WARNING, "Банок меньше, чем в программе",
		"Fewer cells than in the program", COUNT),
	FAULT("cells-set-over", WARNING, "Банок больше, чем в программе",
		"More cells than in the program", COUNT),
	FAULT("balance-port", WARNING, "Неисправен балансировочный разъём",
		"Fault of the balance port", LEADS),
	FAULT("balance-missing", WARNING, "Балансировочный разъём не подключён",
		"The balance lead is not connected", LEADS),
	FAULT("cells-unknown", WARNING, "Число банок не определилось",
		"The cell count could not be detected", COUNT),
	FAULT("watchdog", CRITICAL, "Сработал сторожевой таймер зарядника",
		"The charger's watchdog tripped", REPAIR),
	FAULT("channels-unbalanced", ERROR, "Каналы в общем режиме разошлись",
		"Synchronous channels are unbalanced", LEADS),
	FAULT("discharge-no-load", ERROR, "Рекуперация: нет нагрузки",
		"Regenerative discharge: no load", SUPPLY),
	FAULT("channel-occupied", WARNING, "Другой канал занят", "The other channel is in use", WAIT),
	FAULT("discharge-capacity", ERROR, "Рекуперация: превышен допустимый заряд",
		"Regenerative discharge: capacity limit", SUPPLY),
	FAULT("unknown-error", ERROR, "Неизвестная ошибка", "Unknown error", DISPLAY),
};
/* clang-format on */

_Static_assert(
	sizeof(icharger_faults) / sizeof(icharger_faults[0]) == 36, "2 to 36, and the unknown");
