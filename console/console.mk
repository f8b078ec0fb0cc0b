# SPDX-License-Identifier: MIT
# The console (docs/console.md): a static page in $(CONSOLE). Its libraries come from npm, as
# console/package-lock.json names them; so it is not part of `make install`, which needs no network.

CONSOLE := $(BUILD)/console
CONSOLE_NPM := $(BUILD)/console-npm
CONSOLE_SRC := $(wildcard console/src/*.js)
CONSOLE_DIR := $(DESTDIR)$(PREFIX)/share/labpulse/console

.PHONY: console
console: ## the web page for operators, into build/console; installs Node.js and npm if they are missing
	@tests/setup.sh console
	@$(MAKE) --no-print-directory $(CONSOLE)/index.html

$(CONSOLE_NPM)/.done: console/package.json console/package-lock.json
	@mkdir -p $(@D)
	@cp $^ $(@D)/
	$(call say,NPM) cd $(@D) && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error --fetch-retries=1 --fetch-retry-mintimeout=1000 >&2
	@touch $@

# Mosquitto's http_dir sends no Content-Type, and browsers take a module only with the right one:
# so the modules are joined into two plain scripts. index.html comes last: it stands for the whole.
ESBUILD = NODE_PATH=$(CONSOLE_NPM)/node_modules $(CONSOLE_NPM)/node_modules/.bin/esbuild \
          --bundle --format=iife --minify --charset=utf8 --legal-comments=inline --target=es2021 --log-level=warning
$(CONSOLE)/index.html: $(CONSOLE_SRC) console/index.html console/style.css $(CONSOLE_NPM)/.done
	@mkdir -p $(@D)/licenses
	$(call say,JS) $(ESBUILD) console/src/app.js --outfile=$(@D)/app.js
	@$(ESBUILD) console/src/worker.js --outfile=$(@D)/worker.js
	@cp console/style.css $(CONSOLE_NPM)/node_modules/uplot/dist/uPlot.min.css $(@D)/
	@node console/licenses.js $(CONSOLE_NPM) >$(@D)/licenses/LICENSES.txt
	@cp console/index.html $@

# Pure parts of it, with Node.js's own test runner.
.PHONY: console-test
console-test: ## tests of the console's model, without a browser
	@tests/setup.sh console
	@node --test $(wildcard console/test/*.test.js)

# CONSOLE_PARKS (600), CONSOLE_MACHINES (50), CONSOLE_RATE (500 updates/s), CONSOLE_SECONDS (20 a page)
.PHONY: bench-console
bench-console: ## what frames take before 600 parks and 500 updates a second
	@tests/setup.sh test
	@LONG=1 BUILD=$(BUILD) /usr/bin/python3 -m pytest -q -p no:cacheprovider tests/system/test_console_scale.py

.PHONY: install-console
install-console: console ## the page into DESTDIR$(PREFIX)/share/labpulse/console
	install -d $(CONSOLE_DIR)/licenses
	install -m 644 $(CONSOLE)/*.* $(CONSOLE_DIR)/
	install -m 644 $(CONSOLE)/licenses/* $(CONSOLE_DIR)/licenses/

.PHONY: console-pictures
console-pictures: all ## docs/pictures/console-*.png anew
	@tests/setup.sh test
	@mkdir -p docs/pictures
	@BUILD=$(BUILD) CONSOLE_PICTURES=$(CURDIR)/docs/pictures /usr/bin/python3 -m pytest -q -p no:cacheprovider tests/system/test_console_pictures.py
