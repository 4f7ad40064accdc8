# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034,SC2030,SC2031,SC2317 # set and used in matrix and lib.bash; each test is a subshell
# clonebox against a libvirtd that dies in its calls. A part of matrix.

scenarios=(create back update update-live reseed destroy trash)

### What there is before, and what the run makes of it #########################

# fleet [EDIT-OF-SED]...: the manifest, changed.
fleet() {
	base base.qcow2 matrix
	manifest <<-END
		version: "1"
		images: {base: {path: ./base.qcow2}}
		networks: {lan: {mode: nat, cidr: 10.92.0.0/24}}
		pools: {data: {path: /var/lib/libvirt/data}}
		vms:
		  web:
		    ram_mb: 32
		    vcpus: 1
		    accel: tcg
		    gui: false
		    state: running
		    autostart: true
		    disk_size_gb: 1
		    base_image: base
		    deletion: purge
		    username: dev
		    auth_method: password
		    password: first
		    disks: [{name: data, size: 8MiB, format: raw, pool: data, deletion: purge}]
		    nics: [{name: lan0, network: lan, ip: 10.92.0.10}]
	END
	[ $# -eq 0 ] || sed -i "$@" "$project/.clonebox.yaml"
}

changed=(-e 's/ram_mb: 32/ram_mb: 24/' -e 's/autostart: true/autostart: false\n    description: changed/'
	-e 's/10.92.0.10/10.92.0.11/')

# first|second SCENARIO
first() {
	case $1 in
	update) fleet -e 's/state: running/state: stopped/' ;;
	trash) fleet -e 's/    deletion: purge/    deletion: trash/' ;;
	*) fleet ;;
	esac
}
second() {
	case $1 in
	update) fleet -e 's/state: running/state: stopped/' -e 's/data, size/more, size: 4MiB, pool: data}, {name: data, size/' \
		"${changed[@]}" -e 's/vcpus: 1/vcpus: 2/' ;;
	update-live) fleet "${changed[@]}" ;;
	reseed) fleet -e 's/username: dev/username: dev\n    hostname: other\n    guest: reseed/' ;;
	*) first "$1" ;;
	esac
}
# The run that meets the death, and the one that repairs.
command_of() {
	case $1 in
	destroy | trash) arguments=(destroy --yes --allow-force-off --shutdown-timeout 0s) ;;
	*) arguments=(apply --yes -j 1) ;;
	esac
}
# What the first of them meets besides.
meets() { [ "$1" != back ] || inject CB_SHIM_FAIL_NAME=virDomainCreate; }

# What clonebox has made by itself, kept for `restore`.
fixture() {
	local kept=$work/fixture/$1
	wipe
	revive
	[[ $1 != create && $1 != back ]] || return 0
	first "$1"
	expect 0 apply --yes
	[ "$1" = update ] || virsh destroy web
	mkdir -p "$kept"
	"$testbed_dir/host" kill "$host"
	tar -C "$host" -cf "$kept/host.tar" etc/qemu etc/storage lib/images lib/data lib/dnsmasq
	cp -a "$state" "$kept/state"
}

restore() {
	local kept=$work/fixture/$1
	wipe
	rm -rf "$state"
	if [ -e "$kept" ]; then
		tar -C "$host" -xf "$kept/host.tar"
		cp -a "$kept/state" "$state"
	fi
	revive
	second "$1"
	[ -e "$kept" ] || return 0
	# Those that are to start with the host may have been started with libvirtd.
	virsh 'pool-start default; pool-start data; net-start lan; list' >/dev/null 2>&1
	[ "$1" = update ] || is_state web running || virsh start web >/dev/null
}

### What there is afterwards ####################################################

