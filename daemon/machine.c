/* SPDX-License-Identifier: MIT */
/* machine.c -- what follows from its sources for a machine */
#include "daemon/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct machine *
machine_create(const struct machine_config *config, const struct config *all, int64_t now_us)
{
	struct machine *m = calloc(1, sizeof(*m));
	if (!m)
		return NULL;
	m->config = config;
	m->sources = calloc(config->n_sources + 1, sizeof(struct source *));
	if (!m->sources)
		goto fail;
	for (size_t i = 0; i < config->n_sources; i++) {
		size_t bus = config->sources[i].bus;
		m->sources[i] = source_create(
			&config->sources[i], bus < all->n_buses ? &all->buses[bus] : NULL, now_us);
		if (!m->sources[i])
			goto fail;
		m->sources[i]->machine = m;
		m->n_sources++;
	}
	return m;
fail:
	machine_destroy(m);
	return NULL;
}

void
machine_destroy(struct machine *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->n_sources; i++)
		source_destroy(m->sources[i]);
	free(m->sources);
	free((void *)(uintptr_t)m->availability.topic);
	free((void *)(uintptr_t)m->info.topic);
	free((void *)(uintptr_t)m->snapshot.topic);
	free(m);
}

/* The severity that the machine's configuration gives to an alarm of its driver. */
static enum severity
configured_severity(const struct machine *m, const struct alarm_rule *own, const char *code)
{
	for (size_t i = 0; i < m->config->n_alarms; i++)
		if (strcmp(m->config->alarms[i].code, code) == 0)
			return m->config->alarms[i].severity;
	return own->severity;
}

static void
source_faults(const struct source *s, machine_fault_fn *each, void *arg)
{
	const struct profile_file *catalogue = s->config->profile;
	char code[96];
	for (size_t i = 0; i < catalogue->n_faults && i < FAULTS_MAX; i++) {
		if (!(s->status.faults >> i & 1))
			continue;
		const struct alarm_rule *own = &catalogue->faults[i];
		snprintf(code, sizeof(code), "%s-%s", s->config->id, own->code);
		for (char *c = code; *c; c++)
			if (*c == '_')
				*c = '-';
		enum severity severity = configured_severity(s->machine, own, code);
		if (severity != SEVERITY_NONE)
			each(arg, code, severity);
	}
}

void
machine_faults(const struct machine *m, machine_fault_fn *each, void *arg)
{
	for (size_t i = 0; i < m->n_sources; i++)
		if (m->sources[i]->status.faults)
			source_faults(m->sources[i], each, arg);
}

static void
note_severity(void *arg, const char *code, enum severity severity)
{
	enum severity *worst = arg;
	(void)code;
	if (severity > *worst)
		*worst = severity;
}

bool
machine_update(struct machine *m, int64_t now_ms)
{
	bool online = false, decided = true;
	for (size_t i = 0; i < m->n_sources; i++) {
		online |= m->sources[i]->decided && m->sources[i]->ok;
		decided &= m->sources[i]->decided;
	}
	decided |= online; /* one answer is enough to know */
	const struct source *speaker = machine_speaker(m);
	enum activity activity = speaker ? speaker->status.activity : ACTIVITY_UNKNOWN;
	enum severity worst = SEVERITY_NONE;
	machine_faults(m, note_severity, &worst);
	if (!decided ||
		(m->decided && m->online == online && m->activity == activity && m->worst == worst))
		return false;
	m->decided = true;
	m->online = online;
	m->activity = activity;
	m->worst = worst;
	m->since_ms = now_ms;
	return true;
}

/* A machine's own rules come before what its drivers say. */
const struct source *
machine_speaker(const struct machine *m)
{
	for (size_t i = 0; m->config->n_usage == 0 && i < m->n_sources; i++)
		if (!m->sources[i]->config->driver->needs_profile && m->sources[i]->ok)
			return m->sources[i];
	return NULL;
}

const char *
machine_state(const struct machine *m)
{
	if (!m->online)
		return "offline";
	return m->worst >= SEVERITY_ERROR ? "fault" : activity_name(m->activity);
}

const char *
machine_condition(const struct machine *m)
{
	if (m->worst >= SEVERITY_ERROR)
		return "fault";
	return m->worst == SEVERITY_WARNING ? "warning" : "normal";
}

const char *
machine_availability(const struct machine *m)
{
	return m->online ? "online" : "offline";
}

struct words {
	char *buf;
	size_t size, len;
};

static void
add_word(void *arg, const char *code, enum severity severity)
{
	struct words *w = arg;
	(void)severity;
	if (w->len < w->size)
		w->len += (size_t)snprintf(
			w->buf + w->len, w->size - w->len, "%s%s", w->len ? ", " : "", code);
}

void
machine_reason(const struct machine *m, char *buf, size_t size)
{
	size_t len = 0;
	char word[24];
	const struct source *speaker = machine_speaker(m);
	snprintf(buf, size, "all sources answer");
	if (speaker && m->online)
		len = (size_t)snprintf(
			buf, size, "%s says %s", speaker->config->id, activity_name(m->activity));
	struct words words = {buf, size, len};
	machine_faults(m, add_word, &words);
	len = words.len;
	for (size_t i = 0; i < m->n_sources && len < size; i++) {
		const struct source *s = m->sources[i];
		const char *why = "not read yet";
		if (s->ok)
			continue;
		if (s->decided)
			why = fail_text(s->fail, s->exception, word, sizeof(word));
		len += (size_t)snprintf(
			buf + len, size - len, "%s%s: %s", len ? ", " : "", s->config->id, why);
	}
}
