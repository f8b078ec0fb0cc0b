# SPDX-License-Identifier: MIT
# make vm-test: the package on a virtual gateway, under real systemd, udev and Debian's kernel.
# VM_TESTS chooses files or options of pytest; VM_KEEP=1 goes on from the snapshots of the last run.
# build/vm: image/ (made again when what goes into it changed), deb/, runs/, figures.json.

VM := build/vm
VM_TESTS ?= tests/vm

.PHONY: vm-test
vm-test: ## the package on a virtual gateway: hot-plug, limits, clocks, network, power cuts; needs root once
	@tests/setup.sh vm
	@$(MAKE) --no-print-directory all
	@$(MAKE) --no-print-directory deb DEB=$(VM)/deb
	tests/vm/image.sh $(VM)/image $(VM)/deb/labpulse_$(VERSION)_$(shell dpkg --print-architecture).deb
	BUILD=$(BUILD) VM=$(VM) DEB=$(VM)/deb/labpulse_$(VERSION)_$(shell dpkg --print-architecture).deb \
	  /usr/bin/python3 -m pytest -v -p no:cacheprovider --durations=10 $(VM_TESTS)

.PHONY: vm-figures
vm-figures: ## the figures of the last whole make vm-test into docs/gateway.md
	tests/vm/figures.py $(VM)/figures.json docs/gateway.md
