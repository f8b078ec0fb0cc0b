# SPDX-License-Identifier: MIT
# make bench: figures into docs/benchmarks.md. BENCH_RUNS (5), BENCH_SECONDS (20), BENCH_PARTS (abcdef).

BENCH_BIN := $(BUILD)/tests/bench/receiver $(BUILD)/tests/bench/floor $(BUILD)/tests/bench/rtu_line \
             $(BUILD)/tests/bench/idle_threads

$(BUILD)/tests/bench/%: tests/bench/%.c $(BUILD)/libdrivers.a
	@mkdir -p $(@D)
	$(call say,LD) $(CC) $(CFLAGS_ALL) -MMD -MP -MF $@.d -o $@ $< $(BUILD)/libdrivers.a \
	  $(LDFLAGS_ALL) $(shell pkg-config --libs libmosquitto) $(LIBS_COMMON) -lutil

.PHONY: bench
bench: all $(BENCH_BIN)
	BUILD=$(BUILD) /usr/bin/python3 tests/bench/bench.py
