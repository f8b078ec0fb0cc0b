/* SPDX-License-Identifier: MIT */
/* usb.c -- what is plugged in where
 *
 * The tty or hidraw node is a leaf of /sys; its vendor, product and serial number stand at the
 * ancestor that is the USB device, whose name in /sys ("1-4.2") says which port of which hub it
 * hangs on (kernel: Documentation/usb, sysfs-bus-usb). hidraw nodes have no such properties of
 * their own in udev's database, and without a udev daemon nothing has, so the attributes of /sys
 * are used throughout.
 *
 * The monitor listens to udev, not to the kernel: after the kernel's message the node may not be
 * there yet, or not be ours to open (libudev(3), udev(7)).
 */
#include "drivers/usb.h"

#include <errno.h>
#include <libudev.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PORTS_MAX = 128, FRESH_MS = 1000 };

struct usb {
	struct udev *udev;
	struct udev_monitor *monitor;
	pthread_mutex_t lock;
	struct usb_port ports[PORTS_MAX];
	size_t n;
	int64_t scanned_ms; /* 0: what is known is out of date */
};

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000 + 1;
}

/* ---- looking ------------------------------------------------------------------------------- */

/* What a device says of itself may be anything; people read it. */
static void
copy_text(char *to, size_t size, const char *from)
{
	size_t n = 0;

	for (; from && *from && n + 1 < size; from++) {
		if ((unsigned char)*from >= ' ' && (unsigned char)*from < 0x7F && *from != '#')
			to[n++] = *from;
	}
	to[n] = '\0';
}

static void
copy_name(struct usb_port *p, struct udev_device *usb)
{
	const char *maker = udev_device_get_sysattr_value(usb, "manufacturer");
	const char *product = udev_device_get_sysattr_value(usb, "product");
	char text[sizeof(p->name)];

	snprintf(text, sizeof(text), "%s%s%s", maker ? maker : "", maker && product ? " " : "",
		product ? product : "");
	copy_text(p->name, sizeof(p->name), text);
}

/* False: not a USB device, or one without a node. */
static bool
describe(struct udev_device *dev, enum link_kind kind, struct usb_port *p)
{
	struct udev_device *usb =
		udev_device_get_parent_with_subsystem_devtype(dev, "usb", "usb_device");
	struct udev_device *interface =
		udev_device_get_parent_with_subsystem_devtype(dev, "usb", "usb_interface");
	const char *node = udev_device_get_devnode(dev), *number = NULL, *driver = NULL;

	*p = (struct usb_port){.kind = kind, .interface = -1};
	if (!usb || !node)
		return false;
	if (interface) {
		number = udev_device_get_sysattr_value(interface, "bInterfaceNumber");
		driver = udev_device_get_driver(interface);
	}
	if (number)
		p->interface = (int)strtol(number, NULL, 16);
	copy_text(p->node, sizeof(p->node), node);
	copy_text(p->place, sizeof(p->place), udev_device_get_sysname(usb));
	copy_text(p->vendor, sizeof(p->vendor), udev_device_get_sysattr_value(usb, "idVendor"));
	copy_text(p->product, sizeof(p->product), udev_device_get_sysattr_value(usb, "idProduct"));
	copy_text(p->serial, sizeof(p->serial), udev_device_get_sysattr_value(usb, "serial"));
	copy_text(p->driver, sizeof(p->driver), driver);
	copy_name(p, usb);
	return true;
}

static int
scan_subsystem(struct usb *u, const char *subsystem, enum link_kind kind)
{
	struct udev_enumerate *e = udev_enumerate_new(u->udev);
	struct udev_list_entry *entry;

	if (!e)
		return -ENOMEM;
	udev_enumerate_add_match_subsystem(e, subsystem);
	udev_enumerate_scan_devices(e);
	udev_list_entry_foreach(entry, udev_enumerate_get_list_entry(e))
	{
		const char *path = udev_list_entry_get_name(entry);
		struct udev_device *dev = udev_device_new_from_syspath(u->udev, path);

		if (dev && u->n < PORTS_MAX && describe(dev, kind, &u->ports[u->n]))
			u->n++;
		udev_device_unref(dev);
	}
	udev_enumerate_unref(e);
	return 0;
}

/* With the lock held. */
static int
look(struct usb *u)
{
	int rc;

	if (u->scanned_ms && now_ms() - u->scanned_ms < FRESH_MS)
		return 0;
	u->n = 0;
	rc = scan_subsystem(u, "tty", LINK_SERIAL);
	if (rc == 0)
		rc = scan_subsystem(u, "hidraw", LINK_HID);
	u->scanned_ms = now_ms();
	return rc;
}

int
usb_list(struct usb *u, struct usb_port *list, size_t max)
{
	size_t n;
	int rc;

	pthread_mutex_lock(&u->lock);
	rc = look(u);
	n = u->n;
	memcpy(list, u->ports, (n < max ? n : max) * sizeof(*list));
	pthread_mutex_unlock(&u->lock);
	return rc < 0 ? rc : (int)n;
}

/* ---- finding ------------------------------------------------------------------------------- */

/* A `device` taken apart. */
struct wanted {
	enum link_kind kind;
	char text[256];
	const char *vendor, *product, *serial; /* usb: */
	const char *place;                     /* usb-port: */
	const char *node;                      /* a path, resolved */
	int interface;                         /* -1: any */
};

