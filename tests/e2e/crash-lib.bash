# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # used in crash, set in crash or crash-scenarios.bash
# What tests/e2e/crash knows of one private host: how to bring it into the state in which a
# scenario begins, what it looks like afterwards, and the runs of clonebox on it.
#
# To be sourced by crash, and by power, which set:
#   work program shim console host_tool
# After use_worker NAME, everything below belongs to that worker and its host.

bystander=bystander

use_worker() {
	worker=$1
	dir=$work/$worker
	host=$dir/h
	state=$dir/state
	manifest=$dir/m/vm.clonebox.yaml
	images=$host/lib/images
	data=$host/lib/data
	uri=$(cat "$host/uri" 2>/dev/null || true)
	nonce=nonce-$worker
	other=other-$worker
	fixture=$dir/fixture/none
	running_for=''
}

milliseconds() { printf '%s\n' $(($(date +%s%N) / 1000000)); }

# Several commands in one, some of which may fail.
virsh_here() { virsh -q -c "$uri" "$@" </dev/null || true; }

# arguments_of COMMAND...: the whole command line of a run.
arguments_of() { arguments=("$@" --yes -j 1 -c "$uri" --state-dir "$state" -f "$manifest"); }

### The host before a run #######################################################

processes_of() {
	local file
	{ grep -lsF -- " $(cat "$host/mark") " /proc/[0-9]*/mountinfo || true; } | while read -r file; do
		[ "$(cat "${file%/*}/comm" 2>/dev/null)" != "$1" ] || printf '%s\n' "${file//[!0-9]/}"
	done
}

# All that libvirt knows, one per line: "domain|pool|network NAME".
all_there() {
	# `echo` ends no line.
	virsh_here 'list --all --name; echo :; pool-list --all --name; echo :; net-list --all --name' |
		sed 's/:/:\n/g' |
		awk 'BEGIN { split("domain pool network", kind); k = 1 }
			$1 == ":" { k++; next } NF { print kind[k], $1 }' | LC_ALL=C sort
}

# A libvirtd that was killed may have left what it does not know of.
forget_networks() {
	local pid
	for pid in $(processes_of dnsmasq); do
		kill -KILL "$pid" 2>/dev/null || true
	done
	# shellcheck disable=SC2016 # the host's shell expands that
	"$host_tool" exec "$host" sh -c 'cd /sys/class/net && for i in virbr*; do
		[ ! -e "$i" ] || ip link delete "$i"; done'
}

# Nothing but the bystander: no guest, no pool, no network, no file.
empty_host() {
	local kind name remove=''
	while read -r kind name; do
		case $kind in
		domain) [ "$name" = $bystander ] || remove+="destroy $name; undefine $name; " ;;
		pool) remove+="pool-destroy $name; pool-undefine $name; " ;;
		network) remove+="net-destroy $name; net-undefine $name; " ;;
		esac
	done < <(all_there)
	[ -z "$remove" ] || virsh_here "$remove" >/dev/null 2>&1
	forget_networks
	[ -z "$remove" ] || [ "$(all_there)" = "domain $bystander" ] ||
		die "$worker: the host cannot be emptied; there still is: $(all_there | xargs)"
	[ -z "$(processes_of qemu-system-x86)" ] || die "$worker: a QEMU is left"
	rm -rf "$state" "${images:?}"/* "${data:?}"
	running_for=''
}

# What the scenario begins with, made by clonebox itself and kept for restore.
make_fixture() {
	local directory volume
	fixture=$dir/fixture/$1
	empty_host
	[ -n "$first" ] || return 0
	printf '%s\n' "$first" >"$manifest"
	prepared apply
	[ ${#then_run[@]} -eq 0 ] || prepared "${then_run[@]}"
	mkdir -p "$fixture"
	save_host
	for directory in "$images" "$data"; do
		[ -d "$directory" ] || continue
		for volume in "$directory"/*-data-*.raw; do
			[ ! -e "$volume" ] || printf 'kept: %s\n' "$volume" | dd of="$volume" conv=notrunc status=none
		done
		# A file of somebody else lies beside.
		printf 'not ours\n' >"$directory/$bystander.img"
		cp -a --sparse=always "$directory" "$fixture/"
	done
	cp -a "$state" "$fixture/state"
}

prepared() {
	arguments_of "$@"
	plain fixture "${arguments[@]}" || { cat "$dir/fixture.out" >&2; die "$worker: $1 failed"; }
}

# The documents of all there is, and in `virsh` the commands that bring it back. Guests are stopped,
# since they may write.
save_host() {
	local kind name file
	while read -r kind name; do
		file=$fixture/$kind-$name.xml
		case $kind in
		network)
			virsh_here net-dumpxml --inactive "$name" >"$file"
			printf 'net-define %s; net-start %s; ' "$file" "$name"
			! virsh_here net-info "$name" | grep -q '^Autostart: *yes' || printf 'net-autostart %s; ' "$name"
			;;
		pool)
			virsh_here pool-dumpxml --inactive "$name" >"$file"
			printf 'pool-define %s; pool-autostart %s; pool-start %s; ' "$file" "$name" "$name"
			;;
		domain)
			[ "$name" != $bystander ] || continue
			virsh_here dumpxml --inactive --security-info "$name" >"$file"
			printf 'define %s; ' "$file"
			! virsh_here dominfo "$name" | grep -q '^Autostart: *enable' || printf 'autostart %s; ' "$name"
			[ "$(virsh_here domstate "$name")" != running ] || {
				printf 'start %s; ' "$name"
				virsh_here destroy "$name" >/dev/null
			}
			;;
		esac
	done < <(all_there | sort -r) >"$fixture/virsh"
}

restore() {
	fixture=$dir/fixture/$1
	if [ -z "$first" ]; then
		empty_host
	elif [ "$running_for" = "$1" ]; then
		# The guest goes on: nothing may have happened to it.
		rm -rf "$state"
		virsh_here "define $fixture/domain-$vm.xml; autostart $vm; desc $vm --live ''" >/dev/null
	else
		empty_host
		cp -a --sparse=always "$fixture/images/." "$images/"
		[ ! -d "$fixture/data" ] || cp -a --sparse=always "$fixture/data" "$data"
		virsh_here "$(cat "$fixture/virsh")" >/dev/null
		if [ $agent = yes ]; then
			all_speak "$vm ^clonebox-guest: ready nonce=$nonce" >/dev/null || die "$worker: no guest"
			"$console" agent "$uri" $vm 60 || die "$worker: no agent"
		fi
	fi
	[ -z "$first" ] || cp -a "$fixture/state" "$state"
	printf '%s\n' "$second" >"$manifest"
}

### The host after a run ########################################################

# all_speak 'MACHINE REGEX'...: each says its line within a minute.
all_speak() {
	local line
	for line; do
		"$console" "$uri" "${line%% *}" 60 "${line#* }" || return 1
	done
}

# Everything that a run can change and that must come out the same whatever happened on the way.
# What is different each time (ids, times, terminals, numbers of bridges and cards) is masked, and
# what libvirtd forgets when it is started anew: how many cards are on a network, and the alias of the
# USB controller that is none.
picture() {
	local out=$dir/picture kind name file ask='pool-list --all; net-list --all'
	while read -r kind name; do
		case $kind in
		domain) ask+="; dominfo $name; dumpxml --inactive $name; dumpxml $name" ;;
		network) ask+="; net-info $name; net-dumpxml $name; net-dumpxml --inactive $name" ;;
		pool)
			ask+="; pool-refresh $name; pool-info $name; pool-dumpxml $name"
			for file in "$images/"* "$data/"*; do
				[[ $file = */"${name/default/images}"/* && -e $file ]] || continue
				ask+="; vol-dumpxml ${file##*/} $name"
			done
			;;
		esac
	done < <(all_there)
	{
		virsh_here "$ask" 2>"$out.err"
		sed '/^$/d' "$out.err"
		printf '== files of the pools\n'
		files_of_pools | sort
		printf '== files left in the state directory\n'
		files_left
		printf '== QEMU processes: %s\n' "$(processes_of qemu-system-x86 | wc -l)"
		printf '== processes of networks: %s\n' "$(processes_of dnsmasq | wc -l)"
		printf '== locks held:\n'
		locks_held
	} >"$out.raw" 2>&1
	mask "$out.raw" >"$out"
}

files_of_pools() {
	local file source
	[ ! -d "$data" ] || printf 'data is a directory\n'
	for file in "$images/"* "$data/"*; do
		[ -e "$file" ] || continue
		(cd "${file%/*}" && find "${file##*/}" -printf '%f %y %m\n')
		source=$fixture/${file#"$host/lib/"}
		# What was there before has the same bytes.
		if [ -e "$source" ]; then
			cmp "$file" "$source" && printf 'kept %s\n' "${file##*/}"
		fi
		case $file in
		*/$bystander.img) cat "$file" ;;
		*-seed-*) LC_ALL=C grep -aoE '[[:print:]]{8,}' "$file" | sed 's/^/seed: /' ;;
		esac
		[[ ${file##*/} =~ ^(.*)-[0-9a-f]{12}-[0-9a-f]{8}(\..*)?$ ]] || continue
		source=$dir/m/${BASH_REMATCH[1]}
		[ -e "$source" ] || source+=${BASH_REMATCH[2]}
		cmp "$file" "$source" && printf 'uploaded whole %s\n' "${file##*/}"
	done
}

# Makes sed commands of what a picture says: whose each UUID and MAC address is.
labels() {
	awk -F "'" '
		/^<domain / { domain = 1; macs = 0 }
		/^<\/domain/ { domain = 0 }
		!domain { next }
		/^  <name>/ { gsub(/ *<\/?name>/, ""); name = $0; sub(/\.trash-.*/, ".trash", name) }
		/^  <uuid>/ { gsub(/ *<\/?uuid>/, ""); print "s/" $0 "/UUID-OF-" name "/g" }
		/<mac address=/ { print "s/" $2 "/MAC-" ++macs "-OF-" name "/g" }' "$1" | sort -u
}

# Volumes come in the order of their names, which are different each time: sorted, and first.
sorted_volumes() {
	awk '
		/^<volume/ { n++; inside = 1 }
		inside { sub(/^ +/, ""); volume[n] = volume[n] $0 }
		!inside && NF { other[++others] = $0 }
		/^<\/volume/ { inside = 0 }
		END {
			for (i = 1; i <= n; i++)
				print volume[i] | "sort"
			close("sort")
			for (i = 1; i <= others; i++)
				print other[i]
		}'
}

mask() {
	local controller
	controller=$(cat "$state/controller-id" 2>/dev/null || true)
	labels "$1" >"$dir/labels"
	sed -E -f "$dir/labels" \
		-e "s/${controller:-no controller}/CONTROLLER/g" \
		-e 's/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/ANY-UUID/g' \
		-e 's/[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}/TRANSACTION/g' \
		-e 's/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z/TIME/g' \
		-e 's/(-|\.trash-)[0-9a-f]{8}(\.[a-z0-9]+|[^0-9a-f-]|$)/\1TRANSACTION\2/g' \
		-e "s/(<mac address=')[0-9a-f:]+/\1MAC/" \
		-e "s/^<network connections='[0-9]+'>/<network>/" \
		-e "s/'(vnet|virbr)[0-9]+'/'\1N'/; s/(Bridge: +virbr)[0-9]+/\1N/" \
		-e "s/^(<domain .*) id='[0-9]+'/\1 id='ID'/" \
		-e 's/^(Id: +)[0-9]+/\1ID/' \
		-e 's|/dev/pts/[0-9]+|PTS|g' \
		-e 's/domain-[0-9]+-/domain-ID-/g' \
		-e "s|$dir/|HERE/|g" \
		-e "/<controller type='usb'.* model='none'>/{N; N; s|>.*|/>|}" \
		-e '/^seed: .*([0-9]{14}|[0-9:]{8} [0-9]{4}$)/d' \
		-e '/^(CPU time|Used memory|Available|Allocation):/d' \
		-e '/<(allocation|available|physical|atime|mtime|ctime|btime)( |>)/d' \
		"$1" | sorted_addresses | sorted_volumes
}

# What a network keeps for whom, sorted: an address that is taken back comes last, which means nothing.
sorted_addresses() {
	awk '
		/^ *<host mac=/ { if (!n++) fflush(); print | "sort"; next }
		n { close("sort"); n = 0 }
		{ print }'
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

closed_journals() {
	local file
	for file in "$state"/journal/closed/*.cbj; do
		[ ! -f "$file" ] || basename "$file" .cbj
	done
}

# The kinds of steps that transactions of the state directory consist of.
steps_done() {
	grep -aoh '"action":"[a-z.]*"' "$state"/journal/closed/*.cbj | cut -d '"' -f 4 | sort -u
}
