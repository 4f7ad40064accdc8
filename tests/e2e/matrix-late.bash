# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034,SC2030,SC2031,SC2317 # set and used in matrix and lib.bash; each test is a subshell
# Without any fence: a request of a dead run that libvirt gets only when recovery is over, however often that
# has looked. Somebody stands between (proxy) and holds it for so long. A part of matrix.

# scenario | procedure of libvirt's protocol | how recovery goes
late=(
	'create|77 pool.define|forward' 'create|93 volume.create|forward' 'create|350 domain.define|forward'
	'create|9 domain.create|forward'
	'create|77 pool.define|back' 'create|93 volume.create|back' 'create|350 domain.define|back'
	'update|93 volume.create|back' 'update|350 domain.define|forward' 'update-live|350 domain.define|forward'
	'destroy|12 domain.destroy|forward' 'destroy|231 domain.undefine|forward' 'destroy|94 volume.delete|forward'
)

through() { ln -sfn "$1" "$work/sock"; }
met() { [ -e "$test_dir/count.met" ]; }

comes_late() {
	local scenario=$1 procedure=$2 way=$3 id proxy
	local uri="qemu+unix:///system?socket=$work/sock"
	through "$host/run/libvirt-sock"
	restore "$scenario"
	command_of "$scenario"
	"$testbed_root/tests/e2e/proxy" "$test_dir/proxy" "$host/run/libvirt-sock" "$test_dir/count" \
		--hold "$procedure" "$test_dir/go" 2>"$test_dir/proxy.err" &
	proxy=$!
	echo $proxy >>"$test_dir/jobs"
	within 10 test -S "$test_dir/proxy" || fail 'no proxy'
	sleep 0.1
	through "$test_dir/proxy"
	background "${arguments[@]}"
	within 30 met || fail "the run does not come to procedure $procedure"
	kill -KILL "$job"
	wait_job
	is 'exit status' 137 "$status"
	through "$host/run/libvirt-sock"
	if [ "$way" = back ]; then
		id=$(basename "$(grep -alE '"type":"intent"' "$state"/journal/*.cbj | tail -n 1)" .cbj)
		expect 0 transaction rollback "$id" --yes
	else
		expect 0 "${arguments[@]}"
	fi
	settled
	: >"$test_dir/go"
	# What libvirt does about it takes no longer; the answer goes nowhere.
	sleep 1
	clonebox "${arguments[@]}"
	[ "$status" -eq 0 ] || expect 0 "${arguments[@]}"
	! grep -q 'came after that' "$err" || echo "$*" >>"$work/swept"
	settled
	picture "$test_dir/picture"
	cp "$work/ref/$scenario" "$test_dir/wanted"
	# A pool that comes after it was taken back is one that was there before: it is used as it is.
	[ "$procedure/$way" != 77/back ] || sed -i 's/^== pool yes .*/== pool yes, whose ever it is/' "$test_dir/wanted" "$test_dir/picture"
	same 'what the undisturbed run leaves' "$test_dir/wanted" "$test_dir/picture"
	no_effect
}

all_late() {
	local row scenario procedure way number=0
	for scenario in create update update-live destroy; do
		[ -s "$work/ref/$scenario.chosen" ] || only='' check "undisturbed: $scenario" undisturbed "$scenario"
	done
	for row in "${late[@]}"; do
		IFS='|' read -r scenario procedure way <<<"$row"
		[ $every = yes ] || [ -n "${only:-}" ] || [ $((number++ % 2)) -eq 0 ] || continue
		check "$scenario, recovery goes $way: ${procedure#* } comes after it" comes_late "$scenario" "${procedure% *}" "$way"
	done
	[ ! -e "$work/swept" ] || printf '# %s removed by the next run\n' "$(wc -l <"$work/swept")"
}
