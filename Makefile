# SPDX-License-Identifier: MIT
# One make, not recursive. `make demo` and `make test` are all a newcomer needs: both install what
# is missing. `make help` lists the rest.

CC ?= gcc
BUILD ?= build
PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
UNITDIR ?= $(PREFIX)/lib/systemd/system
VERSION := 0.1.0

PKGS := libuv libmodbus libmosquitto yaml-0.1 jansson libmicrohttpd
WARN := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
        -Wpointer-arith -Wvla -Wformat=2 -Werror
ifeq ($(findstring clang,$(CC)),)
  WARN += -Wno-format-truncation # texts for people are cut on purpose
endif
OPT ?= -O2 -g
HARDEN := -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE
ifneq ($(SAN),)
  OPT := -O1 -g -fno-omit-frame-pointer -fsanitize=$(SAN)
  HARDEN := -fPIE
endif
ifeq ($(COVERAGE),1)
  OPT := -O0 -g --coverage
  HARDEN := -fPIE
endif
CFLAGS_ALL = -std=c11 -D_GNU_SOURCE -I. -DLABPULSE_VERSION='"$(VERSION)"' \
             -DLABPULSE_PREFIX='"$(PREFIX)"' $(WARN) $(OPT) $(HARDEN) \
             $(shell pkg-config --cflags $(PKGS)) -pthread $(CFLAGS)
LDFLAGS_ALL = -pie -Wl,-z,relro,-z,now $(OPT) -pthread $(LDFLAGS)

DRIVERS_SRC := $(wildcard drivers/*.c)
CONFIG_SRC := $(wildcard config/*.c)
DAEMON_SRC := $(filter-out daemon/main.c,$(wildcard daemon/*.c))
CLI_SRC := $(filter-out cli/main.c,$(wildcard cli/*.c cli/simulate/*.c))
UNIT_SRC := $(wildcard tests/unit/*_test.c tests/drivers/*_test.c)
UNIT_BIN := $(UNIT_SRC:%.c=$(BUILD)/%)

obj = $(patsubst %.c,$(BUILD)/%.o,$(1))
LIBS_COMMON := $(shell pkg-config --libs yaml-0.1 jansson libmodbus) -lm
LIBS_DAEMON := $(shell pkg-config --libs libuv libmosquitto libmicrohttpd)
LIBS_CLI := $(shell pkg-config --libs libmosquitto)

# V=1 shows the commands.
say = $(if $(V),,@echo '  $(1)  $@';)

.PHONY: all
all: $(BUILD)/labpulsed $(BUILD)/labpulse

$(BUILD)/libdrivers.a: $(call obj,$(DRIVERS_SRC))
$(BUILD)/libconfig.a: $(call obj,$(CONFIG_SRC))
$(BUILD)/libdaemon.a: $(call obj,$(DAEMON_SRC))
$(BUILD)/libcli.a: $(call obj,$(CLI_SRC))
%.a:
	@mkdir -p $(@D)
	@rm -f $@
	$(call say,AR) ar rcs $@ $^

$(BUILD)/labpulsed: $(call obj,daemon/main.c) $(BUILD)/libdaemon.a $(BUILD)/libconfig.a $(BUILD)/libdrivers.a
	$(call say,LD) $(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS_DAEMON) $(LIBS_COMMON)

$(BUILD)/labpulse: $(call obj,cli/main.c) $(BUILD)/libcli.a $(BUILD)/libconfig.a $(BUILD)/libdrivers.a
	$(call say,LD) $(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS_CLI) $(LIBS_COMMON)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC) $(CC) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

# A test is one file; it may include the .c it tests to reach its statics (then the archive's copy
# of that file is simply not pulled in).
$(BUILD)/tests/%_test: tests/%_test.c $(BUILD)/libdaemon.a $(BUILD)/libcli.a $(BUILD)/libconfig.a $(BUILD)/libdrivers.a
	@mkdir -p $(@D)
	$(call say,LD) $(CC) $(CFLAGS_ALL) -MMD -MP -MF $@.d -o $@ $< $(BUILD)/libdaemon.a $(BUILD)/libcli.a \
	  $(BUILD)/libconfig.a $(BUILD)/libdrivers.a $(LDFLAGS_ALL) -lcmocka $(LIBS_DAEMON) $(LIBS_COMMON) -lutil

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

.PHONY: unit
unit: $(UNIT_BIN)
	@tests/run-unit.sh $(UNIT_BIN)

.PHONY: clean
clean:
	rm -rf build
