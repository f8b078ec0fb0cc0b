/* SPDX-License-Identifier: MIT */
/* grbl_codes.c -- what the alarm and error numbers of the three Grbl firmwares mean */
#include "drivers/grbl_codes.h"

#include <stdio.h>
#include <string.h>

/* The same advice for several alarms. */
#define HOME_AGAIN                                                                                 \
	{                                                                                          \
		"Освободите оси, сбросьте контроллер и выполните поиск нуля заново.",              \
			"Free the axes, reset the controller and home again."                      \
	}
#define CHECK_SWITCHES                                                                             \
	{                                                                                          \
		"Проверьте концевик этой оси, его провод и скорость поиска нуля.",                 \
			"Check the limit switch of that axis, its wiring and the homing speed."    \
	}
#define CHECK_PROBE                                                                                \
	{                                                                                          \
		"Проверьте щуп, его провод и зажим, затем повторите касание.",                     \
			"Check the probe, its wire and clip, then probe again."                    \
	}
#define CHECK_BOARD                                                                                \
	{                                                                                          \
		"Выключите и включите станок; если повторится, плата неисправна.",                 \
			"Power the machine off and on; if it comes back, the board is faulty."     \
	}

const struct driver_fault grbl_faults[GRBL_FAULTS] = {
	{"alarm-1", SEVERITY_ERROR,
		{"Сработал концевик во время движения, положение потеряно",
			"A limit switch was hit while moving, the position is lost"},
		HOME_AGAIN},
	{"alarm-2", SEVERITY_ERROR,
		{"Задание выходит за пределы поля, движение остановлено",
			"The job leaves the work area, motion was stopped"},
		{"Проверьте размер и начало задания; сбросьте контроллер.",
			"Check the size and origin of the job; reset the controller."}},
	{"alarm-3", SEVERITY_WARNING,
		{"Сброс во время движения, положение потеряно",
			"Reset while moving, the position is lost"},
		{"Выполните поиск нуля, прежде чем начинать задание снова.",
			"Home the machine before the job is started again."}},
	{"alarm-4", SEVERITY_WARNING,
		{"Щуп замкнут ещё до касания", "The probe was closed before it moved"},
		CHECK_PROBE},
	{"alarm-5", SEVERITY_WARNING,
		{"Щуп не коснулся детали", "The probe did not touch the workpiece"}, CHECK_PROBE},
	{"alarm-6", SEVERITY_ERROR,
		{"Поиск нуля прерван сбросом", "Homing was interrupted by a reset"}, HOME_AGAIN},
	{"alarm-7", SEVERITY_ERROR,
		{"Во время поиска нуля открыли дверцу", "The door was opened while homing"},
		{"Закройте дверцу и выполните поиск нуля заново.",
			"Close the door and home again."}},
	{"alarm-8", SEVERITY_ERROR,
		{"Поиск нуля: после отвода концевик не отпустил",
			"Homing: the limit switch stayed closed after the pull-off"},
		CHECK_SWITCHES},
	{"alarm-9", SEVERITY_ERROR,
		{"Поиск нуля: концевик не найден", "Homing: no limit switch was found"},
		CHECK_SWITCHES},
	{"alarm-10", SEVERITY_ERROR,
		{"Поиск нуля: второй концевик сдвоенной оси не найден",
			"Homing: the second switch of the dual axis was not found"},
		CHECK_SWITCHES},
	{"hal-alarm-10", SEVERITY_CRITICAL,
		{"Нажат аварийный стоп", "The emergency stop is pressed"},
		{"Устраните опасность, отпустите кнопку и сбросьте контроллер.",
			"Remove the danger, release the button and reset the controller."}},
	{"hal-alarm-11", SEVERITY_WARNING,
		{"Сначала нужен поиск нуля", "The machine has to be homed first"},
		{"Выполните поиск нуля.", "Home the machine."}},
	{"hal-alarm-12", SEVERITY_ERROR,
		{"Концевик нажат уже при включении", "A limit switch is closed at power-up"},
		{"Отведите ось от концевика или проверьте его провод.",
			"Move the axis off the switch, or check its wiring."}},
	{"hal-alarm-13", SEVERITY_ERROR, {"Сработала защита щупа", "The probe protection tripped"},
		CHECK_PROBE},
	{"hal-alarm-14", SEVERITY_ERROR, {"Неисправность шпинделя", "Spindle fault"},
		{"Проверьте шпиндель, его привод и кабель.",
			"Check the spindle, its drive and the cable."}},
	{"hal-alarm-15", SEVERITY_ERROR,
		{"Поиск нуля: портал не выровнялся", "Homing: the gantry could not be squared"},
		CHECK_SWITCHES},
	{"hal-alarm-16", SEVERITY_CRITICAL,
		{"Самопроверка при включении не пройдена", "The power-on self-test failed"},
		CHECK_BOARD},
	{"hal-alarm-17", SEVERITY_CRITICAL, {"Неисправность привода оси", "Motor fault"},
		{"Осмотрите механику, драйвер и мотор оси; затем сбросьте контроллер.",
			"Look at the axis, its driver and motor; then reset the controller."}},
	{"hal-alarm-18", SEVERITY_ERROR, {"Поиск нуля не удался", "Homing failed"}, CHECK_SWITCHES},
	{"hal-alarm-19", SEVERITY_ERROR,
		{"Привод шпинделя не отвечает по Modbus",
			"The spindle drive does not answer on Modbus"},
		{"Проверьте кабель, питание и адрес частотного привода.",
			"Check the cable, power and address of the spindle drive."}},
	{"hal-alarm-20", SEVERITY_CRITICAL,
		{"Отказ платы расширения входов-выходов", "The I/O expander failed"}, CHECK_BOARD},
	{"hal-alarm-21", SEVERITY_ERROR, {"Отказ памяти настроек", "The settings memory failed"},
		CHECK_BOARD},
	{"hal-alarm-22", SEVERITY_ERROR,
		{"Переполнение буфера приёма", "The receive buffer overflowed"},
		{"Проверьте программу, которая передаёт задание, и её протокол обмена.",
			"Check the program that sends the job and its flow control."}},
	{"fluidnc-alarm-10", SEVERITY_CRITICAL,
		{"Шпиндель или лазер не слушается управления",
			"The spindle or laser does not obey its control"},
		{"Убедитесь, что он выключен; проверьте его привод и кабель.",
			"Make sure that it is off; check its drive and cable."}},
	{"fluidnc-alarm-11", SEVERITY_WARNING,
		{"Вход управления активен уже при включении",
			"A control input is active at power-up"},
		{"Проверьте кнопки и их провода.", "Check the buttons and their wiring."}},
	{"fluidnc-alarm-12", SEVERITY_ERROR,
		{"Неясно, какой концевик нажат", "It is not clear which limit switch is closed"},
		{"Отведите оси от концевиков вручную.", "Move the axes off the switches by hand."}},
	{"fluidnc-alarm-13", SEVERITY_ERROR,
		{"Аварийная остановка станка", "The machine was stopped hard"}, HOME_AGAIN},
	{"fluidnc-alarm-14", SEVERITY_WARNING,
		{"Поиск нуля не выполнен", "The machine is not homed"},
		{"Выполните поиск нуля.", "Home the machine."}},
	{"fluidnc-alarm-15", SEVERITY_ERROR,
		{"Контроллер не запустился", "The controller did not start properly"}, CHECK_BOARD},
	{"fluidnc-alarm-16", SEVERITY_CRITICAL,
		{"Плата расширения перезапустилась", "The I/O expander restarted"}, CHECK_BOARD},
	{"fluidnc-alarm-17", SEVERITY_ERROR,
		{"Ошибка в программе задания", "The job contains a G-code error"},
		{"Проверьте файл задания и постпроцессор.",
			"Check the job file and the post-processor."}},
	{"fluidnc-alarm-18", SEVERITY_ERROR,
		{"Щуп упёрся во время движения", "The probe was hit while moving"}, CHECK_PROBE},
	{"alarm", SEVERITY_WARNING, {"Станок заблокирован", "The machine is locked"},
		{"Выполните поиск нуля или снимите блокировку на станке.",
			"Home the machine or unlock it at the machine."}},
	{"reset-in-job", SEVERITY_ERROR,
		{"Контроллер перезапустился во время задания",
			"The controller restarted during a job"},
		{"Проверьте питание и кабель; задание надо начать заново.",
			"Check power and cable; the job has to be started again."}},
	{"door-open", SEVERITY_WARNING, {"Дверца открыта", "The door is open"},
		{"Закройте дверцу и продолжите работу на станке.",
			"Close the door and resume at the machine."}},
	{"eeprom", SEVERITY_ERROR,
		{"Настройки потеряны, действуют заводские",
			"The settings are lost, defaults are in use"},
		{"Восстановите настройки осей, прежде чем двигать станок.",
			"Restore the axis settings before the machine is moved."}},
	{"limit-pin", SEVERITY_WARNING,
		{"Концевик нажат, хотя станок стоит", "A limit switch is closed at standstill"},
		{"Отведите ось от концевика или проверьте его провод.",
			"Move the axis off the switch, or check its wiring."}},
	{"config-alarm", SEVERITY_ERROR,
		{"Ошибка в файле настроек FluidNC", "The FluidNC configuration file is invalid"},
		{"Исправьте config.yaml; строки [MSG:ERR] при запуске называют место.",
			"Correct config.yaml; the [MSG:ERR] lines at start-up name the place."}},
	{"errors-burst", SEVERITY_WARNING,
		{"Станок отвергает команды одну за другой",
			"The machine rejects one command after another"},
		{"Похоже, файл не для этого станка: проверьте постпроцессор.",
			"The file is probably not for this machine: check the post-processor."}},
};

