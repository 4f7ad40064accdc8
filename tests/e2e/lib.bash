# shellcheck shell=bash
# What the end-to-end tests share: private hosts, a hermetic run of the program, assertions, TAP.
# To be sourced by a script that then says
#
#	suite [PROFILE]...                  a private host for each profile; $host is the first one
#	check 'what is promised' FUNCTION   runs FUNCTION as one test, on a clean host
#	finish
#
# A test is a function in a subshell; whatever fails in it, fails the test. It finds
#
#	$project     an empty directory that the program is started in
#	$state       its state directory, not there yet
#	$uri $host   the host and its directory
#
# and is followed by everything that was said, if it fails. `only=REGEX` in the environment picks
# tests by name. CB_PROGRAM names another program than build/clonebox.

set -uo pipefail
# shellcheck source-path=SCRIPTDIR source=../testbed/testbed.bash
source "$(dirname "${BASH_SOURCE[0]}")/../testbed/testbed.bash"

# No user's environment shall decide: libvirt's and clonebox's own variables are the tests' to set.
unset "${!CLONEBOX_@}" "${!LIBVIRT_@}" "${!VIRSH_@}" "${!CB_SHIM_@}" LD_PRELOAD XDG_STATE_HOME NO_COLOR
export PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin TZ=UTC

program=$(realpath "${CB_PROGRAM:-$testbed_root/build/clonebox}")
shim=$testbed_root/build/tests/libshim.so

### The suite ###################################################################

passed=0
failed=0

# Ends the whole script: what is needed for any test is not there.
bail() {
	printf 'Bail out! %s\n' "$*"
	exit 1
}

suite() {
	local profile
	umask 022
	work=$(mktemp -d "${TMPDIR:-/tmp}/cb-e2e.XXXXXX")
	chmod 711 "$work"
	trap leave EXIT
	trap 'cut_short 130' INT
	trap 'cut_short 143' TERM
	[ -x "$program" ] || bail "'$program' is missing; run make"
	make -s -C "$testbed_root" build/tests/libshim.so >"$work/log" 2>&1 || bail "$(cat "$work/log")"
	console=$(helper console) || bail 'no console'
	"$testbed_dir/guest" build >"$work/log" 2>&1 || bail "$(cat "$work/log")"
	for profile in "$@"; do
		"$testbed_dir/host" start "$work/$profile" --profile "$profile" >"$work/log" 2>&1 ||
			bail "$(cat "$work/log")"
	done
	mkdir "$work/files"
	files=$work/files
	use_host "${1:-}"
}

use_host() {
	host=${1:+$work/$1}
	uri=
	[ -z "$host" ] || uri=$(cat "$host/uri")
	images=$host/lib/images
}

# What the test that was under way has said so far may tell why it did not end.
cut_short() { # STATUS
	printf 'not ok - %s: ended from outside\n' "${name:-no test}"
	[ ! -e "${test_dir:-}/log" ] || sed 's/^/# /' "$test_dir/log"
	exit "$1"
}

