# SPDX-License-Identifier: MIT
# One make, not recursive. `make demo` and `make test` are all a newcomer needs: both install what
# is missing. `make help` lists the rest.

CC ?= gcc
PKG_CONFIG ?= pkg-config
BUILD ?= build
PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
UNITDIR ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d
UDEVDIR ?= $(PREFIX)/lib/udev/rules.d
VERSION := 0.1.0

PKGS := libuv libmodbus libmosquitto yaml-0.1 jansson libmicrohttpd libudev sqlite3 zlib libcurl
WARN := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
        -Wpointer-arith -Wvla -Wformat=2 -Werror
ifeq ($(findstring clang,$(CC)),)
  WARN += -Wno-format-truncation # texts for people are cut on purpose
endif
OPT ?= -O2 -g
# -fcf-protection and the like depend on the processor that CC builds for.
HARDEN_x86_64 := -fcf-protection
HARDEN_aarch64 := -mbranch-protection=standard
HARDEN := -fstack-protector-strong -fstack-clash-protection -D_FORTIFY_SOURCE=2 -fPIE \
          $(HARDEN_$(firstword $(subst -, ,$(shell $(CC) -dumpmachine))))
ifneq ($(SAN),)
  OPT := -O1 -g -fno-omit-frame-pointer -fsanitize=$(SAN)
  HARDEN := -fPIE
endif
ifeq ($(COVERAGE),1)
  OPT := -O0 -g --coverage -fprofile-update=atomic
  HARDEN := -fPIE
endif
CFLAGS_ALL = -std=c11 -D_GNU_SOURCE -I. -DLABPULSE_VERSION='"$(VERSION)"' \
             -DLABPULSE_PREFIX='"$(PREFIX)"' $(WARN) $(OPT) $(HARDEN) \
             $(shell $(PKG_CONFIG) --cflags $(PKGS)) -pthread $(CPPFLAGS) $(CFLAGS)
LDFLAGS_ALL = -pie -Wl,-z,relro,-z,now $(OPT) -pthread $(LDFLAGS)