static void
take_interface(struct wanted *w)
{
	char *mark = strrchr(w->text, '#');

	w->interface = -1;
	if (!mark || strncmp(mark, "#if", 3) != 0)
		return;
	w->interface = (int)strtol(mark + 3, NULL, 16);
	*mark = '\0';
}

static void
take_apart(struct wanted *w, const char *device)
{
	snprintf(w->text, sizeof(w->text), "%s", device);
	take_interface(w);
	if (strncmp(w->text, "usb-port:", 9) == 0) {
		w->place = w->text + 9;
	} else if (strncmp(w->text, "usb:", 4) == 0) {
		char *product = strchr(w->text + 4, ':'), *serial;
		w->vendor = w->text + 4;
		if (product)
			*product++ = '\0';
		w->product = product ? product : "";
		serial = strchr(w->product, ':');
		if (serial)
			*serial++ = '\0';
		w->serial = serial;
	} else {
		w->node = w->text;
	}
}

static bool
fits(const struct usb_port *p, const struct wanted *w)
{
	if (p->kind != w->kind || (w->interface >= 0 && p->interface != w->interface))
		return false;
	if (w->node)
		return strcmp(p->node, w->node) == 0;
	if (w->place)
		return strcmp(p->place, w->place) == 0;
	return strcasecmp(p->vendor, w->vendor) == 0 && strcasecmp(p->product, w->product) == 0 &&
	       (!w->serial || strcmp(p->serial, w->serial) == 0);
}

static void
add_other(char *others, size_t size, const struct usb_port *p)
{
	size_t n = strlen(others);

	snprintf(others + n, size - n, "%susb-port:%s", n > 0 ? ", " : "", p->place);
	n = strlen(others);
	if (p->interface > 0)
		snprintf(others + n, size - n, "#if%02x", (unsigned)p->interface);
}

static size_t
find_all(const struct usb *u, const struct wanted *w, struct usb_port *out, char *others,
	size_t size)
{
	size_t found = 0;

	others[0] = '\0';
	for (size_t i = 0; i < u->n; i++) {
		if (!fits(&u->ports[i], w))
			continue;
		*out = u->ports[i];
		add_other(others, size, out);
		found++;
	}
	return found;
}

int
usb_find(struct usb *u, const char *device, enum link_kind kind, struct usb_port *out, char *others,
	size_t others_size)
{
	struct wanted w = {.kind = kind};
	char resolved[PATH_MAX];
	size_t found;
	int rc;

	take_apart(&w, device);
	pthread_mutex_lock(&u->lock);
	rc = look(u);
	found = rc == 0 ? find_all(u, &w, out, others, others_size) : 0;
	if (rc == 0 && found == 0 && w.node) { /* a link, as in /dev/serial/by-id */
		if (realpath(w.node, resolved))
			w.node = resolved;
		else
			rc = errno == EACCES ? -EACCES : -ENODEV;
		found = rc == 0 ? find_all(u, &w, out, others, others_size) : 0;
	}
	pthread_mutex_unlock(&u->lock);
	if (rc < 0 || found > 1)
		return rc < 0 ? rc : -EMLINK;
	if (found == 1)
		return 0;
	*out = (struct usb_port){.kind = kind, .interface = -1};
	if (!w.node || strlen(w.node) >= sizeof(out->node))
		return -ENODEV;
	memcpy(out->node, w.node, strlen(w.node) + 1);
	return 0;
}

void
usb_identity(const struct usb_port *p, char buf[USB_IDENTITY_MAX])
{
	buf[0] = '\0';
	if (p->vendor[0])
		snprintf(buf, USB_IDENTITY_MAX, "%s:%s%s%s", p->vendor, p->product,
			p->serial[0] ? ":" : "", p->serial);
}

/* ---- being told ---------------------------------------------------------------------------- */

static void
start_monitor(struct usb *u)
{
	u->monitor = udev_monitor_new_from_netlink(u->udev, "udev");
	if (!u->monitor)
		return;
	udev_monitor_filter_add_match_subsystem_devtype(u->monitor, "tty", NULL);
	udev_monitor_filter_add_match_subsystem_devtype(u->monitor, "hidraw", NULL);
	if (udev_monitor_enable_receiving(u->monitor) < 0) {
		udev_monitor_unref(u->monitor);
		u->monitor = NULL;
	}
}

struct usb *
usb_create(void)
{
	struct usb *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	u->udev = udev_new();
	if (!u->udev) {
		free(u);
		return NULL;
	}
	pthread_mutex_init(&u->lock, NULL);
	start_monitor(u);
	return u;
}

void
usb_destroy(struct usb *u)
{
	if (!u)
		return;
	udev_monitor_unref(u->monitor);
	udev_unref(u->udev);
	pthread_mutex_destroy(&u->lock);
	free(u);
}

int
usb_fd(const struct usb *u)
{
	return u->monitor ? udev_monitor_get_fd(u->monitor) : -1;
}

bool
usb_is_told(const struct usb *u)
{
	return u->monitor && access("/run/udev/control", F_OK) == 0;
}

bool
usb_changed(struct usb *u)
{
	struct udev_device *dev;
	bool changed = false;

	while (u->monitor && (dev = udev_monitor_receive_device(u->monitor))) {
		udev_device_unref(dev);
		changed = true;
	}
	if (changed) {
		pthread_mutex_lock(&u->lock);
		u->scanned_ms = 0;
		pthread_mutex_unlock(&u->lock);
	}
	return changed;
}
