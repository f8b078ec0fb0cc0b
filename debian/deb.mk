# SPDX-License-Identifier: MIT
# make deb: the Debian package of a commit (REV, HEAD by default; $(git stash create) for what is
# not committed yet), built in a copy of its own. Nothing is written beside build/deb.

DEB := build/deb
DEB_TREE := $(DEB)/labpulse-$(VERSION)
DEB_FILE = $(DEB)/labpulse_$(VERSION)_$(shell dpkg --print-architecture).deb
REV ?= HEAD

# nocheck: `make test` runs the same unit tests, and more.
.PHONY: deb
deb: ## the Debian package, into build/deb; ARCH=arm64 for the other kind of gateway
	@tests/setup.sh deb
	@rm -rf $(DEB_TREE)
	@mkdir -p $(DEB_TREE)
	git archive $(REV) | tar -x -C $(DEB_TREE)
	cd $(DEB_TREE) && DEB_BUILD_OPTIONS='nocheck parallel=2' dpkg-buildpackage -us -uc -b
	@rm -rf $(DEB_TREE)
	@ls $(DEB)/*.deb
