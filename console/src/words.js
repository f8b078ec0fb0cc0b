// SPDX-License-Identifier: MIT
// Texts, numbers and times in Russian and English.

const TEXTS = {
	// connection
	connecting: ["Подключение…", "Connecting…"],
	loading: ["Загрузка…", "Loading…"],
	online: ["На связи", "Connected"],
	lost: ["Нет связи с брокером", "No connection to the broker"],
	lostLong: ["Нет связи с брокером: показано то, что было известно. Подключение повторяется.",
		"No connection to the broker: what you see is what was known. Trying again."],
	refused: ["Брокер отказал", "The broker refuses"],
	password: ["Брокер отказал: неверное имя пользователя или пароль.", "The broker refuses: wrong user name or password."],
	denied: ["Брокер отказал: неверное имя пользователя или пароль, или ему нельзя подключаться.",
		"The broker refuses: wrong user name or password, or this user may not connect."],
	anonymous: ["Брокер требует имя пользователя и пароль.", "The broker wants a user name and a password."],
	banned: ["Брокер отказал: этот клиент заблокирован.", "The broker refuses: this client is banned."],
	address: ["Такой адрес открыть нельзя: нужен ws:// или wss://, без имени и пароля внутри.",
		"Such an address cannot be opened: it takes ws:// or wss://, without a name or password in it."],
	deniedTopics: ["Брокер не разрешает этому пользователю читать часть тем.", "The broker does not let this user read some of the topics."],
	never: ["Брокер не отвечает: проверьте адрес и сеть. Подключение повторяется.",
		"The broker does not answer: check address and network. Trying again."],
	broker: ["Адрес брокера", "Broker address"],
	username: ["Пользователь", "User"],
	passwordField: ["Пароль", "Password"],
	root: ["Корень тем", "Topic root"],
	connect: ["Подключиться", "Connect"],
	settings: ["Подключение", "Connection"],
	close: ["Закрыть", "Close"],
	// places
	parks: ["Лаборатории", "Parks"],
	machines: ["Машины", "Machines"],
	gateways: ["Шлюзы", "Gateways"],
	park: ["Лаборатория", "Park"],
	machine: ["Машина", "Machine"],
	state: ["Состояние", "State"],
	search: ["Поиск (/)", "Search (/)"],
	clear: ["Показать все", "Show all"],
	nothing: ["Ничего не найдено", "Nothing found"],
	empty: ["Брокер ничего не знает ни об одной лаборатории.", "The broker knows of no park."],
	gone: ["Этого здесь больше нет.", "This is not here any more."],
	trouble: ["Что не так", "Trouble"],
	last: ["Последнее сообщение", "Last message"],
	howLong: ["Как давно", "For"],
	job: ["Работа", "Job"],
	values: ["Показания", "Values"],
	// states and severities
	fault: ["авария", "fault"], offline: ["нет связи", "offline"], unknown: ["неизвестно", "unknown"],
	busy: ["работает", "busy"], paused: ["пауза", "paused"], idle: ["простаивает", "idle"], off: ["выключена", "off"],
	critical: ["критично", "critical"], error: ["ошибка", "error"], warning: ["внимание", "warning"], info: ["сведения", "info"],
	gatewaysOffline: ["шлюзов нет на связи", "gateways offline"],
	gatewayOnline: ["на связи", "online"],
	ok: ["исправен", "ok"],
	// one machine
	alarms: ["Тревоги", "Alarms"],
	noAlarms: ["Тревог нет.", "No alarms."],
	since: ["с", "since"],
	cleared: ["прошла", "cleared"],
	acked: ["принята", "acknowledged"],
	suppressed: ["подавлена", "suppressed"],
	stale: ["данные устарели", "stale"],
	flapping: ["дребезжит", "flapping"],
	maintenance: ["Обслуживание", "Maintenance"],
	until: ["до", "until"],
	reason: ["Почему", "Why"],
	asset: ["Инв. номер", "Asset"],
	gateway: ["Шлюз", "Gateway"],
	sources: ["Источники", "Sources"],
	history: ["История с открытия страницы", "History since this page was opened"],
	choose: ["Отметьте величины в таблице показаний.", "Tick values in the table."],
	point: ["Величина", "Point"],
	value: ["Значение", "Value"],
	age: ["Возраст", "Age"],
	time: ["Время", "Time"],
	plot: ["На график", "Plot"],
	jobs: ["Работы с открытия страницы", "Jobs since this page was opened"],
	noJobs: ["Пока ни одной.", "None so far."],
	events: ["События", "Events"],
	noEvents: ["Пока ничего не произошло.", "Nothing has happened so far."],
	running: ["идёт", "running"],
	usage: ["Наработка", "Usage"],
	finished: ["завершена", "finished"], stopped: ["остановлена", "stopped"],
	"power-loss": ["отключение питания", "power loss"], "comm-lost": ["потеря связи", "connection lost"],
	"gateway-restart": ["перезапуск шлюза", "gateway restart"],
	raised: ["поднята", "raised"], changed: ["изменилась", "changed"],
	busy_s: ["В работе", "Busy"], idle_s: ["Простой", "Idle"], off_s: ["Выключена", "Off"], paused_s: ["Пауза", "Paused"],
	unknown_s: ["Неизвестно", "Unknown"], offline_s: ["Нет связи", "Offline"], fault_s: ["В аварии", "Fault"],
	jobs_started: ["Работ начато", "Jobs started"], jobs_finished: ["Работ завершено", "Jobs finished"],
	jobs_failed: ["Работ сорвано", "Jobs failed"], alarms_raised: ["Тревог", "Alarms raised"], energy_wh: ["Энергия", "Energy"],
	identity: ["другое устройство", "another device"], config: ["конфигурация", "configuration"],
	clock: ["часы переведены", "clock set"], counters: ["счётчик исправлен", "counter set"], alarm: ["тревога", "alarm"],
	started: ["начата", "started"], waiting: ["ждут отправки", "records wait"], busesDown: ["линий не отвечает", "buses down"],
	language: ["English", "Русский"],
};

