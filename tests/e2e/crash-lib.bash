# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # used in crash, set in crash
# What tests/e2e/crash knows of one private host: how to bring it into the state in which a
# scenario begins, what it looks like afterwards, and the runs of clonebox on it.
#
# To be sourced by crash, which sets:
#   work program shim console
# After use_worker NAME, everything below belongs to that worker and its host.

scenarios=(create create-back update update-live destroy create-linux destroy-linux)
vm=vm
bystander=bystander

use_worker() {
	worker=$1
	dir=$work/$worker
	host=$dir/h
	state=$dir/state
	manifest=$dir/m/vm.clonebox.yaml
	images=$host/lib/images
	uri=$(cat "$host/uri" 2>/dev/null || true)
	nonce=nonce-$worker
	running_for=''
}

milliseconds() { printf '%s\n' $(($(date +%s%N) / 1000000)); }

# Several commands in one, some of which may fail.
virsh_here() { virsh -q -c "$uri" "$@" </dev/null || true; }

### Scenarios ###################################################################

is_linux() { [[ $1 == *-linux ]]; }

# manifest_for SCENARIO first|second: what stands there before, and what the run makes of it.
write_manifest() {
	local scenario=$1 which=$2 state=running memory=32 vcpus=1 autostart=true base=base.qcow2
	[ "$scenario" != update ] || state=stopped
	! is_linux "$scenario" || { memory=128; base=linux.qcow2; }
	if [[ $scenario == update* ]] && [ "$which" = second ]; then
		memory=48 vcpus=2 autostart=false
	fi
	{
		cat <<-END
			version: "1"
			vms:
			  $vm:
			    state: $state
			    autostart: $autostart
			    ram_mb: $memory
			    vcpus: $vcpus
			    disk_size_gb: 1
			    base_image: ./$base
			    accel: tcg
			    gui: false
			    network_mode: user
		END
		[ "$memory" != 48 ] || printf '    description: changed\n'
		! is_linux "$scenario" || printf '    boot: {kernel: ./vmlinuz, initrd: ./initrd, cmdline: "%s"}\n' \
			'console=ttyS0 quiet'
	} >"$manifest"
}

# The command line of the run that is killed, and of the one that repairs; what the former meets.
command_of() {
	arguments=(apply)
	case $1 in
	destroy) arguments=(destroy --allow-force-off --shutdown-timeout 0s) ;;
	destroy-linux) arguments=(destroy) ;;
	esac
	# A start that fails takes everything back.
	faults=()
	[ "$1" != create-back ] || faults=(CB_SHIM_FAIL_NAME=virDomainCreate)
	arguments+=(--yes -c "$uri" --state-dir "$state" -f "$manifest")
}

runs_afterwards() { [[ $1 == create* || $1 == update-live ]]; }

### The host before a run #######################################################

