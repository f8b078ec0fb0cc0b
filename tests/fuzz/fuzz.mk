# SPDX-License-Identifier: MIT
# A target is one file; its seeds are tests/fuzz/corpus/NAME, what it learns stays in build/fuzz.
# The code under test is built once for all of them; a target links what it needs of it.
FUZZ_SECONDS ?= 60
FUZZ_NAMES := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ := $(BUILD)/fuzz
FUZZ_CC ?= clang
FUZZ_CFLAGS = -g -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined \
              -std=c11 -D_GNU_SOURCE -I. -DLABPULSE_VERSION='"$(VERSION)"' \
              -DLABPULSE_PREFIX='"$(PREFIX)"' $(shell $(PKG_CONFIG) --cflags $(PKGS)) -pthread -MMD -MP
FUZZ_LIBS := $(FUZZ)/libdaemon.a $(FUZZ)/libbridge.a $(FUZZ)/libcli.a $(FUZZ)/libconfig.a $(FUZZ)/libdrivers.a

# What a target answers instead of the real thing (ld --wrap), or only looks at.
FUZZ_WORLD := spool_post uplink_send uplink_flush uplink_subscribe uplink_unsubscribe
FUZZ_WRAP_inbound := $(FUZZ_WORLD)
FUZZ_WRAP_modbus := link_mono_us link_poll link_port_open link_port_close read write recv send socket \
                    connect setsockopt
FUZZ_WRAP_kept := $(FUZZ_WORLD)
FUZZ_WRAP_control := $(FUZZ_WORLD) poller_run_job
comma := ,

fuzz_obj = $(patsubst %.c,$(FUZZ)/%.o,$(1))
$(FUZZ)/libdrivers.a: $(call fuzz_obj,$(DRIVERS_SRC))
$(FUZZ)/libconfig.a: $(call fuzz_obj,$(CONFIG_SRC))
$(FUZZ)/libdaemon.a: $(call fuzz_obj,$(DAEMON_SRC))
$(FUZZ)/libbridge.a: $(call fuzz_obj,$(BRIDGE_SRC))
$(FUZZ)/libcli.a: $(call fuzz_obj,$(filter-out cli/simulate/%,$(CLI_SRC)))

$(FUZZ)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,FUZZ) $(FUZZ_CC) $(FUZZ_CFLAGS) -c -o $@ $<

-include $(shell find $(FUZZ) -name '*.d' 2>/dev/null)

$(FUZZ)/fuzz_%: $(FUZZ)/tests/fuzz/fuzz_%.o $(FUZZ_LIBS)
	$(call say,FUZZ) $(FUZZ_CC) -fsanitize=fuzzer,address,undefined -pthread -o $@ $^ \
	  $(addprefix -Wl$(comma)--wrap=,$(FUZZ_WRAP_$*)) $(LIBS_DAEMON) $(LIBS_BRIDGE) $(LIBS_COMMON)

.PHONY: fuzz fuzz-build fuzz-seeds $(FUZZ_NAMES:%=fuzz-%)
.SECONDARY: $(FUZZ_NAMES:%=$(FUZZ)/tests/fuzz/fuzz_%.o)
fuzz-build: $(FUZZ_NAMES:%=$(FUZZ)/fuzz_%)
fuzz: ## each fuzz target in tests/fuzz for FUZZ_SECONDS=60; a finding fails and stays in build/fuzz
	@tests/setup.sh fuzz
	@$(MAKE) --no-print-directory $(FUZZ_NAMES:%=fuzz-%)
$(FUZZ_NAMES:%=fuzz-%): fuzz-%: $(FUZZ)/fuzz_%
	@mkdir -p $(FUZZ)/corpus/$* tests/fuzz/corpus/$*
	$< -max_total_time=$(FUZZ_SECONDS) -max_len=10000 -timeout=10 -print_final_stats=0 \
	  -artifact_prefix=$(FUZZ)/$*- $(FUZZ)/corpus/$* tests/fuzz/corpus/$*
fuzz-seeds: fuzz-build ## all kept inputs through all fuzz targets, once
	@set -e; for name in $(FUZZ_NAMES); do \
	  $(FUZZ)/fuzz_$$name -runs=0 -timeout=10 tests/fuzz/corpus/$$name >$(FUZZ)/$$name.log 2>&1 || \
	    { cat $(FUZZ)/$$name.log; exit 1; }; \
	done
