/* SPDX-License-Identifier: MIT */
/* mailbox.c -- a mutex, a list and a wake-up */
#include "daemon/mailbox.h"

#include <stddef.h>

void
mailbox_init(struct mailbox *box, void (*wake)(void *), void *arg)
{
	pthread_mutex_init(&box->lock, NULL);
	box->first = NULL;
	box->last = &box->first;
	box->wake = wake;
	box->wake_arg = arg;
}

void
mailbox_finish(struct mailbox *box)
{
	pthread_mutex_destroy(&box->lock);
}

void
mailbox_post(struct mailbox *box, struct mail *mail)
{
	mail->next = NULL;
	pthread_mutex_lock(&box->lock);
	bool was_empty = box->first == NULL;
	*box->last = mail;
	box->last = &mail->next;
	pthread_mutex_unlock(&box->lock);
	if (was_empty && box->wake) /* the receiver takes all at once: one wake-up is enough */
		box->wake(box->wake_arg);
}

struct mail *
mailbox_take(struct mailbox *box)
{
	pthread_mutex_lock(&box->lock);
	struct mail *list = box->first;
	box->first = NULL;
	box->last = &box->first;
	pthread_mutex_unlock(&box->lock);
	return list;
}
