# SPDX-License-Identifier: MIT
# The example of a Prometheus server: beside the example configuration, not in /etc/prometheus,
# which is its owner's.
.PHONY: install-prometheus
install: install-prometheus
install-prometheus:
	install -d $(DOC)/examples/prometheus/parks
	install -m 644 $(wildcard config/prometheus/*.yml) $(DOC)/examples/prometheus/
	install -m 644 $(wildcard config/prometheus/parks/*.yml) $(DOC)/examples/prometheus/parks/