leave() {
	local directory
	trap - INT TERM
	kill_jobs
	for directory in "$work"/*/.testbed; do
		[ ! -e "$directory" ] || "$testbed_dir/host" stop "${directory%/.testbed}" || true
	done
	rm -rf "$work"
}

# check NAME FUNCTION [ARGUMENT]...
check() {
	local name=$1 status begun=$SECONDS
	shift
	[[ $name =~ ${only:-} ]] || return 0
	test_dir=$work/test
	project=$test_dir/project
	state=$test_dir/state
	mkdir -p "$project" "$test_dir/home"
	chmod 711 "$test_dir" "$project"
	: >"$test_dir/why"
	(
		set -eE
		trap 'fail "line $LINENO: $BASH_COMMAND"' ERR
		"$@"
		[ -z "$host" ] || untouched_bystander
	) >"$test_dir/log" 2>&1 </dev/null
	status=$?
	if [ $status -eq 0 ]; then
		passed=$((passed + 1))
		printf 'ok - %s\n' "$name"
	else
		failed=$((failed + 1))
		printf 'not ok - %s: %s\n' "$name" "$(head -1 "$test_dir/why")"
		sed 's/^/# /' "$test_dir/log"
	fi
	[ -z "${CB_E2E_TIMES:-}" ] || printf '# %s s\n' $((SECONDS - begun))
	kill_jobs
	[ -z "$host" ] || clean_host
	rm -rf "$test_dir"
}

finish() {
	json_as_promised
	printf '%s passed, %s failed\n' "$passed" "$failed"
	[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
	exit
}

# Ends the test.
fail() {
	trap - ERR
	[ -s "$test_dir/why" ] || printf '%s\n' "$*" >"$test_dir/why"
	printf '! %s\n' "$*"
	exit 1
}

# Programs that the test has put in the background.
kill_jobs() {
	local pid
	while read -r pid; do
		kill -CONT "$pid" 2>/dev/null
		kill -KILL "$pid" 2>/dev/null
	done < <(cat "${test_dir:-}/jobs" 2>/dev/null)
}

### The program #################################################################

out=
err=
declare -a injected=() extra=() wrapper=()
limit=100

# inject VARIABLE=VALUE...: the next run of the program happens below the shim. Without arguments
# it only counts.
inject() {
	injected=(LD_PRELOAD="$shim" CB_SHIM_LOG="$test_dir/effects" CB_SHIM_STATE="$state" "$@")
	rm -f "$test_dir/effects"
}

# $extra: more variables; $wrapper: a command that runs the program.
environment() {
	printf '%s\0' PATH=/usr/bin:/bin HOME="$test_dir/home" LC_ALL=C TZ=UTC \
		CLONEBOX_CONFIG=/dev/null CLONEBOX_STATE_DIR="$state" ${uri:+CLONEBOX_CONNECT="$uri"} "${extra[@]}"
}

# clonebox ARGUMENT...: sets $status; what was said is in $test_dir/out and $test_dir/err.
clonebox() {
	local variables
	mapfile -d '' variables < <(environment)
	out=$test_dir/out
	err=$test_dir/err
	printf '+ clonebox %s%s\n' "$*" "${injected[*]:+  (${injected[*]:3})}"
	status=0
	(
		cd "$project" || exit 125
		exec env -i "${variables[@]}" timeout -k 5 "$limit" \
			"${wrapper[@]}" env "${injected[@]}" "$program" "$@"
	) >"$out" 2>"$err" || status=$?
	sed 's/^/  | /' "$out"
	sed 's/^/  2 /' "$err"
	printf '  = %s\n' "$status"
	injected=()
	keep_json "$@"
	[ $status -ne 124 ] || fail "clonebox $*: did not end within $limit s"
	[ $status -lt 131 ] || [ $status -eq 137 ] || fail "clonebox $*: ended by signal $((status - 128))"
	! grep -q $'\033' "$out" "$err" || fail "clonebox $*: colour where there is no terminal"
}

# What was printed as JSON is kept for the end: one validator for all of it is fast.
keep_json() {
	local kept
	[[ " $* " =~ \ (-o\ ?|--output[ =])json\  && -s $out && $status -lt 124 ]] || return 0
	mkdir -p "$work/json"
	kept=$(mktemp "$work/json/XXXXXX.json")
	cp "$out" "$kept"
	printf '%s: clonebox %s\n' "${name:-}" "$*" >"${kept%json}call"
}

# A test of its own: all of it is as `clonebox schema` says.
json_as_promised() {
	[ -d "$work/json" ] || return 0
	if "$testbed_root/tests/schema/check" --outputs "$work/json" "$program"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
	fi
}

# expect STATUS ARGUMENT...
expect() {
	local wanted=$1
	shift
	clonebox "$@"
	[ "$status" -eq "$wanted" ] || fail "clonebox $*: exit status $status, not $wanted"
}

# Starts it in the background: sets $job; wait_job sets $status.
background() {
	local variables
	mapfile -d '' variables < <(environment)
	out=$test_dir/out
	err=$test_dir/err
	printf '+ clonebox %s &\n' "$*"
	# What an earlier one said must not be taken for this one's.
	: >"$out"
	: >"$err"
	(
		cd "$project" || exit 125
		# A shell lets what it puts in the background ignore Ctrl-C.
		trap - INT
		exec env -i "${variables[@]}" env --default-signal=INT "${injected[@]}" "$program" "$@"
	) >"$out" 2>"$err" <"${input:-/dev/null}" &
	job=$!
	echo "$job" >>"$test_dir/jobs"
	injected=()
}

wait_job() {
	status=0
	within 60 ended "$job" || fail 'clonebox in the background does not end'
	wait "$job" || status=$?
	sed 's/^/  | /' "$out"
	sed 's/^/  2 /' "$err"
	printf '  = %s\n' "$status"
}

ended() { ! kill -0 "$1" 2>/dev/null || grep -qs '^State:	Z' "/proc/$1/status"; }

# within SECONDS COMMAND...
within() {
	local tries=$(($1 * 50))
	shift
	until "$@"; do
		[ $((tries--)) -gt 0 ] || return 1
		sleep 0.02
	done
}

# says REGEX: on either stream. says_not, says_out, says_err.
says() { grep -qE -- "$1" "$out" "$err" || fail "it does not say '$1'"; }
says_not() { ! grep -qE -- "$1" "$out" "$err" || fail "it says '$1'"; }
says_out() { grep -qE -- "$1" "$out" || fail "standard output does not say '$1'"; }
says_err() { grep -qE -- "$1" "$err" || fail "standard error does not say '$1'"; }

# json FILTER EXPECTED: of standard output.
json() {
	local is
	is=$(jq -rc "$1" "$out") || fail "standard output is not JSON"
	[ "$is" = "$2" ] || fail "$1 is '$is', not '$2'"
}

# How often the last run below the shim called libvirt to change something.
modified() { sed -n 's/.*\ttotal\texit\t.*libvirt=\([0-9]*\).*/\1/p' "$test_dir/effects"; }
wrote() { sed -n 's/.*\ttotal\texit\t.*libc=\([0-9]*\).*/\1/p' "$test_dir/effects"; }
# How often it began to call NAME.
called() { awk -F '\t' -v name="$1" '$2 == name && $3 == "before" { n++ } END { print n + 0 }' "$test_dir/effects"; }
# The number of the K-th call of NAME among all effects.
number_of() { awk -F '\t' -v name="$1" -v k="${2:-1}" '$2 == name && $3 == "before" && ++n == k { print $1 }' "$test_dir/effects"; }
fired() { grep -qE $'\t(injected|late)$' "$test_dir/effects" || fail 'the failure was not injected: nobody called it'; }

# is WHAT EXPECTED SEEN
is() { [ "$2" = "$3" ] || fail "$1: '$3', not '$2'"; }
same() { cmp -s "$2" "$3" || { diff "$2" "$3" || true; fail "$1 has changed"; }; }

open_journals() { find "$state/journal" -maxdepth 1 -name '*.cbj' 2>/dev/null | wc -l; }
only_id() { basename "$(find "$state/journal" -maxdepth 1 -name '*.cbj')" .cbj; }
settled() { [ "$(open_journals)" -eq 0 ] || fail 'a transaction is open'; }
unsettled() { [ "$(open_journals)" -eq "${1:-1}" ] || fail "$(open_journals) transactions are open, not ${1:-1}"; }
# The errors of the last run are among those that `advised` looks at in the end.
note_errors() { grep 'error: ' "$err" >>"$work/errors" || true; }

# A test: each error that was noted names what to try.
advised() {
	[ -s "$work/errors" ] || fail 'no error was noted'
	! grep -v 'error: .*; .*[a-z]' "$work/errors" || fail "$(grep -v 'error: .*; .*[a-z]' "$work/errors" | head -n 1)"
}

# Nothing of the state directory may say a secret.
holds_nowhere() { ! grep -rqsF -- "$1" "$state" "$out" "$err" || fail "'$1' stands in the state directory or was said"; }

### The host ####################################################################

virsh() { command virsh -q -c "$uri" "$@"; }
on_host() { "$testbed_dir/host" exec "$host" "$@"; }
persistent() { virsh dumpxml --inactive --security-info "$1"; }
xpath() { xmllint --xpath "string($1)" -; }
# yes or no
autostarts() { [ -L "$host/etc/qemu/autostart/$1.xml" ] && echo yes || echo no; }
# active, autostart: yes or no each
pool_state() { virsh pool-list --all --details | awk -v name="$1" '$1 == name { print ($2 == "running" ? "yes" : "no"), $3 }'; }
state_of() { virsh domstate "$1"; }
is_state() { [ "$(state_of "$1")" = "$2" ]; }
wait_state() { within "${3:-30}" is_state "$1" "$2" || fail "'$1' is $(state_of "$1"), not $2"; }
exists() { virsh dominfo "$1" >/dev/null 2>&1; }
network_exists() { virsh net-info "$1" >/dev/null 2>&1; }
# active, autostart, as virsh says them
network_state() { virsh net-list --all | awk -v name="$1" '$1 == name { print $2, $3 }'; }
gone() { ! exists "$1" || fail "domain '$1' is there"; }
there() { exists "$1" || fail "domain '$1' is not there"; }
volumes() { virsh vol-list "${1:-default}" 2>/dev/null | awk '{ print $1 }' | sort; }
refresh() { virsh pool-refresh "${1:-default}" >/dev/null; }
pool_exists() { virsh pool-info "${1:-default}" >/dev/null 2>&1; }

# The names of the images in the pool's directory that begin with PREFIX.
files_like() { find "$images" -mindepth 1 -maxdepth 1 -name "$1*" -printf '%f\n' | sort; }

# hears VM REGEX: a line of the guest's serial console.
hears() {
	"$console" "$uri" "$1" "${3:-40}" "$2" 2>"$test_dir/heard" ||
		fail "'$1' does not say '$2' but '$(tail -n 3 "$test_dir/heard" | head -n 1)'"
}
agent_answers() { "$console" agent "$uri" "$1" 60 || fail "the agent of '$1' does not answer"; }
boot_id() { hears "$1" '^clonebox-guest: ready' | sed 's/.* boot=\([0-9a-f-]*\) .*/\1/'; }

# Everything of the host that clonebox could change, as text.
host_state() {
	virsh 'list --all; pool-list --all; net-list --all' | sed 's/^ *[0-9-]* *//'
	(cd "$host/etc" && find . -name '*.xml' -type f | sort | xargs -d '\n' tail -n +1)
	find "$host/etc" -name '*.xml' -type l -printf '%P -> %l\n' | sort
	find "$images" -type f -printf '%f %i %s\n' | sort
}

before() { host_state >"$test_dir/host.before"; }
as_before() {
	host_state >"$test_dir/host.after"
	same 'the host' "$test_dir/host.before" "$test_dir/host.after"
}

# The same for one VM, with times: what must stay if nothing is done.
vm_files() { find "$host/etc/qemu/$1.xml" "$images" -type f ! -name "${2:--}" -printf '%p %i %T@ %C@\n' | sort; }

# A VM that is not ours and must never change; made before each test.
bystander_xml='<domain type="qemu"><name>bystander</name><uuid>5e7fcf28-3a3c-4f2e-a2a9-4e5d3d3a2b10</uuid>
	<description>somebody else works here</description><memory unit="MiB">16</memory>
	<os><type arch="x86_64" machine="pc">hvm</type></os></domain>'

bystander() {
	virsh define /dev/stdin <<<"$bystander_xml" >/dev/null
	persistent bystander >"$work/bystander"
}

untouched_bystander() {
	[ -e "$work/bystander" ] || return 0
	persistent bystander >"$test_dir/bystander" || fail 'the bystander is gone'
	same 'the bystander' "$work/bystander" "$test_dir/bystander"
}

# Back to an empty host (but for the bystander), whatever a test has left.
clean_host() {
	local name
	"$testbed_dir/host" continue "$host" 2>/dev/null || "$testbed_dir/host" restart "$host"
	while read -r name; do
		[[ -n $name && $name != bystander ]] || continue
		virsh destroy "$name"
		virsh undefine "$name" --managed-save --snapshots-metadata --nvram ||
			virsh undefine "$name" --managed-save --snapshots-metadata
	done < <(virsh list --all --name)
	while read -r name; do
		[ -n "$name" ] || continue
		virsh pool-destroy "$name"
		virsh pool-undefine "$name"
	done < <(virsh pool-list --all --name)
	while read -r name; do
		[ -n "$name" ] || continue
		virsh net-destroy "$name"
		virsh net-undefine "$name"
	done < <(virsh net-list --all --name)
	find "$images" -mindepth 1 -delete
	rm -rf "$host/lib/data"
} >/dev/null 2>&1

### Manifests ###################################################################

# manifest [FILE] <<END
manifest() { cat >"$project/${1:-.clonebox.yaml}"; }

# base NAME NONCE: a small bootable image; each is made once.
base() {
	[ -e "$files/$2" ] || "$testbed_dir/guest" image "$files/$2" "$2" --size 8M
	cp "$files/$2" "$project/$1"
}

# dense NAME MIB: a disk that holds no zeros; each size is made once.
dense() {
	[ -e "$files/dense-$2" ] || head -c "$2M" /dev/urandom >"$files/dense-$2"
	ln -sf "$files/dense-$2" "$project/$1"
}

# shellcheck disable=SC2034 # used by those that source this file
{
	# A VM that starts within a moment; with a disk it says what that holds.
	bios_keys='ram_mb: 32, vcpus: 1, accel: tcg, gui: false, network_mode: user'
	# One that has no disk at all.
	bare_keys="$bios_keys, disk_size_gb: 0"
	# One that runs Linux and the agent; the lines of a map four columns in.
	linux_keys='ram_mb: 128
    vcpus: 1
    disk_size_gb: 1
    base_image: ./base.qcow2
    boot: {kernel: ./vmlinuz, initrd: ./initrd, cmdline: console=ttyS0 quiet}
    accel: tcg
    gui: false
    network_mode: user'
}

# linux_guest NONCE: the files of a VM that runs Linux.
linux_guest() {
	base base.qcow2 "$1"
	ln -sf "$testbed_guest/vmlinuz" "$testbed_guest/initrd" "$project/"
}