DRIVERS_SRC := $(wildcard drivers/*.c)
CONFIG_SRC := $(wildcard config/*.c)
DAEMON_SRC := $(filter-out daemon/main.c,$(wildcard daemon/*.c))
CLI_SRC := $(filter-out cli/main.c,$(wildcard cli/*.c cli/simulate/*.c))
BRIDGE_SRC := $(filter-out cli/alertmanager/main.c,$(wildcard cli/alertmanager/*.c))
UNIT_SRC := $(wildcard tests/unit/*_test.c tests/drivers/*_test.c)
UNIT_BIN := $(UNIT_SRC:%.c=$(BUILD)/%)

obj = $(patsubst %.c,$(BUILD)/%.o,$(1))
LIBS_COMMON := $(shell $(PKG_CONFIG) --libs yaml-0.1 jansson libmodbus libudev) -lm
LIBS_DAEMON := $(shell $(PKG_CONFIG) --libs libuv libmosquitto libmicrohttpd sqlite3 zlib)
LIBS_CLI := $(shell $(PKG_CONFIG) --libs libmosquitto)
LIBS_BRIDGE := $(shell $(PKG_CONFIG) --libs libcurl libmicrohttpd)

# V=1 shows the commands.
say = $(if $(V),,@echo '  $(1)  $@';)

.PHONY: all
all: $(BUILD)/labpulsed $(BUILD)/labpulse $(BUILD)/labpulse-alertmanager

$(BUILD)/libdrivers.a: $(call obj,$(DRIVERS_SRC))
$(BUILD)/libconfig.a: $(call obj,$(CONFIG_SRC))
$(BUILD)/libdaemon.a: $(call obj,$(DAEMON_SRC))
$(BUILD)/libcli.a: $(call obj,$(CLI_SRC))
$(BUILD)/libbridge.a: $(call obj,$(BRIDGE_SRC))
%.a:
	@mkdir -p $(@D)
	@rm -f $@
	$(call say,AR) ar rcs $@ $^

$(BUILD)/labpulsed: $(call obj,daemon/main.c) $(BUILD)/libdaemon.a $(BUILD)/libconfig.a $(BUILD)/libdrivers.a
	$(call say,LD) $(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS_DAEMON) $(LIBS_COMMON)

$(BUILD)/labpulse: $(call obj,cli/main.c) $(BUILD)/libcli.a $(BUILD)/libconfig.a $(BUILD)/libdrivers.a
	$(call say,LD) $(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS_CLI) $(LIBS_COMMON)

$(BUILD)/labpulse-alertmanager: $(call obj,cli/alertmanager/main.c) $(BUILD)/libbridge.a $(BUILD)/libcli.a $(BUILD)/libconfig.a $(BUILD)/libdrivers.a
	$(call say,LD) $(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS_CLI) $(LIBS_BRIDGE) $(LIBS_COMMON)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC) $(CC) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

# A test is one file; it may include the .c it tests to reach its statics (then the archive's copy
# of that file is simply not pulled in).
$(BUILD)/tests/%_test: tests/%_test.c $(BUILD)/libdaemon.a $(BUILD)/libcli.a $(BUILD)/libconfig.a $(BUILD)/libdrivers.a
	@mkdir -p $(@D)
	$(call say,LD) $(CC) $(CFLAGS_ALL) -MMD -MP -MF $@.d -o $@ $< $(BUILD)/libdaemon.a $(BUILD)/libcli.a \
	  $(BUILD)/libconfig.a $(BUILD)/libdrivers.a $(LDFLAGS_ALL) -lcmocka $(LIBS_DAEMON) $(LIBS_COMMON) -lutil

$(BUILD)/tests/unit/bridge%_test: tests/unit/bridge%_test.c $(BUILD)/libbridge.a $(BUILD)/libcli.a $(BUILD)/libconfig.a $(BUILD)/libdrivers.a
	@mkdir -p $(@D)
	$(call say,LD) $(CC) $(CFLAGS_ALL) -MMD -MP -MF $@.d -o $@ $< $(BUILD)/libbridge.a $(BUILD)/libcli.a \
	  $(BUILD)/libconfig.a $(BUILD)/libdrivers.a $(LDFLAGS_ALL) -lcmocka $(LIBS_CLI) $(LIBS_BRIDGE) $(LIBS_COMMON)

-include $(shell find $(addprefix $(BUILD)/,daemon drivers config cli tests) -name '*.d' 2>/dev/null)

.PHONY: unit unit-build
unit-build: $(UNIT_BIN)
unit: $(UNIT_BIN)
	@tests/run-unit.sh $(UNIT_BIN)

# ---- for people ------------------------------------------------------------------------------

.PHONY: help
help: ## this list
	@grep -hE '^[a-z][a-z-]*:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

.PHONY: demo
demo: ## the simulated lab, a broker and the daemon, live, until Ctrl-C; installs what is missing
	@tests/setup.sh demo
	@$(MAKE) --no-print-directory all
	@BUILD=$(BUILD) exec tests/demo.sh

.PHONY: test
test: ## every test that needs no root and no hardware; installs what is missing
	@tests/setup.sh test
	@$(MAKE) --no-print-directory all unit-build
	@$(MAKE) --no-print-directory unit
	@$(MAKE) --no-print-directory system
	@$(MAKE) --no-print-directory arrows

.PHONY: system
system: all $(BUILD)/fill_backlog
	@tests/npm-setup.sh
	@BUILD=$(BUILD) /usr/bin/python3 -m pytest -q -p no:cacheprovider $(PYTEST) tests/system tests/torture $(TIMED:%=--ignore=%)
	@BUILD=$(BUILD) /usr/bin/python3 -m pytest -q -p no:cacheprovider $(TIMED)

# Looks at single intervals, so nothing may run beside it.
TIMED := tests/system/test_dead_units.py tests/system/test_reload.py tests/system/test_reload_load.py tests/system/test_replay.py tests/system/test_console_scale.py

# Most of them wait most of the time.
PYTEST ?= -n 4

.PHONY: arrows
arrows: ## who may include what
	@tests/arrows.sh

.PHONY: test-more
test-more: ## the long tests, everything again under sanitizers and filters, a cluster; as root also the packages
	@tests/setup.sh test lint storage
	LONG=1 $(MAKE) --no-print-directory test
	LONG=1 $(MAKE) --no-print-directory sanitize
	LONG=1 $(MAKE) --no-print-directory sandbox
	FUZZ_SECONDS=10 $(MAKE) --no-print-directory fuzz
	$(MAKE) --no-print-directory cluster-test
	[ "$$(id -u)" -ne 0 ] || $(MAKE) --no-print-directory package-test cross-test

.PHONY: sanitize
sanitize: ## unit and system tests under ASan+UBSan and TSan
	$(MAKE) --no-print-directory SAN=address,undefined BUILD=build/asan all unit-build
	$(MAKE) --no-print-directory SAN=address,undefined BUILD=build/asan unit
	$(MAKE) --no-print-directory SAN=address,undefined BUILD=build/asan system
	$(MAKE) --no-print-directory SAN=thread BUILD=build/tsan all unit-build
	$(MAKE) --no-print-directory SAN=thread BUILD=build/tsan unit
	$(MAKE) --no-print-directory SAN=thread BUILD=build/tsan system

.PHONY: coverage
coverage: ## line coverage of the unit and system tests
	@tests/setup.sh test
	@find $(BUILD)/coverage -name '*.gcda' -delete 2>/dev/null || true
	$(MAKE) --no-print-directory COVERAGE=1 BUILD=$(BUILD)/coverage all unit system
	@tests/coverage.sh $(BUILD)/coverage

$(BUILD)/fill_backlog: tests/tools/fill_backlog.c $(BUILD)/libdaemon.a $(BUILD)/libconfig.a $(BUILD)/libdrivers.a
	@mkdir -p $(@D)
	$(call say,LD) $(CC) $(CFLAGS_ALL) -o $@ $^ $(LDFLAGS_ALL) $(LIBS_DAEMON) $(LIBS_COMMON)

$(BUILD)/gen_docs: tests/tools/gen_docs.c tests/tools/gen_alarms.h $(BUILD)/libconfig.a $(BUILD)/libdrivers.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -o $@ $(filter-out %.h,$^) $(LDFLAGS_ALL) $(LIBS_COMMON)

.PHONY: docs
docs: $(BUILD)/gen_docs ## schemas and tables of docs/ from the tables of config/ and drivers/
	tests/tools/docs.sh $(BUILD)/gen_docs
	docs/man/keys.sh

.PHONY: format
format: ## clang-format over all C files
	clang-format -i $(C_FILES)

.PHONY: lint
lint: ## formatting, and functions and files that grew too long
	@tests/setup.sh lint
	clang-format --dry-run -Werror $(C_FILES)
	@tests/lengths.sh

C_FILES := $(wildcard daemon/*.[ch] drivers/*.[ch] config/*.[ch] cli/*.[ch] cli/simulate/*.[ch] cli/alertmanager/*.[ch] \
             tests/*/*.[ch] tests/*/*/*.[ch])

