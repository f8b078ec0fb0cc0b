# SPDX-License-Identifier: MIT
# The system tests with each service under its own unit's filter, where a forbidden call kills.
# BUILD/sandbox looks like BUILD to the tests.
SANDBOX := $(BUILD)/sandbox
SANDBOXED := $(foreach p,labpulsed labpulse-alertmanager,$(if $(wildcard systemd/$p.service),$p))
SANDBOX_REAL := $(SANDBOXED:%=$(SANDBOX)/real/%)
SANDBOX_LINKS := $(SANDBOX)/labpulse $(SANDBOX)/fill_backlog
# What touches the lines, USB, the tool's socket, a broker with TLS, a reload, the clean stop.
SANDBOX_QUICK := $(addprefix tests/system/,test_stop.py test_plug.py test_tool_daemon.py \
                 test_broker.py::test_client_certificate test_topics.py::test_metrics \
                 test_topics.py::test_numbers_go_on_over_a_restart)

$(SANDBOXED:%=$(SANDBOX)/%): $(SANDBOX)/%: tests/sandbox/run.c $(SANDBOX)/%.bpf $(SANDBOX)/real/%
	$(call say,LD) $(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $<

$(SANDBOX)/%.bpf: systemd/%.service tests/sandbox/filter.py
	@mkdir -p $(@D)
	$(call say,BPF) /usr/bin/python3 tests/sandbox/filter.py $< $@

$(SANDBOX_REAL): $(SANDBOX)/real/%: $(BUILD)/%
	@mkdir -p $(@D)
	@ln -sf ../../$* $@
$(SANDBOX_LINKS): $(SANDBOX)/%: $(BUILD)/%
	@mkdir -p $(@D)
	@ln -sf ../$* $@
$(SANDBOX)/torture/shim.so: $(BUILD)/torture/shim.so
	@mkdir -p $(@D)
	@ln -sf ../../torture/shim.so $@

.PHONY: sandbox-build sandbox sandbox-quick
sandbox-build: $(SANDBOXED:%=$(SANDBOX)/%) $(SANDBOX_LINKS) $(SANDBOX)/torture/shim.so
sandbox: sandbox-build ## the system tests under the units' system-call filters
	@tests/setup.sh test
	@BUILD=$(SANDBOX) /usr/bin/python3 -m pytest -q -p no:cacheprovider $(PYTEST) tests/system
sandbox-quick: sandbox-build ## a minute of them
	@BUILD=$(SANDBOX) /usr/bin/python3 -m pytest -q -p no:cacheprovider $(PYTEST) $(SANDBOX_QUICK)
