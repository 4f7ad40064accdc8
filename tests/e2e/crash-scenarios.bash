# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # set for crash and crash-lib.bash, which set nonce, other and worker
# What tests/e2e/crash kills: one function for each kind of change that the product makes. To be
# sourced by crash and power, after crash-lib.bash.
#
#   scenario NAME    sets, from defaults and by scenario_NAME (with _ for -):
#
#   first     the manifest that is applied beforehand; empty: the host is
#   then_run  a command after that, which belongs to what is there beforehand
#   second    the manifest of the run that is killed
#   command   that run, without what all runs have: see arguments_of
#   over      what the same command ends with once all is done (0; where a name is gone, 64)
#   faults    what the run meets, as variables of the shim: it must take everything back
#   speaks    lines 'MACHINE REGEX': what its console must say afterwards
#   running   so many QEMUs there must be afterwards
#   has       regular expressions of lines of the picture afterwards
#   lacks     the same of those that must not be there
#   steady    yes: one guest runs through the whole run, and the next point may find it running
#   agent     yes: it is a Debian kernel's, with an agent, and one host alone does all of it
#   points    KIND or KIND:COUNT each: the kinds of points, and a choice of how many for a run
#             without --all; those with 'shared' are done by all hosts at a time, the others by
#             whichever is free

scenarios=(create-linux destroy-linux fleet fleet-destroy group group-change group-destroy recreate
	prune devices reseed network import trash restore purge
	create create-back update update-live destroy)
vm=vm

# What all of one kind share.
few='kill:3 nested:1 libvirtd:0 late:1 waiting:0 failing:1'
few_of_libvirtd='kill:3 nested:1 libvirtd:1 late:0 waiting:0 failing:1'
many='shared kill nested:6 waiting:6 libvirtd:5 late:5 failing:10'
off=(--allow-force-off --shutdown-timeout 0s)

scenario() {
	first='' then_run=() second='' command=(apply) over=0 faults=() speaks=() running=0
	has=() lacks=() steady=no agent=no points=$few
	"scenario_${1//-/_}"
}

### One machine #################################################################

