#!/bin/sh
# Installs what is missing on Debian 12, by package name, for one or more purposes:
#   tests/setup.sh build|demo|console|test|lint|fuzz|bench|deb|cross|boot|vm|cluster|storage ...
# (console: its libraries from npm; boot: the package under a real systemd; vm: the same in a virtual
# machine; cluster, storage: other brokers, databases)
# Asks for root (sudo) only if something is missing.
set -eu

build="gcc make pkg-config libc6-dev libuv1-dev libmodbus-dev libmosquitto-dev libyaml-dev libjansson-dev libmicrohttpd-dev libudev-dev libsqlite3-dev zlib1g-dev libcurl4-openssl-dev"
demo="$build mosquitto"
console="nodejs npm"
test="$demo $console chromium chromium-driver fonts-dejavu-core python3-selenium mosquitto-clients libcmocka-dev umockdev gir1.2-umockdev-1.0 python3-gi openssl python3 python3-pytest python3-pytest-xdist
      python3-pymodbus python3-serial python3-serial-asyncio python3-paho-mqtt python3-jsonschema
      python3-yaml python3-jinja2 python3-pyte python3-wcwidth mbpoll socat prometheus prometheus-alertmanager python3-seccomp"
lint="clang clang-format universal-ctags"
fuzz="$build clang libclang-rt-dev"
bench="$test collectd-core strace valgrind"
deb="$build build-essential debhelper dpkg-dev fakeroot lintian man-db bash-completion systemd"
cross="$deb mmdebstrap arch-test qemu-user-static mosquitto mosquitto-clients"
boot="$deb mmdebstrap systemd-container"
cluster="$test ejabberd"
storage="$test postgresql python3-psycopg2 influxdb"
vm="$boot qemu-system-x86 qemu-utils e2fsprogs openssh-client socat python3 python3-paho-mqtt mosquitto"

wanted=""
for purpose in "$@"; do
	case $purpose in
	build) wanted="$wanted $build" ;;
	demo) wanted="$wanted $demo" ;;
	console) wanted="$wanted $console" ;;
	cluster) wanted="$wanted $cluster" ;;
	storage) wanted="$wanted $storage" ;;
	test) wanted="$wanted $test" ;;
	lint) wanted="$wanted $lint" ;;
	fuzz) wanted="$wanted $fuzz" ;;
	bench) wanted="$wanted $bench" ;;
	deb) wanted="$wanted $deb" ;;
	cross) wanted="$wanted $cross" ;;
	boot) wanted="$wanted $boot" ;;
	vm) wanted="$wanted $vm" ;;
	*) echo "setup.sh: $purpose: not one of build, demo, console, test, lint, fuzz, bench, deb, cross, boot, vm, cluster, storage" >&2; exit 64 ;;
	esac
done

missing=""
for p in $wanted; do
	case " $missing " in *" $p "*) continue ;; esac
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] && continue
	# Something else may bring the command along (a newer Node.js, say).
	case $p in
	nodejs) command -v node >/dev/null 2>&1 && continue ;;
	npm) command -v npm >/dev/null 2>&1 && continue ;;
	esac
	missing="$missing $p"
done
[ -n "$missing" ] || exit 0

echo "installing:$missing"
as_root=""
if [ "$(id -u)" -ne 0 ]; then
	command -v sudo >/dev/null 2>&1 || {
		echo "setup.sh: run this as root once: apt-get install$missing" >&2
		exit 77
	}
	as_root=sudo
fi
# Services that come with the packages are not to start here: what is needed is started by hand.
policy=/usr/sbin/policy-rc.d
made_policy=""
if [ ! -e "$policy" ]; then
	printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
	$as_root chmod 755 "$policy"
	made_policy=1
fi
rc=0
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -qq || rc=$?
# shellcheck disable=SC2086
$as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null || rc=$?
[ -z "$made_policy" ] || $as_root rm -f "$policy"
exit "$rc"
