/* SPDX-License-Identifier: MIT */
/* poster.c -- HTTP requests to several Alertmanagers at once; the only <curl/curl.h> */
#include "cli/alertmanager/poster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "cli/secret.h"

enum { CONNECT_MS = 5000, REQUEST_MS = 20000, URL_SIZE = 2048, WHY_SIZE = 256, FDS_MAX = 4 };

struct slot {
	CURL *easy; /* kept, and its connection with it */
	bool busy;
	char url[URL_SIZE];
	char *body;
	char why[CURL_ERROR_SIZE];
	char said[WHY_SIZE]; /* the beginning of the answer: Alertmanager says what is wrong */
	size_t n_said;
};

struct poster {
	CURLM *multi;
	const struct poster_options *options;
	struct curl_slist *headers;
	struct slot slots[CLI_LIST_MAX];
	poster_answer_fn answer;
	void *context;
};

static int
check_options(const struct poster_options *o)
{
	if (!o->urls.n)
		return cli_fail(CLI_USAGE, "--alertmanager URL is needed");
	for (size_t i = 0; i < o->urls.n; i++) {
		const char *url = o->urls.items[i];
		bool known = !strncmp(url, "http://", 7) || !strncmp(url, "https://", 8);
		if (!known || strlen(url) > URL_SIZE - 64)
			return cli_fail(CLI_USAGE,
				"--alertmanager: http://HOST[:PORT] or https://HOST[:PORT]");
		if (strpbrk(url, "@?#")) /* everybody sees the arguments of a process */
			return cli_fail(CLI_USAGE,
				"--alertmanager: no user or password in the URL, no query; use "
				"--alertmanager-user and --alertmanager-password-file");
	}
	if (o->password_file && !o->user)
		return cli_fail(
			CLI_USAGE, "--alertmanager-password-file needs --alertmanager-user");
	secret_warn(o->password_file);
	return CLI_FINE;
}

static size_t
on_answer(char *data, size_t size, size_t n, void *context)
{
	struct slot *s = context;
	size_t room = sizeof s->said - 1 - s->n_said, len = size * n < room ? size * n : room;

	memcpy(s->said + s->n_said, data, len);
	s->n_said += len;
	s->said[s->n_said] = '\0';
	return size * n;
}

