# SPDX-License-Identifier: MIT
# make deb: the Debian package of a commit (REV, HEAD by default; $(git stash create) for what is
# not committed yet), built in a copy of its own. Nothing is written beside build/deb.
#
# make deb ARCH=arm64: for the other kind of gateway, in a chroot of its own, so that nobody's
# computer gets packages of a foreign architecture. Needs root.

DEB := build/deb
DEB_TREE := $(DEB)/labpulse-$(VERSION)
ARCH = $(shell dpkg --print-architecture)
DEB_FILE = $(DEB)/labpulse_$(VERSION)_$(ARCH).deb
CROSS_ROOT := build/cross/$(ARCH)
REV ?= HEAD

# nocheck: `make test` runs the same unit tests, and more.
.PHONY: deb
deb: deb-$(if $(filter-out $(shell dpkg --print-architecture),$(ARCH)),cross,native) ## the Debian package, into build/deb; ARCH=arm64 for the other kind of gateway
	@ls $(DEB)/labpulse*_$(ARCH).deb

.PHONY: deb-tree
deb-tree:
	@rm -rf $(DEB_TREE)
	@mkdir -p $(DEB_TREE)
	git archive $(REV) | tar -x -C $(DEB_TREE)

.PHONY: deb-native
deb-native: deb-tree
	@tests/setup.sh deb
	cd $(DEB_TREE) && DEB_BUILD_OPTIONS='nocheck parallel=2' dpkg-buildpackage -us -uc -b -Pnocheck
	@rm -rf $(DEB_TREE)

.PHONY: deb-cross
deb-cross: deb-tree
	@tests/setup.sh cross
	@[ "$$(id -u)" -eq 0 ] || { echo "make deb ARCH=$(ARCH): needs root (mmdebstrap, chroot)" >&2; exit 77; }
	@debian/cross-root.sh $(CROSS_ROOT) $(ARCH)
	@rm -rf $(CROSS_ROOT)/build
	@mkdir $(CROSS_ROOT)/build
	mv $(DEB_TREE) $(CROSS_ROOT)/build/
	chroot $(CROSS_ROOT) sh -c 'cd /build/labpulse-* && DEB_BUILD_OPTIONS="nocheck parallel=2" \
	  dpkg-buildpackage -us -uc -b -a$(ARCH) -Pcross,nocheck'
	mv $(CROSS_ROOT)/build/*_$(ARCH).* $(DEB)/
	@rm -rf $(CROSS_ROOT)/build
