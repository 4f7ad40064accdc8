# shellcheck shell=bash
# shellcheck disable=SC2154 # set in matrix and lib.bash
# One call of libvirt's at a time, with a libvirtd that dies in it. A part of matrix.

# name | what is there before | the call; commands of virsh, with files of $work/m. `anew`: what is there
# before does not outlive a restart of libvirtd, which takes a pool whose directory is there for active.
d='define t.xml' p='pool-define p.xml; pool-start p' n='net-define n.xml'
raw='vol-create p raw.xml' up='vol-upload raw data --pool p'
calls=(
	"domain.define new||define t.xml --validate"
	"domain.define update|$d|define t2.xml --validate"
	"domain.define update, running|$d; start t|define t2.xml --validate"
	"domain.undefine|$d|undefine t"
	"domain.undefine, autostart|$d; autostart t|undefine t"
	"domain.undefine, nvram|$d|undefine t --nvram --managed-save --snapshots-metadata"
	"domain.autostart on|$d|autostart t"
	"domain.autostart off|$d; autostart t|autostart t --disable"
	"domain.create|$d|start t"
	"domain.create, network and disk|$n; net-start n; $p; $raw; define nic.xml|start t"
	"domain.destroy|$d; start t|destroy t"
	"domain.destroy, network and disk|$n; net-start n; $p; $raw; define nic.xml; start t|destroy t"
	"domain.metadata live|$d; start t|desc t --live changed"
	"domain.memory live|$d; start t|setmem t 8M --live"
	"domain.vcpus live|define cpus.xml; start t|setvcpus t 2 --live"
	"domain.shutdown|$d; start t|shutdown t"
	"domain.rename|$d|domrename t u"
	"domain.rename, autostart|$d; autostart t|domrename t u"
	"pool.define||pool-define p.xml --validate"
	"pool.define, update|pool-define p.xml|pool-define p.xml"
	"pool.build|pool-define data.xml|pool-build data|anew"
	"pool.create|pool-define p.xml|pool-start p|anew"
	"pool.refresh|$p|pool-refresh p"
	"pool.autostart on|$p|pool-autostart p"
	"pool.autostart off|$p; pool-autostart p|pool-autostart p --disable"
	"pool.destroy|$p; $raw|pool-destroy p"
	"pool.undefine|pool-define p.xml|pool-undefine p|anew"
	"pool.undefine, autostart|pool-define p.xml; pool-autostart p|pool-undefine p|anew"
	"volume.create raw|$p|$raw"
	"volume.create qcow2|$p|vol-create p qcow2.xml"
	"volume.create overlay|$p; $raw|vol-create p overlay.xml"
	"volume.upload|$p; $raw|$up"
	"volume.delete|$p; $raw; $up|vol-delete raw --pool p"
	"network.define nat||net-define n.xml --validate"
	"network.define isolated||net-define isolated.xml --validate"
	"network.define update|$n|net-define n2.xml --validate"
	"network.define update, running|$n; net-start n|net-define n2.xml --validate"
	"network.create nat|$n|net-start n"
	"network.create isolated|net-define isolated.xml|net-start n"
	"network.autostart on|$n|net-autostart n"
	"network.autostart off|$n; net-autostart n|net-autostart n --disable"
	"network.update config|$n|net-update n add ip-dhcp-host host.xml --config"
	"network.update live|$n; net-start n|net-update n add ip-dhcp-host host.xml --live"
	"network.destroy|$n; net-start n|net-destroy n"
	"network.undefine|$n|net-undefine n"
	"network.undefine, autostart|$n; net-autostart n|net-undefine n"
)