/** Why a point has no value: docs/topics.md, "Values and errors". */
const ERRORS = {
	timeout: ["не отвечает", "does not answer"], crc: ["испорченный кадр", "broken frame"],
	protocol: ["ответ не по протоколу", "protocol error"], unsupported: ["не поддерживается", "unsupported"],
	"out-of-range": ["вне пределов", "out of range"], "not-available": ["нет данных", "not available"],
	"sensor-error": ["ошибка датчика", "sensor error"], "link-down": ["линия недоступна", "link down"],
	"in-use": ["занято", "in use"], permission: ["нет прав", "no permission"],
	identity: ["другое устройство", "another device"], ambiguous: ["подходит несколько", "ambiguous"],
	stale: ["ещё не читалось", "not read yet"],
};

let index = 1, locale = "en-GB";
let forms = {};

export function setLanguage(name) {
	index = name === "ru" ? 0 : 1;
	locale = name === "ru" ? "ru-RU" : "en-GB";
	forms = {};
}

const CLOCK = { hour: "2-digit", minute: "2-digit", second: "2-digit" };
const FORMS = {
	number: () => new Intl.NumberFormat(locale, { maximumFractionDigits: 3 }),
	short: () => new Intl.NumberFormat(locale, { maximumFractionDigits: 1 }),
	whole: () => new Intl.NumberFormat(locale, { maximumFractionDigits: 0 }),
	time: () => new Intl.DateTimeFormat(locale, CLOCK),
	date: () => new Intl.DateTimeFormat(locale, { day: "2-digit", month: "2-digit", ...CLOCK }),
};

/** Made when first needed: the first of them costs tens of ms. */
const form = (name) => (forms[name] ??= FORMS[name]());

export const languageName = () => (index === 0 ? "ru" : "en");
export const say = (key) => TEXTS[key]?.[index] ?? key;
export const isText = (key) => key in TEXTS;
export const pick = (both) => both?.[index === 0 ? "ru" : "en"] ?? "";
export const whole = (value) => form("whole").format(value);

export function errorText(error) {
	const exception = /^exception-(\d{1,3})$/.exec(error);
	if (exception)
		return (index === 0 ? "исключение " : "exception ") + exception[1];
	return ERRORS[error]?.[index] ?? error;
}

/** A point's value as people read it. */
export function valueText(value) {
	if (value === null || value === undefined)
		return "–";
	if (typeof value === "boolean")
		return [["нет", "да"], ["no", "yes"]][index][Number(value)];
	return typeof value === "number" ? form("number").format(value) : value;
}

/** The same for lists, where room is scarce. */
export const shortText = (value) => (typeof value === "number" ? form("short").format(value) : valueText(value));

/** A unit as it is written. */
export const unitText = (unit) => ({ C: "°C", degC: "°C", pct: "%" })[unit] ?? unit;

/** A time of day; with its date if that is another one. */
export function timeText(ms, now = Date.now()) {
	if (ms === null || !Number.isFinite(ms) || Math.abs(ms) > 8.64e15)
		return "–";
	const sameDay = new Date(ms).toDateString() === new Date(now).toDateString();
	return form(sameDay ? "time" : "date").format(ms);
}

const SPANS = [[86400, "д", "d"], [3600, "ч", "h"], [60, "мин", "min"], [1, "с", "s"]];

/** Seconds in at most two units: 1 h 5 min. */
export function durationText(seconds) {
	if (seconds === null || !Number.isFinite(seconds))
		return "–";
	let rest = Math.max(0, Math.floor(seconds));
	const parts = [];
	for (const [size, ru, en] of SPANS) {
		const n = Math.floor(rest / size);
		rest -= n * size;
		if (n)
			parts.push(`${n} ${index === 0 ? ru : en}`);
		else if (parts.length)
			break;
	}
	return parts.slice(0, 2).join(" ") || (index === 0 ? "0 с" : "0 s");
}

export const ageText = (ms, now) => (ms ? durationText((now - ms) / 1000) : "–");
