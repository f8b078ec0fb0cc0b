# SPDX-License-Identifier: MIT
# A target is one file; its seeds are tests/fuzz/corpus/NAME, what it learns stays in build/fuzz.
FUZZ_SECONDS ?= 60
FUZZ_NAMES := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_CFLAGS = -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -std=c11 \
              -D_GNU_SOURCE -I. -DLABPULSE_VERSION='"$(VERSION)"' \
              -DLABPULSE_PREFIX='"$(PREFIX)"' $(shell pkg-config --cflags $(PKGS))

$(BUILD)/fuzz/fuzz_%: tests/fuzz/fuzz_%.c $(CONFIG_SRC) $(DRIVERS_SRC) $(wildcard config/*.h drivers/*.h)
	@mkdir -p $(@D)
	$(call say,FUZZ) clang $(FUZZ_CFLAGS) $(filter %.c,$^) $(LIBS_COMMON) -pthread -o $@

.PHONY: fuzz $(FUZZ_NAMES:%=fuzz-%)
fuzz: ## each fuzz target in tests/fuzz for FUZZ_SECONDS=60; a finding fails and stays in build/fuzz
	@tests/setup.sh fuzz
	@$(MAKE) --no-print-directory $(FUZZ_NAMES:%=fuzz-%)
$(FUZZ_NAMES:%=fuzz-%): fuzz-%: $(BUILD)/fuzz/fuzz_%
	@mkdir -p $(BUILD)/fuzz/corpus/$* tests/fuzz/corpus/$*
	$< -max_total_time=$(FUZZ_SECONDS) -max_len=6000 -timeout=10 -print_final_stats=0 \
	  -artifact_prefix=$(BUILD)/fuzz/$*- $(BUILD)/fuzz/corpus/$* tests/fuzz/corpus/$*