# one_vm MEMORY [KEYS]: the lines of a manifest with a single machine, more of them.
one_vm() {
	cat <<-END
		version: "1"
		vms:
		  $vm:
		    vcpus: 1
		    disk_size_gb: 1
		    base_image: ./base.qcow2
		    accel: tcg
		    gui: false
		    network_mode: user
		    ram_mb: $1
	END
	[ $# -lt 2 ] || printf '    %s\n' "${@:2}"
}

says_of() { printf '%s ^clonebox-bios: ready nonce=%s$' "$1" "$2"; }
# Of a guest that nobody has started twice.
linux_says() { printf '%s ^clonebox-guest: ready nonce=%s boot=.* boots=1$' "$vm" "$nonce"; }
boots_linux='boot: {kernel: ./vmlinuz, initrd: ./initrd, cmdline: "console=ttyS0 quiet"}'
gone() { printf '^Name: +%s$' "$1"; }

scenario_create() {
	second=$(one_vm 32 'state: running' 'autostart: true')
	speaks=("$(says_of $vm "$nonce")")
	running=1
	has=('^Autostart: +enable' "<memory unit='KiB'>32768<" 'uploaded whole')
	points=$many
}

scenario_create_back() {
	scenario_create
	faults=(CB_SHIM_FAIL_NAME=virDomainCreate)
	points='shared kill:20'
}

scenario_create_linux() {
	second=$(one_vm 128 'state: running' 'autostart: true' "$boots_linux" | sed 's/base.qcow2/linux.qcow2/')
	speaks=("$(linux_says)")
	running=1
	has=('^Autostart: +enable' "<memory unit='KiB'>131072<" 'uploaded whole' '<kernel>' '<initrd>')
	agent=yes
	points='kill:6'
}

scenario_update() {
	first=$(one_vm 32 'state: stopped' 'autostart: true')
	second=$(one_vm 48 'state: stopped' 'autostart: false' 'description: changed' | sed 's/vcpus: 1/vcpus: 2/')
	has=('^Autostart: +disable' "<memory unit='KiB'>49152<" "<vcpu [^>]*>2<" '<description>changed<'
		'^State: +shut off')
	points=$many
}

scenario_update_live() {
	scenario_update
	first=${first/stopped/running}
	second=${second/stopped/running}
	has[-1]='^State: +running'
	speaks=("$(says_of $vm "$nonce")")
	running=1
	steady=yes
}

scenario_destroy() {
	first=$(one_vm 32 'state: running' 'autostart: true')
	second=$first
	command=(destroy "${off[@]}")
	lacks=('^(base|vm)-' "$(gone $vm)")
	points=$many
}

scenario_destroy_linux() {
	scenario_create_linux
	first=$second
	speaks=() running=0
	command=(destroy)
	has=()
	lacks=('^(linux|vmlinuz|initrd|vm)-' "$(gone $vm)")
}

# Stopped, with a new network card, disks that come and go, and one that stays.
scenario_devices() {
	local lan='networks: {lan: {mode: isolated, cidr: 10.77.0.0/24}, quiet: {mode: isolated, cidr: 10.78.0.0/24}}'
	local pool='pools: {data: {path: /var/lib/libvirt/data}}'
	local data='{name: data, size: 1MiB, format: raw, pool: data}'
	first=$(one_vm 24 'state: stopped' \
		"disks: [$data, {name: log, size: 1MiB, pool: data, deletion: purge}]" \
		'nics: [{name: lan0, network: lan, ip: 10.77.0.50}, {name: out, network: lan, ip: 10.77.0.51}]' \
		| sed '/network_mode/d'
		printf '%s\n' "$lan" "$pool")
	second=$(one_vm 24 'state: stopped' \
		"disks: [$data, {name: more, base_image: ./other.qcow2, bus: scsi}]" \
		'nics: [{name: lan0, network: quiet, ip: 10.78.0.50}, {name: new, network: lan, ip: 10.77.0.52}]' \
		| sed '/network_mode/d'
		printf '%s\n' "$lan" "$pool")
	has=('^kept vm-data-' '^kept vm-log-' '^vm-more-' "ip='10.78.0.50'" "ip='10.77.0.52'" 'uploaded whole')
	lacks=('<source file=.*vm-log-' "ip='10.77.0.5[01]'")
}

# What is told to the guest changes, and its processors: it is stopped and started again.
scenario_reseed() {
	first=$(one_vm 32 'state: running' 'username: dev' 'guest: rerun' 'ssh_public_key: ssh-ed25519 AAAA first@example')
	second=$(one_vm 40 'state: running' 'username: dev' 'guest: rerun' 'ssh_public_key: ssh-ed25519 AAAA second@example' |
		sed 's/vcpus: 1/vcpus: 2/')
	command=(apply --allow-restart "${off[@]}")
	speaks=("$(says_of $vm "$nonce")")
	running=1
	has=("<memory unit='KiB'>40960<" "<vcpu [^>]*>2<" '^seed: .*second@example')
	lacks=('first@example')
	points=$few_of_libvirtd
}

# Another base image, under a machine that runs: the root disk goes to the trash, the data disk stays.
scenario_recreate() {
	local more='pools: {data: {path: /var/lib/libvirt/data}}'
	first=$(one_vm 32 'state: running' 'disks: [{name: data, size: 1MiB, format: raw, pool: data}]'
		printf '%s\n' "$more")
	second=${first/base.qcow2/other.qcow2}
	command=(apply --allow-recreate "${off[@]}")
	speaks=("$(says_of $vm "$other")")
	running=1
	has=('^Name: +vm\.trash-' '^base-' '^other-' '^kept vm-root-' '^kept vm-data-' 'uploaded whole other-')
	points=$few_of_libvirtd
}

# More than one chunk (64 MiB each): data, a chunk that is a hole, data.
scenario_import() {
	second=$(one_vm 32 'state: stopped' | sed 's/base.qcow2/large.raw/')
	has=('^large-' 'uploaded whole' '^State: +shut off')
}

### The trash ###################################################################

in_trash() {
	first=$(one_vm 32 "state: ${1:-running}" 'autostart: true' 'deletion: trash' \
		'disks: [{name: data, size: 1MiB, format: raw, pool: data}]'
		printf 'pools: {data: {path: /var/lib/libvirt/data}}\n')
	second=$first
}

scenario_trash() {
	in_trash
	command=(destroy "${off[@]}")
	has=('^Name: +vm\.trash-' '^kept vm-root-' '^kept vm-data-' '^kept base-')
	lacks=("$(gone $vm)")
	points=$few_of_libvirtd
}

scenario_restore() {
	in_trash stopped
	then_run=(destroy)
	command=(trash restore "$vm")
	over=64
	has=("$(gone $vm)" '^kept vm-root-' '^kept vm-data-' '^kept base-')
	lacks=('\.trash-')
}

scenario_purge() {
	scenario_restore
	command=(trash purge "$vm")
	has=('^kept vm-data-')
	lacks=("$(gone 'vm.*')" '^(base|vm-root)-')
}

### Several machines ############################################################

# two [KEYS-OF-VM [KEYS-OF-WEB [MORE]]]: the lines of a manifest with two machines of one image.
two() {
	cat <<-END
		version: "1"
		owner: crash
		images: {base: {path: ./base.qcow2}}
		networks: {lan: {mode: ${mode:-isolated}, cidr: 10.77.0.0/24${of_lan:-}}}
		pools: {data: {path: /var/lib/libvirt/data}}
		defaults:
		  vm: {gui: false, accel: tcg, ram_mb: ${memory:-24}, vcpus: 1, disk_size_gb: 1, base_image: base, state: ${is:-running}${of_all:-}}
		vms:
		  $vm:
		    autostart: true
		    nics: [{name: lan0, network: lan, ip: ${address:-10.77.0.50}}]
		    disks: [{name: data, size: 1MiB, format: raw, pool: data}]
		    ${1:-}
	END
	[ "${2:-}" = none ] || cat <<-END
		  web:
		    depends_on: [$vm]
		    ${2:-network_mode: none}
	END
}

alone_speaks() { speaks=("$(says_of $vm "$nonce")") running=1; }
both_speak() { speaks=("$(says_of $vm "$nonce")" "$(says_of web "$nonce")") running=2; }

stopped='network_mode: none
    state: stopped'
seeded='username: dev
    ssh_public_key: ssh-ed25519 AAAA dev@example'

scenario_fleet() {
	second=$(mode=nat two "$seeded" "$stopped")
	alone_speaks
	has=("<host mac='MAC-1-OF-vm' name='vm' ip='10.77.0.50'" "<forward mode='nat'" '^ lan +active +yes' '^ data +active +yes'
		'^vm-seed-' '^seed: .*dev@example' '^vm-data-' '^Autostart: +enable' 'uploaded whole')
	points=$few_of_libvirtd
}

# The image is the last one's, the network goes, what is retained stays.
scenario_fleet_destroy() {
	first=$(mode=nat two "$seeded" "$stopped")
	second=$first
	command=(destroy "${off[@]}" --max-deletions 9)
	has=('^ data +active +yes' '^kept vm-data-')
	lacks=("$(gone vm)" "$(gone web)" '^(base|vm-root|vm-seed|web)-' '^ lan ')
}

# One of two leaves the manifest, and its image with it.
scenario_prune() {
	first=$(is=stopped two '' 'base_image: ./other.qcow2
    state: running
    nics: [{name: lan0, network: lan, ip: 10.77.0.60}]
    disks: [{name: data, size: 1MiB, format: raw, pool: data}]')
	second=$(is=stopped two '' none)
	command=(apply --prune "${off[@]}")
	has=("ip='10.77.0.50'" '^kept base-' '^kept vm-root-' '^kept vm-data-' '^kept web-data-')
	lacks=("$(gone web)" '^(other|web-root)-' "ip='10.77.0.60'")
	points=$few_of_libvirtd
}

# Together or not at all.
scenario_group() {
	second=$(two)
	command=(apply --atomic)
	both_speak
	has=("<host mac='MAC-1-OF-vm' name='vm' ip='10.77.0.50'" '^ lan +active +yes' '^vm-data-' '^web-root-')
	points=$few_of_libvirtd
}

scenario_group_change() {
	first=$(of_all=', group: shop' of_lan=', group: shop' two)
	second=$(of_all=', group: shop' of_lan=', group: shop' memory=28 address=10.77.0.55 two '' \
		'network_mode: none
    disks: [{name: data, size: 1MiB, deletion: purge}]')
	command=(apply --allow-restart "${off[@]}")
	both_speak
	has=("<host mac='MAC-1-OF-vm' name='vm' ip='10.77.0.55'" "<memory unit='KiB'>28672<" '^kept vm-data-' '^web-data-')
	lacks=("ip='10.77.0.50'" "<memory unit='KiB'>24576<")
}

scenario_group_destroy() {
	first=$(is=stopped of_all=', group: shop' of_lan=', group: shop' two)
	second=$first
	command=(destroy "${off[@]}" --max-deletions 9)
	has=('^ data +active +yes' '^kept vm-data-')
	lacks=("$(gone vm)" "$(gone web)" '^(base|vm-root|web)-' '^ lan ')
}

# A network of other addresses, and a machine that keeps one of them.
scenario_network() {
	# What runs keeps its addresses until it is started anew.
	first=$(is=stopped two '' none)
	second=$(is=stopped address=10.79.0.60 two '' none | sed 's|10.77.0.0/24|10.79.0.0/24, autostart: false|')
	has=("<host mac='MAC-1-OF-vm' name='vm' ip='10.79.0.60'" "address='10.79.0.1'" '^ lan +active +no' '^kept vm-data-')
	points=$few_of_libvirtd
}