qemu_processes() {
	local file
	{ grep -lsF -- " $(cat "$host/mark") " /proc/[0-9]*/mountinfo || true; } | while read -r file; do
		[ "$(cat "${file%/*}/comm" 2>/dev/null)" != qemu-system-x86 ] || printf '%s\n' "${file//[!0-9]/}"
	done
}

empty_host() {
	local left
	left=$(virsh_here "destroy $vm; undefine $vm; pool-destroy default; pool-undefine default
		list --all --name; pool-list --all --name" 2>/dev/null | xargs)
	[ "$left" = $bystander ] || die "$worker: the host cannot be emptied; there still is: $left"
	[ -z "$(qemu_processes)" ] || die "$worker: a QEMU is left"
	rm -rf "$state" "${images:?}"/*
	running_for=''
}

# What the scenario begins with, made by clonebox itself and kept for restore.
make_fixture() {
	local scenario=$1 fixture=$dir/fixture/$1
	empty_host
	[[ $scenario != create* ]] || return 0
	write_manifest "$scenario" first
	"$program" apply --yes -q -c "$uri" --state-dir "$state" -f "$manifest" >"$dir/fixture.out" 2>&1 ||
		{ cat "$dir/fixture.out" >&2; die "$worker: apply failed"; }
	mkdir -p "$fixture"
	virsh -q -c "$uri" dumpxml --inactive --security-info $vm >"$fixture/vm.xml"
	virsh -q -c "$uri" pool-dumpxml --inactive default >"$fixture/pool.xml"
	[ "$scenario" = update ] || virsh_here "destroy $vm" >/dev/null 2>&1
	# A guest may have written; and a file of somebody else lies beside.
	printf 'not ours\n' >"$images/$bystander.img"
	cp -a "$images" "$fixture/images"
	cp -a "$state" "$fixture/state"
}

restore() {
	local scenario=$1 fixture=$dir/fixture/$1
	if [[ $scenario == create* ]]; then
		empty_host
	elif [ "$running_for" = "$scenario" ]; then
		# The guest goes on: nothing may have happened to it.
		rm -rf "$state"
		virsh_here "define $fixture/vm.xml; autostart $vm; desc $vm --live ''" >/dev/null
	else
		empty_host
		cp -a "$fixture/images/." "$images/"
		virsh_here "pool-define $fixture/pool.xml; pool-autostart default; pool-start default
			define $fixture/vm.xml; autostart $vm" >/dev/null
		[ "$scenario" = update ] || virsh_here "start $vm" >/dev/null
		! is_linux "$scenario" || says_nonce "$scenario" >/dev/null || die "$worker: no guest"
		! is_linux "$scenario" || "$console" agent "$uri" $vm 60 || die "$worker: no agent"
	fi
	[[ $scenario == create* ]] || cp -a "$fixture/state" "$state"
	write_manifest "$scenario" second
}

### The host after a run ########################################################

says_nonce() {
	local line="^clonebox-bios: ready nonce=$nonce\$"
	# Booted once: nobody has restarted it.
	! is_linux "$1" || line="^clonebox-guest: ready nonce=$nonce boot=.* boots=1\$"
	"$console" "$uri" $vm 60 "$line"
}

# Everything that a run can change and that must come out the same whatever happened on the way.
# What is different each time (ids, times, terminals) is masked, and the alias of the USB controller
# that is none, which libvirtd forgets when it is started anew.
picture() {
	local out=$dir/picture volume command uuid controller file
	command="list --all; dominfo $vm; dumpxml --inactive $vm; dumpxml $vm; dumpxml $bystander
		pool-list --all; pool-refresh default; pool-info default; pool-dumpxml default"
	for volume in "$images"/*; do
		command+="; vol-dumpxml ${volume##*/} default"
	done
	{
		virsh_here "$command" 2>"$out.err"
		sed '/^$/d' "$out.err"
		printf '== files of the pool\n'
		(cd "$images" && find . -mindepth 1 -printf '%P %y %m\n' | sort)
		[ ! -e "$images/$bystander.img" ] || cat "$images/$bystander.img"
		for file in "$images"/*; do
			[[ ${file##*/} =~ ^(.*)-[0-9a-f]{12}-[0-9a-f]{8}(\..*)?$ ]] || continue
			volume=$dir/m/${BASH_REMATCH[1]}
			[ -e "$volume" ] || volume+=${BASH_REMATCH[2]}
			cmp "$file" "$volume" && printf 'uploaded whole\n'
		done
		printf '== files left in the state directory\n'
		files_left
		printf '== QEMU processes: %s\n' "$(qemu_processes | wc -l)"
		printf '== locks held:\n'
		locks_held
	} >"$out.raw" 2>&1
	uuid=$(sed -n 's/^UUID: *//p' "$out.raw" | head -n 1)
	controller=$(cat "$state/controller-id" 2>/dev/null || true)
	sed -E \
		-e "s/${uuid:-no uuid}/UUID-OF-VM/g" \
		-e "s/${controller:-no controller}/CONTROLLER/g" \
		-e 's/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/ANY-UUID/g' \
		-e 's/[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}/TRANSACTION/g' \
		-e 's/-[0-9a-f]{8}(\.[a-z0-9]+)/-TRANSACTION\1/g' \
		-e "s/(<mac address=')[^']*/\1MAC/" \
		-e "s/^(<domain .*) id='[0-9]+'/\1 id='ID'/" \
		-e "s/^ *[0-9]+ +($vm|$bystander) +/ ID \1 /; s/^ - +/ - /" \
		-e 's/^(Id: +)[0-9]+/\1ID/' \
		-e 's|/dev/pts/[0-9]+|PTS|g' \
		-e 's/domain-[0-9]+-/domain-ID-/g' \
		-e "s|$dir/|HERE/|g" \
		-e "/<controller type='usb'.* model='none'>/{N; N; s|>.*|/>|}" \
		-e '/^(CPU time|Used memory|Available|Allocation):/d' \
		-e '/<(allocation|available|physical|atime|mtime|ctime|btime)( |>)/d' \
		"$out.raw" >"$out"
}

