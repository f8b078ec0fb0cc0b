# SPDX-License-Identifier: MIT

.PHONY: pictures-watch
pictures-watch: all ## docs/pictures/watch.svg, from what labpulse watch writes
	@mkdir -p docs/pictures
	BUILD=$(BUILD) tests/tools/picture.py docs/pictures/watch.svg