# Everything that a run can change; what is different each time is masked.
picture() {
	local name volume
	{
		virsh list --all --name | sort | while read -r name; do
			[ -n "$name" ] || continue
			printf '== domain %s %s, autostart %s\n' "$name" "$(state_of "$name")" "$(autostarts "$name")"
			persistent "$name"
			virsh dumpxml --security-info "$name"
		done
		virsh net-list --all --name | sort | while read -r name; do
			[ -n "$name" ] || continue
			printf '== network %s\n' "$(network_state "$name")"
			virsh net-dumpxml --inactive "$name"
			virsh net-dumpxml "$name"
		done
		virsh pool-list --all --name | sort | while read -r name; do
			name=${name// /}
			[ -n "$name" ] || continue
			virsh pool-refresh "$name" >/dev/null
			printf '== pool %s\n' "$(pool_state "$name")"
			virsh pool-dumpxml "$name"
			for volume in $(volumes "$name"); do
				virsh vol-dumpxml "$volume" "$name"
			done
		done
		printf '== files\n'
		(cd "$host/lib" && find images data -type f -printf '%p %m\n' 2>/dev/null | sort)
		for volume in "$images"/base-*; do
			[ ! -e "$volume" ] || { cmp "$volume" "$project/base.qcow2" && echo 'uploaded whole'; }
		done
		printf '== %s guests, %s dnsmasq\n' "$(processes "${guests[@]}" | wc -l)" "$(processes dnsmasq | wc -l)"
		printf '== left in the state directory\n'
		(cd "$state" && find . -mindepth 1 -printf '%P\n') | grep -vxE \
			'controller-id|locks|locks/[^/]*\.lock|journal|journal/(closed|late)|journal/(closed|late)/[0-9TZ]*-[0-9a-f]{8}(\.cbj)?' || true
	} >"$1.raw" 2>&1
	sed -E \
		-e 's/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/ANY-UUID/g' \
		-e "s/$(cat "$state/controller-id")/CONTROLLER/g" \
		-e 's/[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}/TRANSACTION/g' \
		-e 's/-[0-9a-f]{8}(\.[a-z0-9]+)/-TRANSACTION\1/g; s/-[0-9a-f]{12}-TRANSACTION/-DIGEST-TRANSACTION/g' \
		-e "s/(mac='|mac address='|bridge name=')[^']*/\1ANY/g" \
		-e "s/^(<domain .*) id='[0-9]+'/\1 id='N'/; s/^<network connections='[0-9]+'>/<network>/" \
		-e "s/portid='[^']*'/portid='ANY'/; s/ bridge='[^']*'/ bridge='ANY'/; s/vnet[0-9]+/vnetN/" \
		-e 's|/dev/pts/[0-9]+|PTS|g; s/domain-[0-9]+-/domain-ID-/g; s/\.trash-[0-9a-z]+/.trash-ANY/g' \
		-e "/<controller type='usb'.* model='none'>/{N; N; s|>.*|/>|}" \
		-e '/<(allocation|available|physical|atime|mtime|ctime|btime)( |>)/d' \
		-e 's/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]+Z/TIME/g' \
		"$1.raw" >"$1"
}

# The undisturbed run is what all others are compared with: so it must itself be right.
is_right() {
	local scenario=$1 line lines=()
	case $scenario in
	create | back) lines=('domain web running, autostart yes' 'uploaded whole' 'web-data-.*raw' 'network active yes') ;;
	update) lines=('domain web shut off, autostart no' '10.92.0.11' 'web-more-' "<vcpu .*>2<") ;;
	update-live) lines=('domain web running, autostart no' '10.92.0.11' '24576<' '>changed<') ;;
	reseed) lines=('domain web running, autostart yes' 'web-seed-') ;;
	trash) lines=('domain web.trash-.* shut off, autostart no' 'web-data-') ;;
	esac
	lines+=('domain bystander shut off')
	for line in "${lines[@]}"; do
		grep -qE -- "$line" "$2" || fail "the undisturbed run leaves no line like '$line'"
	done
	[ "$scenario" != destroy ] || ! grep -qE -- 'domain web|web-root|web-data' "$2" || fail 'the undisturbed run leaves something'
	is 'what is left in the state directory' '== left in the state directory' "$(tail -n 1 "$2")"
}

no_effect() {
	inject
	expect 0 "${arguments[@]}" --lock-timeout 1s
	is 'effects of a further run' '0 0' "$(modified) $(wrote)"
}

### One run #####################################################################

undisturbed() {
	local scenario=$1 ref=$work/ref/$1 line
	mkdir -p "$work/ref"
	fixture "$scenario"
	restore "$scenario"
	command_of "$scenario"
	meets "$scenario"
	arm "$scenario-0" 0
	clonebox "${arguments[@]}"
	counted >"$ref.points"
	if [ "$scenario" = back ]; then
		is 'exit status' 3 "$status"
		expect 0 "${arguments[@]}"
		# Up to the failure it is the same as create.
		ref_from=$(diff "$work/ref/create.points" "$ref.points" | sed -nE '1s/^([0-9]+).*[acd]([0-9]+).*/\2/p' || true)
	else
		is 'exit status' 0 "$status"
	fi
	settled
	picture "$ref"
	is_right "$scenario" "$ref"
	no_effect
	awk -v from="${ref_from:-1}" 'NR >= from' "$ref.points" >"$ref.chosen"
	[ -s "$ref.chosen" ] || fail 'there is no point'
}