# The documents that the table names.
documents() {
	local dir=$work/m domain network vol
	mkdir -p "$dir"
	domain="<domain type='qemu'><name>t</name><uuid>7a3c2ab4-9a7c-4e44-8f0a-0d5a0e6bb001</uuid>
		<memory unit='MiB'>16</memory><os><type arch='x86_64' machine='pc'>hvm</type></os>"
	printf '%s<description>first</description></domain>' "$domain" >"$dir/t.xml"
	printf '%s<description>second</description></domain>' "$domain" >"$dir/t2.xml"
	printf "%s<vcpu current='1'>2</vcpu></domain>" "$domain" >"$dir/cpus.xml"
	printf "%s<devices><disk type='file' device='disk'><driver name='qemu' type='raw'/>
		<source file='/var/lib/libvirt/images/raw'/><target dev='vda' bus='virtio'/></disk>
		<interface type='network'><mac address='52:54:00:00:00:07'/><source network='n'/></interface>
		</devices></domain>" "$domain" >"$dir/nic.xml"
	network="<network><name>n</name><uuid>7a3c2ab4-9a7c-4e44-8f0a-0d5a0e6bb002</uuid><bridge name='virbr7'/>
		<mac address='52:54:00:00:07:07'/>%s<ip address='10.91.0.1' netmask='255.255.255.0'><dhcp>
		<range start='10.91.0.10' end='10.91.0.%s'/></dhcp></ip></network>"
	# shellcheck disable=SC2059 # a form with two gaps
	{
		printf "$network" "<forward mode='nat'/>" 20 >"$dir/n.xml"
		printf "$network" "<forward mode='nat'/>" 30 >"$dir/n2.xml"
		printf "$network" '' 20 >"$dir/isolated.xml"
	}
	echo "<host mac='52:54:00:00:00:01' ip='10.91.0.12'/>" >"$dir/host.xml"
	echo "<pool type='dir'><name>p</name><uuid>7a3c2ab4-9a7c-4e44-8f0a-0d5a0e6bb003</uuid>
		<target><path>/var/lib/libvirt/images</path></target></pool>" >"$dir/p.xml"
	echo "<pool type='dir'><name>data</name><uuid>7a3c2ab4-9a7c-4e44-8f0a-0d5a0e6bb004</uuid>
		<target><path>/var/lib/libvirt/data</path></target></pool>" >"$dir/data.xml"
	vol="<volume><name>%s</name><capacity unit='MiB'>%s</capacity><allocation>0</allocation>
		<target><format type='%s'/></target>%s</volume>"
	# shellcheck disable=SC2059 # the same
	{
		printf "$vol" raw 1 raw '' >"$dir/raw.xml"
		printf "$vol" qcow2 2 qcow2 '' >"$dir/qcow2.xml"
		printf "$vol" overlay 2 qcow2 "<backingStore><path>/var/lib/libvirt/images/raw</path>
			<format type='raw'/></backingStore>" >"$dir/overlay.xml"
	}
	head -c 1M /dev/zero | tr '\0' x >"$dir/data"
}

### What there is ###############################################################

# Several commands in one, each of which may fail.
commands() { (cd "$work/m" && command timeout 60 virsh -q -c "$uri" "$1" </dev/null); }

# What is asked of libvirt, and under which heading the answer is noted.
questions=(
	't|dominfo t' 't live|desc t' 't live|vcpucount t --live --current' 't defined|desc t --config'
	'u|dominfo u' 'pools|pool-list --all' 'volumes|vol-list p'
	'raw|vol-dumpxml raw p' 'qcow2|vol-dumpxml qcow2 p' 'overlay|vol-dumpxml overlay p'
	'n|net-info n' 'n live|net-dumpxml n' 'n defined|net-dumpxml n --inactive'
)

# The answers, a line per fact. (A newline within quotes is the only one that virsh echoes.)
said() {
	local question all=''
	for question in "${questions[@]}"; do
		all+="echo '
== ${question%|*}
'; ${question#*|}; "
	done
	commands "$all" 2>/dev/null | sed -nE "
		s/^== //; t heading
		/^No description/d
		/^(State|Persistent|Autostart|Active):|<(capacity|format|backingStore|range|host|forward)[ >]/b fact
		/^ *(p|data|raw|qcow2|overlay) +/b fact
		/^(first|second|changed|[0-9])\$/b fact
		d
		:heading
		h; d
		:fact
		s/^ +//; s/ +/ /g; s/ \$//; G; s/(.*)\n(.*)/\2: \1/; p" || true
}

# What else there is: files, processes, bridges.
files() {
	{
		printf 'there are: %s guests, %s dnsmasq, %s bridges\n' "$(processes "${guests[@]}" | wc -l)" \
			"$(processes dnsmasq | wc -l)" "$(on_host ip -o link | grep -c ': virbr[0-9]*:' || true)"
		known ! -type d ! -type s -printf '%p\n'
		known -type d -name 'domain-*' -printf '%p/\n'
		known -path 'lib/images/*' -type f -printf '%p has mode %m and %s bytes\n'
	} | masked | sed -E '/overlay|qcow2/s/ and [0-9]+ bytes//' | sort
}