# What is neither a lock, nor a closed journal, nor the id of this installation.
files_left() {
	[ -d "$state" ] || return 0
	(cd "$state" && find . -mindepth 1 -printf '%P\n') | { grep -vxE \
		'controller-id|locks|locks/[^/]*\.lock|journal|journal/closed|journal/closed/[0-9TZ]*-[0-9a-f]{8}\.cbj|journal/late|journal/late/[0-9TZ]*-[0-9a-f]{8}' ||
		true; }
}

locks_held() {
	local inode
	[ ! -d "$state/locks" ] || find "$state/locks" -type f -printf '%i\n' | while read -r inode; do
		grep -E ":$inode [0-9]+ (EOF|[0-9]+)\$" /proc/locks || true
	done
}

### Runs ########################################################################

# shimmed NAME [VARIABLE=VALUE...] -- ARGUMENT...: clonebox, watched; NAME.out, NAME.log
shimmed() {
	local name=$1 set=()
	shift
	while [ "$1" != -- ]; do
		set+=("$1")
		shift
	done
	shift
	rm -f "$dir/$name.log"
	# In a subshell, so that bash does not talk about who was killed.
	(timeout 120 env LD_PRELOAD="$shim" CB_SHIM_LOG="$dir/$name.log" CB_SHIM_STATE="$state" "${set[@]}" \
		"$program" "$@" >"$dir/$name.out" 2>&1 </dev/null
		exit $?) 2>/dev/null
}

plain() {
	local name=$1
	shift
	timeout 120 "$program" "$@" >"$dir/$name.out" 2>&1 </dev/null
}

# The effects of a log, one per line: "NUMBER NAME WHAT-FILE".
effects() {
	awk -F '\t' -v state="$state/" '
		$3 != "before" { next }
		{
			sub(/.* -> /, "", $4)
			if (index($4 "/", state) == 1)
				$4 = substr($4, length(state) + 1)
			gsub(/[0-9]+T[0-9]+Z-[0-9a-f]+/, "ID", $4)
			sub(/\.[A-Za-z0-9][A-Za-z0-9][A-Za-z0-9][A-Za-z0-9][A-Za-z0-9][A-Za-z0-9]$/, ".new", $4)
			if ($4 ~ /^locks\//)
				sub(/%.*/, "", $4)
			sub(/^journal\/\.ID/, "journal/ID", $4)
			if ($2 != "sync" && $2 !~ /^vir/ && $4 == "")
				$4 = "."
			print $1, $2, $4
		}' "$1"
}

open_journals() {
	local file
	for file in "$state"/journal/*.cbj; do
		[ ! -f "$file" ] || basename "$file" .cbj
	done
}

outcome_of() {
	grep -a '"type":"close"' "$state/journal/closed/$1.cbj" 2>/dev/null |
		sed -n 's/.*"outcome":"\([a-z-]*\)".*/\1/p'
}