# Into DESTDIR: programs, profiles, manual pages, completion, units, the example. Nothing in
# $(SYSCONFDIR): the configuration is its owner's, systemd-tmpfiles makes the directory.
SHARE := $(DESTDIR)$(PREFIX)/share
DOC := $(SHARE)/doc/labpulse
COMPLETION := $(SHARE)/bash-completion/completions
UNITS := $(wildcard systemd/*.service)
MAN := $(wildcard docs/man/*.[158])
.PHONY: install
install: all ## DESTDIR and PREFIX as usual
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/bin $(SHARE)/labpulse/profiles \
	  $(DOC)/examples $(DOC)/schemas $(DOC)/pictures $(DESTDIR)$(UNITDIR)
	install -m 755 $(BUILD)/labpulsed $(BUILD)/labpulse-alertmanager $(DESTDIR)$(PREFIX)/sbin/
	install -m 755 $(BUILD)/labpulse $(DESTDIR)$(PREFIX)/bin/
	install -m 644 config/profiles/*.yaml $(SHARE)/labpulse/profiles/
	install -m 644 README.md $(wildcard docs/*.md) $(DOC)/
	install -m 644 docs/schemas/* $(DOC)/schemas/
	install -m 644 docs/pictures/* $(DOC)/pictures/
	install -m 644 config/labpulse.yaml $(wildcard config/alertmanager/*.yml) $(DOC)/examples/
	$(foreach u,$(UNITS),sed 's|/usr/|$(PREFIX)/|' $(u) > $(DESTDIR)$(UNITDIR)/$(notdir $(u));)
	$(foreach m,$(MAN),install -D -m 644 $(m) $(SHARE)/man/man$(subst .,,$(suffix $(m)))/$(notdir $(m));)
	install -D -m 644 cli/completion.bash $(COMPLETION)/labpulse
	ln -sf labpulse $(COMPLETION)/labpulsed
	ln -sf labpulse $(COMPLETION)/labpulse-alertmanager
	install -D -m 644 systemd/labpulse.sysusers $(DESTDIR)$(SYSUSERSDIR)/labpulse.conf
	install -D -m 644 systemd/labpulse.tmpfiles $(DESTDIR)$(TMPFILESDIR)/labpulse.conf
	install -D -m 644 systemd/70-labpulse.rules $(DESTDIR)$(UDEVDIR)/70-labpulse.rules

-include $(wildcard tests/*/*.mk debian/*.mk config/*/*.mk console/*.mk cli/*/*.mk)

.PHONY: clean
clean: ## removes build/
	rm -rf build
