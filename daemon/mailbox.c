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
mail_batch_init(struct mail_batch *batch)
{
	batch->first = NULL;
	batch->last = &batch->first;
}

void
mail_batch_add(struct mail_batch *batch, struct mail *mail)
{
	mail->next = NULL;
	*batch->last = mail;
	batch->last = &mail->next;
}

void
mailbox_post_batch(struct mailbox *box, struct mail_batch *batch)
{
	if (!batch->first)
		return;
	pthread_mutex_lock(&box->lock);
	bool was_empty = box->first == NULL;
	*box->last = batch->first;
	box->last = batch->last;
	pthread_mutex_unlock(&box->lock);
	mail_batch_init(batch);
	if (was_empty && box->wake) /* the receiver takes all at once: one wake-up is enough */
		box->wake(box->wake_arg);
}

void
mailbox_post(struct mailbox *box, struct mail *mail)
{
	struct mail_batch one;
	mail_batch_init(&one);
	mail_batch_add(&one, mail);
	mailbox_post_batch(box, &one);
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
