# SPDX-License-Identifier: MIT
# make cluster-test: gateways on two nodes of ejabberd, one of which dies under load.

.PHONY: cluster-test
cluster-test: all ## a broker of two nodes (ejabberd), one of which is killed under load; up to 8 minutes
	@tests/setup.sh cluster
	BUILD=$(BUILD) /usr/bin/python3 -m pytest -q -s --import-mode=importlib -p no:cacheprovider tests/cluster
