# SPDX-License-Identifier: MIT
# The archive and the recipes of docs/storage.md: for the computer that keeps what gateways publish.

STORAGE := $(DESTDIR)$(PREFIX)/share/labpulse/storage

.PHONY: install-storage
install-storage:
	install -d $(STORAGE)/telegraf
	install -m 644 config/storage/archive.sql config/storage/labpulse-archive.service $(STORAGE)/
	install -m 644 config/storage/telegraf/*.conf $(STORAGE)/telegraf/
	install -m 755 config/storage/labpulse-archive $(STORAGE)/

install: install-storage