uint64_t
grbl_fault(const char *id)
{
	for (size_t i = 0; i < GRBL_FAULTS; i++) {
		if (strcmp(grbl_faults[i].id, id) == 0)
			return 1ull << i;
	}
	return 0;
}

uint64_t
grbl_alarm_fault(enum grbl_family family, int code)
{
	static const char *const prefixes[] = {
		[GRBL_UNKNOWN] = "unknown-", /* fits no id: above 9 it could be any of them */
		[GRBL_GNEA] = "",
		[GRBL_HAL] = "hal-",
		[GRBL_FLUIDNC] = "fluidnc-"};
	char id[32];
	uint64_t fault;

	snprintf(id, sizeof(id), "%salarm-%d", code <= 9 ? "" : prefixes[family], code);
	fault = grbl_fault(id);
	return fault ? fault : grbl_fault("alarm");
}

bool
grbl_alarm_locks(enum grbl_family family, int code)
{
	if (code == 1 || code == 2)
		return true;
	/* not knowing the firmware, its silence is believed rather than called a failure */
	return (family == GRBL_HAL || family == GRBL_UNKNOWN) &&
	       (code == 10 || code == 17 || code == 20);
}

/* GRBL_UNKNOWN: in all of them. */
static const struct {
	uint8_t family, code;
	const char *text;
} errors[] = {
	{GRBL_UNKNOWN, 1, "G-code word without a letter"},
	{GRBL_UNKNOWN, 2, "number missing or malformed"},
	{GRBL_UNKNOWN, 3, "unknown $ command"},
	{GRBL_UNKNOWN, 4, "negative value where none may be"},
	{GRBL_FLUIDNC, 5, "setting is disabled"},
	{GRBL_UNKNOWN, 5, "homing is switched off"},
	{GRBL_UNKNOWN, 6, "step pulse too short"},
	{GRBL_UNKNOWN, 7, "settings unreadable, defaults restored"},
	{GRBL_UNKNOWN, 8, "only allowed while idle"},
	{GRBL_UNKNOWN, 9, "locked by alarm or jog"},
	{GRBL_UNKNOWN, 10, "soft limits need homing"},
	{GRBL_UNKNOWN, 11, "line too long"},
	{GRBL_UNKNOWN, 12, "step rate too high"},
	{GRBL_UNKNOWN, 13, "door open"},
	{GRBL_UNKNOWN, 14, "build info or startup line too long"},
	{GRBL_UNKNOWN, 15, "jog leaves the work area"},
	{GRBL_UNKNOWN, 16, "malformed jog command"},
	{GRBL_UNKNOWN, 17, "laser mode needs a PWM output"},
	{GRBL_UNKNOWN, 20, "unsupported G-code"},
	{GRBL_UNKNOWN, 21, "two commands of one modal group"},
	{GRBL_UNKNOWN, 22, "feed rate not set"},
	{GRBL_UNKNOWN, 23, "command needs a whole number"},
	{GRBL_UNKNOWN, 24, "two commands want the axis words"},
	{GRBL_UNKNOWN, 25, "word given twice"},
	{GRBL_UNKNOWN, 26, "axis words missing"},
	{GRBL_UNKNOWN, 27, "bad line number"},
	{GRBL_UNKNOWN, 28, "a required value is missing"},
	{GRBL_UNKNOWN, 29, "work coordinate system unsupported"},
	{GRBL_UNKNOWN, 30, "G53 only with G0 or G1"},
	{GRBL_UNKNOWN, 31, "axis words without a command for them"},
	{GRBL_UNKNOWN, 32, "arc without a target in its plane"},
	{GRBL_UNKNOWN, 33, "invalid motion target"},
	{GRBL_UNKNOWN, 34, "arc radius impossible"},
	{GRBL_UNKNOWN, 35, "arc without centre offset in its plane"},
	{GRBL_UNKNOWN, 36, "unused words in the line"},
	{GRBL_UNKNOWN, 37, "tool length offset on the wrong axis"},
	{GRBL_GNEA, 38, "tool number too large"},
	{GRBL_HAL, 18, "reset asked for"},
	{GRBL_HAL, 19, "value must be above zero"},
	{GRBL_HAL, 38, "tool number too large"},
	{GRBL_HAL, 39, "value out of range"},
	{GRBL_HAL, 40, "tool change pending"},
	{GRBL_HAL, 41, "spindle not running"},
	{GRBL_HAL, 42, "illegal plane"},
	{GRBL_HAL, 43, "feed rate above the maximum"},
	{GRBL_HAL, 44, "spindle speed out of range"},
	{GRBL_HAL, 45, "limit switch engaged"},
	{GRBL_HAL, 46, "homing required"},
	{GRBL_HAL, 47, "tool error"},
	{GRBL_HAL, 48, "value word conflict"},
	{GRBL_HAL, 49, "power-on self-test failed"},
	{GRBL_HAL, 50, "emergency stop active"},
	{GRBL_HAL, 51, "motor fault"},
	{GRBL_HAL, 52, "setting out of range"},
	{GRBL_HAL, 53, "setting not available"},
	{GRBL_HAL, 54, "invalid retract position"},
	{GRBL_HAL, 55, "invalid homing configuration"},
	{GRBL_HAL, 56, "coordinate system locked"},
	{GRBL_HAL, 57, "unexpected file delimiter"},
	{GRBL_HAL, 58, "auxiliary port not available"},
	{GRBL_HAL, 60, "SD card cannot be mounted"},
	{GRBL_HAL, 61, "file cannot be read"},
	{GRBL_HAL, 62, "directory cannot be listed"},
	{GRBL_HAL, 63, "directory not found"},
	{GRBL_HAL, 64, "SD card not mounted"},
	{GRBL_HAL, 65, "file system not mounted"},
	{GRBL_HAL, 66, "file system is read-only"},
	{GRBL_HAL, 70, "Bluetooth did not start"},
	{GRBL_HAL, 71, "unknown operation in an expression"},
	{GRBL_HAL, 72, "division by zero in an expression"},
	{GRBL_HAL, 73, "argument of an expression too large"},
	{GRBL_HAL, 74, "argument of an expression invalid"},
	{GRBL_HAL, 75, "syntax error in an expression"},
	{GRBL_HAL, 76, "invalid result of an expression"},
	{GRBL_HAL, 77, "authentication required"},
	{GRBL_HAL, 78, "access denied"},
	{GRBL_HAL, 79, "not allowed during a critical event"},
	{GRBL_HAL, 80, "flow control outside a program"},
	{GRBL_HAL, 81, "flow control syntax error"},
	{GRBL_HAL, 82, "flow control nested too deeply"},
	{GRBL_HAL, 83, "flow control out of memory"},
	{GRBL_HAL, 84, "file cannot be opened"},
	{GRBL_HAL, 85, "formatting failed"},
	{GRBL_HAL, 86, "auxiliary port cannot be used so"},
	{GRBL_HAL, 87, "tool already in the spindle"},
	{GRBL_HAL, 88, "no tool in the spindle"},
	{GRBL_HAL, 89, "file cannot be deleted"},
	{GRBL_HAL, 90, "cutter compensation error"},
	{GRBL_HAL, 91, "cutter compensation error"},
	{GRBL_HAL, 92, "cutter compensation error"},
	{GRBL_HAL, 253, "error raised by the program itself"},
	{GRBL_FLUIDNC, 18, "no homing cycle configured"},
	{GRBL_FLUIDNC, 19, "single axis homing not allowed"},
	{GRBL_FLUIDNC, 38, "G-code value too large"},
	{GRBL_FLUIDNC, 39, "P value too large"},
	{GRBL_FLUIDNC, 40, "control input active at start"},
	{GRBL_FLUIDNC, 60, "SD card cannot be mounted"},
	{GRBL_FLUIDNC, 61, "file cannot be read"},
	{GRBL_FLUIDNC, 62, "directory cannot be opened"},
	{GRBL_FLUIDNC, 63, "directory not found"},
	{GRBL_FLUIDNC, 64, "file is empty"},
	{GRBL_FLUIDNC, 65, "file not found"},
	{GRBL_FLUIDNC, 66, "file cannot be opened"},
	{GRBL_FLUIDNC, 67, "file system busy"},
	{GRBL_FLUIDNC, 68, "directory cannot be deleted"},
	{GRBL_FLUIDNC, 69, "file cannot be deleted"},
	{GRBL_FLUIDNC, 70, "file cannot be renamed"},
	{GRBL_FLUIDNC, 80, "number out of range for the setting"},
	{GRBL_FLUIDNC, 81, "invalid value for the setting"},
	{GRBL_FLUIDNC, 82, "file cannot be created"},
	{GRBL_FLUIDNC, 83, "formatting failed"},
	{GRBL_FLUIDNC, 90, "message could not be sent"},
	{GRBL_FLUIDNC, 100, "setting could not be stored"},
	{GRBL_FLUIDNC, 101, "settings memory not readable"},
	{GRBL_FLUIDNC, 110, "authentication failed"},
	{GRBL_FLUIDNC, 111, "end of line"},
	{GRBL_FLUIDNC, 112, "end of file"},
	{GRBL_FLUIDNC, 113, "reset"},
	{GRBL_FLUIDNC, 114, "no data"},
	{GRBL_FLUIDNC, 120, "another interface is busy"},
	{GRBL_FLUIDNC, 130, "jog cancelled"},
	{GRBL_FLUIDNC, 150, "bad pin in the configuration"},
	{GRBL_FLUIDNC, 151, "bad runtime setting"},
	{GRBL_FLUIDNC, 152, "configuration invalid"},
	{GRBL_FLUIDNC, 160, "upload failed"},
	{GRBL_FLUIDNC, 161, "download failed"},
	{GRBL_FLUIDNC, 162, "setting is read-only"},
	{GRBL_FLUIDNC, 170, "error in an expression"},
	{GRBL_FLUIDNC, 171, "error in an expression"},
	{GRBL_FLUIDNC, 172, "error in an expression"},
	{GRBL_FLUIDNC, 173, "error in an expression"},
	{GRBL_FLUIDNC, 174, "error in an expression"},
	{GRBL_FLUIDNC, 175, "error in an expression"},
	{GRBL_FLUIDNC, 176, "error in flow control"},
	{GRBL_FLUIDNC, 177, "error in flow control"},
	{GRBL_FLUIDNC, 178, "error in flow control"},
	{GRBL_FLUIDNC, 179, "error in flow control"},
	{GRBL_FLUIDNC, 180, "parameter cannot be assigned"},
	{GRBL_FLUIDNC, 181, "invalid value of a word"},
};

const char *
grbl_error_text(enum grbl_family family, int code)
{
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		if (errors[i].code == code &&
			(errors[i].family == GRBL_UNKNOWN || errors[i].family == family))
			return errors[i].text;
	}
	return "see the firmware's list of errors";
}
