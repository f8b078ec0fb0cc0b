# SPDX-License-Identifier: MIT
# The broker kit, beside the profiles: it belongs on the broker's computer.

BROKER_KIT := $(DESTDIR)$(PREFIX)/share/labpulse/broker

.PHONY: install-broker
install-broker:
	install -d $(BROKER_KIT)
	install -m 644 config/broker/mosquitto.conf config/broker/acl config/broker/roles $(BROKER_KIT)/
	install -m 755 config/broker/labpulse-broker $(BROKER_KIT)/

install: install-broker
