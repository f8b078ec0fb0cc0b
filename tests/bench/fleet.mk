# SPDX-License-Identifier: MIT
# make bench-fleet: what a fleet costs its broker and the bridge. FLEET_SIZES (600x50), FLEET_INTERVALS
# (10s), FLEET_SECONDS of steady state (120), FLEET_OUTAGE seconds without a broker (30; 0: none),
# FLEET_TLS=1, FLEET_ARCHIVERS subscribers of everything (0), FLEET_JSON the file for the figures ($(BUILD)/fleet.json).

.PHONY: bench-fleet
bench-fleet: all ## 600 simulated gateways at one Mosquitto: CPU, memory, latency, the storm after an outage
	@tests/setup.sh test
	@BUILD=$(BUILD) /usr/bin/python3 tests/bench/fleet.py
