# SPDX-License-Identifier: MIT
# make torture: TORTURE_SECONDS (1200) of everything at once; TORTURE_SEED, TORTURE_OPTIONS.

TORTURE_SECONDS ?= 1200
TORTURE_SEED ?= $(shell date +%s)

# Never with a sanitizer: the program that is preloaded with it brings its own.
$(BUILD)/torture/shim.so: tests/torture/shim.c
	@mkdir -p $(@D)
	$(call say,LD) $(CC) -std=c11 -D_GNU_SOURCE $(WARN) -O2 -g -fPIC -shared -o $@ $< -ldl -pthread

.PHONY: torture
torture: all $(BUILD)/torture/shim.so ## 20 minutes of crashes, cuts, refusals, bad disks and clocks, all at once
	@tests/setup.sh test
	BUILD=$(BUILD) /usr/bin/python3 tests/torture/run.py --seconds $(TORTURE_SECONDS) --seed $(TORTURE_SEED) $(TORTURE_OPTIONS)

system: $(BUILD)/torture/shim.so
