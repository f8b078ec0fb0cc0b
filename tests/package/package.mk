# SPDX-License-Identifier: MIT
BOOT_ROOT := build/boot-root

.PHONY: package-test
package-test: deb ## install, update, remove and purge the package under a real systemd; root
	@tests/setup.sh boot test
	lintian --allow-root --fail-on error,warning $(DEB_FILE:.deb=.changes)
	@[ "$$(id -u)" -eq 0 ] || { echo "package-test: needs root (mmdebstrap, systemd-nspawn)" >&2; exit 77; }
	@tests/package/root.sh $(BOOT_ROOT) $(DEB_FILE)
	@BOOT_ROOT=$(BOOT_ROOT) DEB=$(DEB_FILE) /usr/bin/python3 -m pytest -q -x -p no:cacheprovider tests/package

.PHONY: cross-test
cross-test: ## the package for arm64, run by qemu-user against the simulated lab; root
	@$(MAKE) --no-print-directory deb ARCH=arm64
	@tests/package/cross-test.sh build/deb/labpulse_$(VERSION)_arm64.deb build/cross/arm64
