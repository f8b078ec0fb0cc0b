/* SPDX-License-Identifier: MIT */
/* tty_speed.c -- any baud rate, 250000 included
 *
 * Speeds without a Bxxx constant need the kernel's struct termios2 (ioctl_tty(2)), whose header
 * cannot be included beside <termios.h>: hence a file of its own.
 */
#include "drivers/link_impl.h"

#include <asm/termbits.h>
#include <errno.h>
#include <sys/ioctl.h>

int
tty_set_speed(int fd, int baud)
{
	struct termios2 tio;

	if (ioctl(fd, TCGETS2, &tio) < 0)
		return -errno;
	tio.c_cflag &= ~(tcflag_t)(CBAUD | CBAUD << IBSHIFT);
	tio.c_cflag |= BOTHER | BOTHER << IBSHIFT;
	tio.c_ispeed = tio.c_ospeed = (speed_t)baud;
	return ioctl(fd, TCSETS2, &tio) < 0 ? -errno : 0;
}