# What a libvirtd that died has left and no call takes away; then the run says what helps. Between its note
# of a machine's start and the end of its fork of QEMU it holds on to that note; of a network that it was
# starting there are a bridge and a dnsmasq.
as_the_message_says() {
	local bridge='' pid
	if grep -q "/run/libvirt/qemu/web.xml if" "$err"; then
		grep -q "^<domstatus.* pid='0'" "$host/run/qemu/web.xml" || fail 'libvirt is not stuck, but that is what is said'
		"$testbed_dir/host" kill "$host"
		rm -f "$host/run/qemu/web.xml"
		revive
	elif bridge=$(grep -oE 'ip link delete virbr[0-9]+' "$err" | head -n 1) && [ -n "$bridge" ]; then
		for pid in $(processes dnsmasq); do
			! grep -qs 'dnsmasq/lan.conf' "/proc/$pid/cmdline" || kill "$pid" 2>/dev/null || true
		done
		# shellcheck disable=SC2086 # a command
		on_host $bridge
	else
		return 0
	fi
	echo "$1" >>"$work/freed"
}

# Of a network that it was ending, between its note and the end of the processes, there are the same two;
# no message says so, since nothing is wanted of that network any more.
remove_what_is_left() {
	local points=$work/ref/$1.points k=$2 pid
	[ "$(sed -n "${k}s/^[0-9]* *//p" "$points")" = 'kill TERM' ] &&
		sed -n "$((k - 1))p" "$points" | grep -q 'unlink /run/libvirt/network/lan.xml$' || return 0
	is 'processes that libvirtd has left' 2 "$(processes dnsmasq | wc -l)"
	for pid in $(processes dnsmasq); do
		kill "$pid" 2>/dev/null || true
	done
	on_host ip link delete virbr0
	echo "$scenario $k" >>"$work/left"
}

disturbed() {
	local scenario=$1 k=$2 how=$3
	restore "$scenario"
	command_of "$scenario"
	meets "$scenario"
	arm "$scenario-$k-$how" "$k"
	background "${arguments[@]}"
	within 60 dead || fail 'libvirtd does not die'
	if [ "$how" = outlived ]; then
		revive
		wait_job
	else
		kill -INT "$job" 2>/dev/null || true
		wait_job
		revive
	fi
	is 'where it died' "$(sed -n "${k}p" "$work/ref/$scenario.points")" "$(masked <"$host/points" | tail -n 1)"
	[[ $status =~ ^(0|1|3|5|69|130)$ ]] || fail "the run ends with $status"
	echo "$how $status" >>"$work/ends"
	as_the_message_says "$scenario $k"
	clonebox "${arguments[@]}"
	[ "$status" -eq 0 ] || { as_the_message_says "$scenario $k"; expect 0 "${arguments[@]}"; }
	settled
	remove_what_is_left "$scenario" "$k"
	picture "$test_dir/picture"
	same 'what the undisturbed run leaves' "$work/ref/$scenario" "$test_dir/picture"
	no_effect
}

all_runs() {
	local scenario k what how ways number=0 count=2
	[ $every = no ] || count=''
	for scenario in "${scenarios[@]}"; do
		[[ $scenario =~ ${scene:-} ]] || continue
		only= check "undisturbed: $scenario" undisturbed "$scenario"
		[ -s "$work/ref/$scenario.chosen" ] || continue
		while read -r -u 7 k what; do
			ways=(outlived interrupted)
			[ $every = yes ] || ways=("${ways[number++ % 2]}")
			for how in "${ways[@]}"; do
				check "$scenario, $how: libvirtd dies before $k $what" disturbed "$scenario" "$k" "$how"
			done
		done 7< <(spread "$count" <"$work/ref/$scenario.chosen")
	done
	sort "$work/ends" 2>/dev/null | uniq -c | awk '{ printf "# %s runs %s, ending with %s\n", $1, $2, $3 }'
	[ ! -e "$work/left" ] || printf '# %s where libvirt left a bridge and its processes\n' "$(wc -l <"$work/left")"
	[ ! -e "$work/freed" ] || printf '# %s where libvirt had to be freed\n' "$(wc -l <"$work/freed")"
}
