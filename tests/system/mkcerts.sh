#!/bin/sh
# SPDX-License-Identifier: MIT
# mkcerts.sh DIR -- certificates for the broker tests, valid for two days
#
# ca.pem signs server (localhost, 127.0.0.1), elsewhere (elsewhere.example.org) and client;
# other-ca.pem signs nothing that is used.
set -eu
cd "$1"

authority() { # NAME SUBJECT
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
		-subj "/CN=$2" -keyout "$1.key" -out "$1.pem" 2>/dev/null
}

certificate() { # NAME SUBJECT ALTERNATIVE-NAMES
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-subj "/CN=$2" -keyout "$1.key" -out "$1.csr" 2>/dev/null
	printf 'subjectAltName=%s\n' "$3" >"$1.ext"
	openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
		-extfile "$1.ext" -out "$1.pem" 2>/dev/null
}

authority ca "test authority"
authority other-ca "another authority"
certificate server localhost "DNS:localhost,IP:127.0.0.1"
certificate elsewhere elsewhere.example.org "DNS:elsewhere.example.org"
certificate client p1 "DNS:p1"
chmod 644 ./*.key # mosquitto may run as another user
