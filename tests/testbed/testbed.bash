# shellcheck shell=bash
# What host, guest and selftest share: where things are, and the helper programs.
# To be sourced after `set -euo pipefail`.

testbed_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
testbed_root=$(cd "$testbed_dir/../.." && pwd)
testbed_build=$testbed_root/build/testbed
testbed_bin=$testbed_build/bin
# shellcheck disable=SC2034 # used by those that source this file
{
	testbed_cache=${CB_TESTBED_CACHE:-$testbed_build/cache}
	testbed_guest=$testbed_build/guest
}

export LC_ALL=C

die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# Prints the path of helper NAME, compiled first if its source is newer.
helper() {
	local name=$1 libraries=() new
	local source=$testbed_dir/$name.c program=$testbed_bin/$name
	if [ ! -x "$program" ] || [ "$source" -nt "$program" ]; then
		mkdir -p "$testbed_bin"
		if [ "$name" = console ]; then
			read -r -a libraries < <(pkg-config --cflags --libs libvirt libvirt-qemu)
		fi
		# Several hosts may start at once: whoever renames last wins, all are the same.
		new=$(mktemp "$program.XXXXXX")
		"${CC:-cc}" -std=c17 -D_GNU_SOURCE -Wall -Wextra -O2 -o "$new" "$source" \
			"${libraries[@]}" || { rm -f "$new"; die "cannot compile $source"; }
		chmod 755 "$new"
		mv -f "$new" "$program"
	fi
	printf '%s\n' "$program"
}