# Guests are taken over, or given up, in the background.
look() {
	local tries=40
	: >"$1.said"
	until said >"$1.new" && cmp -s "$1.new" "$1.said"; do
		mv "$1.new" "$1.said"
		compgen -G "$host/run/qemu/*.xml" >/dev/null || break
		[ $((tries--)) -gt 0 ] || fail 'libvirt does not come to rest'
		sleep 0.3
	done
	files >"$1.files"
}

is_as() { cmp -s "$1.said" "$2.said" && cmp -s "$1.files" "$2.files"; }
# What is otherwise, in a line.
otherwise() { { diff "$1" "$2" || true; } | sed -n 's/^< /- /p; s/^> /+ /p' | paste -sd '|' | sed 's/|/, /g'; }

# state_of_it: old, new, or neither and how.
state_of_it() {
	local old=$1 new=$2 now=$3 which
	for which in old new; do
		! is_as "${!which}" "$now" || { echo $which; return; }
	done
	for which in old new; do
		if cmp -s "${!which}.said" "$now.said"; then
			printf '%s, and: %s\n' $which "$(otherwise "${!which}.files" "$now.files")"
			return
		fi
	done
	printf 'neither: %s; and: %s\n' "$(otherwise "$old.said" "$now.said")" \
		"$(otherwise "$old.files" "$now.files")"
}

### Walking ####################################################################

# setup COMMANDS: from an empty host, to where libvirtd has been started anew.
setup() {
	local each
	wipe
	"$testbed_dir/host" restart "$host"
	[ -z "$1" ] || commands "$1" >"$test_dir/setup" 2>&1 || fail "$(cat "$test_dir/setup")"
}

died() {
	within 20 dead || fail "libvirtd does not die at $1"
	within 20 none_of qemu-img || fail 'qemu-img does not end'
	revive
}

# Of every second call; the rest costs minutes.
few=1
[ $every = no ] && [ $update = no ] || few=''

# The lines of one call.
walk() {
	local name=$1 before=$2 call=$3 anew=$4 k line here=$test_dir/now old=$test_dir/old new=$test_dir/new
	setup "$before"
	"$testbed_dir/host" kill "$host"
	revive
	look "$old"
	[ -z "$anew" ] || setup "$before"
	arm "${name// /_}-0" 0
	commands "$call" >"$test_dir/call" 2>&1 || fail "$(cat "$test_dir/call")"
	counted >"$test_dir/points"
	"$testbed_dir/host" kill "$host"
	revive
	look "$new"
	cp "$new.said" "$here.said"
	cp "$new.files" "$here.files"
	[ -s "$test_dir/points" ] || printf '%-34s %s\n' "$name" 'has no points'
	while read -r line; do
		k=${line%% *}
		[ -z "$anew" ] && is_as "$old" "$here" || setup "$before"
		arm "${name// /_}-$k" "$k"
		commands "$call" >"$test_dir/call" 2>&1 || true
		died "$line"
		look "$here"
		printf '%-34s %-60s %s\n' "$name" "$line" "$(state_of_it "$old" "$new" "$here")"
	done < <(spread "$few" <"$test_dir/points")
}

one_call() {
	local name=$1 k
	walk "$@" >"$test_dir/found"
	cat "$test_dir/found" >>"$work/matrix"
	[ $update = no ] || return 0
	cut -c 36- "$test_dir/found" | awk '{ print $1 }' | while read -r k; do
		grep -E -- "^${name//./\\.} +$k " "$golden" || true
	done >"$test_dir/wanted"
	same "what a death in $name leaves" "$test_dir/wanted" "$test_dir/found"
	is "points of $name" "$(grep -cE -- "^${name//./\\.} +[0-9]" "$golden" || true)" "$(wc -l <"$test_dir/points")"
}

all_calls() {
	local row name before call anew number=0
	documents
	: >"$work/matrix"
	for row in "${calls[@]}"; do
		IFS='|' read -r name before call anew <<<"$row"
		[ -z "$few" ] || [ -n "${only:-}" ] || [ $((number++ % 2)) -eq 0 ] || continue
		check "libvirtd dies in $name" one_call "$name" "$before" "$call" "$anew"
	done
	[ $update = no ] || {
		printf '# Written by tests/e2e/matrix --update calls, with libvirt %s.\n' "$(virsh version --daemon | sed -n 's/.*daemon: //p')"
		cat "$work/matrix"
	} >"$golden"
}
