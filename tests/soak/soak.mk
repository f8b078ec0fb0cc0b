# SPDX-License-Identifier: MIT
# make soak: SOAK_SECONDS (600) of dead devices, a bouncing broker, reloads and requests.

.PHONY: soak
soak: all $(BUILD)/tests/bench/receiver
	BUILD=$(BUILD) /usr/bin/python3 tests/soak/soak.py
