/* SPDX-License-Identifier: MIT */
/* usb.h -- what is plugged in where, and told when it changes; usb.c is the only <libudev.h>
 *
 * One object per process. usb_find() and usb_list() may be called by any thread; the rest belongs
 * to the thread that created it. Without a running udev daemon everything but the telling works:
 * /sys is read again at most once a second.
 */
#ifndef DRIVERS_USB_H
#define DRIVERS_USB_H

#include "drivers/driver.h"

struct usb;

/* One serial port or HID node of a USB device. */
struct usb_port {
	enum link_kind kind;        /* LINK_SERIAL (tty) or LINK_HID (hidraw) */
	char node[256];             /* "/dev/ttyUSB0", or any path */
	char place[48];             /* where it is plugged in: "1-4.2", bus and ports */
	char vendor[5], product[5]; /* ids, four hexadecimal digits */
	char serial[64];            /* "" if it has none */
	char name[96];              /* as the device calls itself: "QinHeng USB Serial" */
	int interface;              /* number of the interface, -1: not known */
	char driver[24];            /* kernel driver, "ch341" */
};

enum { USB_IDENTITY_MAX = 96 };

/* NULL: out of memory. */
struct usb *usb_create(void);
void usb_destroy(struct usb *usb); /* NULL is fine */
/* Becomes readable when something was plugged in or out; -1: nobody tells. */
int usb_fd(const struct usb *usb);
/* Takes what it tells. True if a serial port or HID node came or went. */
bool usb_changed(struct usb *usb);
/* Is the udev daemon there? Without it changes are found by looking. */
bool usb_is_told(const struct usb *usb);

/* What is plugged in now. Returns how many there are (perhaps more than `max`), or -errno. */
int usb_list(struct usb *usb, struct usb_port *list, size_t max);
/* Which port a `device` of the configuration means now: usb:VID:PID[:SERIAL] or
 * usb-port:BUS-PORT.PORT, both with #ifNN if wanted, or a path. 0; -ENODEV: none; -EMLINK: several,
 * whose places are listed in `others` ("1-1, 1-2"). A path that is no USB device: 0, and `out` has
 * only its node. */
int usb_find(struct usb *usb, const char *device, enum link_kind kind, struct usb_port *out,
	char *others, size_t others_size);
/* "1a86:7523" or "1a86:7523:SERIAL"; "" if it is no USB device. */
void usb_identity(const struct usb_port *port, char buf[USB_IDENTITY_MAX]);

#endif