static void
set_up(struct poster *p, struct slot *s, const char *url)
{
	size_t n = strlen(url);

	while (n && url[n - 1] == '/')
		n--;
	snprintf(s->url, sizeof s->url, "%.*s/api/v2/alerts", (int)n, url);
	curl_easy_setopt(s->easy, CURLOPT_URL, s->url);
	curl_easy_setopt(s->easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(s->easy, CURLOPT_HTTPHEADER, p->headers);
	curl_easy_setopt(s->easy, CURLOPT_USERAGENT, "labpulse-alertmanager/" LABPULSE_VERSION);
	curl_easy_setopt(s->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
	curl_easy_setopt(s->easy, CURLOPT_TIMEOUT_MS, (long)REQUEST_MS);
	curl_easy_setopt(s->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(s->easy, CURLOPT_WRITEFUNCTION, on_answer);
	curl_easy_setopt(s->easy, CURLOPT_WRITEDATA, s);
	curl_easy_setopt(s->easy, CURLOPT_ERRORBUFFER, s->why);
	curl_easy_setopt(s->easy, CURLOPT_PRIVATE, s);
	if (p->options->ca_file)
		curl_easy_setopt(s->easy, CURLOPT_CAINFO, p->options->ca_file);
}

int
poster_create(
	struct poster **out, const struct poster_options *o, poster_answer_fn answer, void *context)
{
	int code = check_options(o);

	if (code != CLI_FINE)
		return code;
	struct poster *p = calloc(1, sizeof *p);
	if (!p)
		return cli_fail(CLI_OTHER, "out of memory");
	p->options = o;
	p->answer = answer;
	p->context = context;
	curl_global_init(CURL_GLOBAL_DEFAULT);
	p->multi = curl_multi_init();
	p->headers = curl_slist_append(NULL, "Content-Type: application/json");
	bool ok = p->multi && p->headers;
	for (size_t i = 0; ok && i < o->urls.n; i++) {
		p->slots[i].easy = curl_easy_init();
		ok = p->slots[i].easy != NULL;
		if (ok)
			set_up(p, &p->slots[i], o->urls.items[i]);
	}
	if (!ok) {
		poster_destroy(p);
		return cli_fail(CLI_OTHER, "out of memory");
	}
	*out = p;
	return CLI_FINE;
}

/* Read again each time: it may have been changed. false: it cannot be read; s->why says so. */
static bool
use_password(const struct poster_options *o, struct slot *s)
{
	char password[SECRET_SIZE];

	if (!o->user)
		return true;
	int rc = secret_read(o->password_file, "alertmanager-password", password);
	if (rc < 0) {
		snprintf(s->why, sizeof s->why, "%s: %s", o->password_file, strerror(-rc));
		return false;
	}
	curl_easy_setopt(s->easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
	curl_easy_setopt(s->easy, CURLOPT_USERNAME, o->user);
	curl_easy_setopt(s->easy, CURLOPT_PASSWORD, rc ? password : "");
	explicit_bzero(password, sizeof password);
	return true;
}

static void
finish(struct poster *p, struct slot *s, long status)
{
	s->busy = false;
	free(s->body);
	s->body = NULL;
	p->answer(p->context, (size_t)(s - p->slots), status, status ? s->said : s->why);
}

void
poster_send(struct poster *p, size_t i, char *body)
{
	struct slot *s = &p->slots[i];

	s->body = body;
	s->busy = true;
	s->n_said = 0;
	s->said[0] = s->why[0] = '\0';
	curl_easy_setopt(s->easy, CURLOPT_POSTFIELDSIZE, (long)strlen(body));
	curl_easy_setopt(s->easy, CURLOPT_POSTFIELDS, body); /* not copied */
	if (!use_password(p->options, s) || curl_multi_add_handle(p->multi, s->easy) != CURLM_OK)
		finish(p, s, 0);
}

/* How many came. */
static int
take_answers(struct poster *p)
{
	int left, n = 0;

	for (CURLMsg *m; (m = curl_multi_info_read(p->multi, &left));) {
		struct slot *s = NULL;
		CURLcode rc = m->data.result;
		long status = 0;
		if (m->msg != CURLMSG_DONE)
			continue;
		CURL *easy = m->easy_handle; /* m is gone once the handle is removed */
		curl_easy_getinfo(easy, CURLINFO_PRIVATE, &s);
		if (rc == CURLE_OK)
			curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
		else if (!s->why[0])
			snprintf(s->why, sizeof s->why, "%s", curl_easy_strerror(rc));
		curl_multi_remove_handle(p->multi, easy);
		finish(p, s, status);
		n++;
	}
	return n;
}

void
poster_wait(struct poster *p, const int *fds, size_t n_fds, int timeout_ms)
{
	struct curl_waitfd extra[FDS_MAX];
	unsigned n = 0;
	int running;

	for (size_t i = 0; i < n_fds && n < FDS_MAX; i++)
		if (fds[i] >= 0)
			extra[n++] = (struct curl_waitfd){.fd = fds[i], .events = CURL_WAIT_POLLIN};
	curl_multi_perform(p->multi, &running);
	if (take_answers(p)) /* there may be more to send */
		return;
	curl_multi_poll(p->multi, extra, n, timeout_ms, NULL);
	curl_multi_perform(p->multi, &running);
	take_answers(p);
}

void
poster_wake(struct poster *p)
{
	curl_multi_wakeup(p->multi);
}

void
poster_destroy(struct poster *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < CLI_LIST_MAX; i++) {
		if (!p->slots[i].easy)
			continue;
		if (p->slots[i].busy)
			curl_multi_remove_handle(p->multi, p->slots[i].easy);
		curl_easy_cleanup(p->slots[i].easy);
		free(p->slots[i].body);
	}
	curl_slist_free_all(p->headers);
	curl_multi_cleanup(p->multi);
	curl_global_cleanup();
	free(p);
}
