/*
 * Limits, snapshot policies and health checks: what they are as values, in all their spellings, and
 * what is said of those that cannot be.
 */
#include "schema/measure.h"
#include "schema/schedule.h"
#include "tests/unit/loaded.h"

/* Only errors, in their order: each of these keys has a warning, too. */
static void check_errors(struct loaded *l, const char *const *want)
{
	struct cb_problems all = l->problems;

	l->problems = (struct cb_problems){0};
	cb_vec_each (const struct cb_problem, problem, &all) {
		if (problem->severity == CB_PROBLEM)
			cb_vec_push(&l->arena, &l->problems, *problem);
	}
	check_problems(l, want, "t.yaml");
}

static void check_loads(struct loaded *l)
{
	if (l->count) {
		dump(l);
		fail_msg("%d problems", l->count);
	}
}

/* ---- measures ---- */

static void measures_are_numbers_with_units(void **state)
{
	static const struct {
		const char *text, *bare;
		int64_t want;
	} durations[] =
		{
			{"500ms", "", 500},      {"5s", "", 5000},
			{"1.5h", "", 5400000},   {"5.0", "s", 5000},
			{"30", "d", 2592000000}, {"0", "", 0},
			{"4w", "", 2419200000},  {"2 m", "", 120000},
			{"5", "", -1},           {"5x", "", -1},
			{"-5s", "", -1},         {"", "s", -1},
			{"1.", "s", -1},         {"99999999999999999999w", "", INT64_MAX},
		},
	  bytes[] =
		  {
			  {"8G", "", INT64_C(8) << 30},
			  {"8192", "MiB", INT64_C(8) << 30},
			  {"100M", "B", 100 << 20},
			  {"10GB", "", INT64_C(10000000000)},
			  {"0.5T", "", INT64_C(1) << 39},
			  {"100", "B", 100},
			  {"8192", "", -1},
			  {"4G/vm", "", -1},
		  },
	  rates[] = {
		  {"100Mbps", "", 100000000}, {"1Gbps", "", 1000000000},
		  {"64kbps", "", 64000},      {"100", "", -1},
		  {"100MB", "", -1},
	  };

	(void)state;
	for (size_t i = 0; i < CB_COUNT(durations); i++) {
		int64_t got = 0;
		int r = cb_measure_duration(durations[i].text, durations[i].bare, &got);

		assert_true(r == (durations[i].want < 0 ? -1 : 0));
		assert_true(r < 0 || got == durations[i].want);
	}
	for (size_t i = 0; i < CB_COUNT(bytes); i++) {
		int64_t got = 0;
		int r = cb_measure_bytes(bytes[i].text, bytes[i].bare, &got);

		assert_true(r == (bytes[i].want < 0 ? -1 : 0));
		assert_true(r < 0 || got == bytes[i].want);
	}
	for (size_t i = 0; i < CB_COUNT(rates); i++) {
		int64_t got = 0;
		int r = cb_measure_rate(rates[i].text, &got);

		assert_true(r == (rates[i].want < 0 ? -1 : 0));
		assert_true(r < 0 || got == rates[i].want);
	}
}

static void processors_are_sets(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{"0-3", "0-3"},   {"3,2,1,0", "0-3"}, {"7, 0 - 1", "0-1,7"}, {"5", "5"},
		{"4095", "4095"}, {"4096", NULL},     {"3-1", NULL},         {"", NULL},
		{"1,", NULL},     {"a", NULL},        {"1-2-3", NULL},
	};

	(void)state;
	for (size_t i = 0; i < CB_COUNT(rows); i++) {
		cb_auto_str struct cb_str out = {0};
		int r = cb_measure_cpus(rows[i].text, &out);

		assert_int_equal(r, rows[i].want ? 0 : -1);
		if (rows[i].want)
			assert_string_equal(cb_str_text(&out), rows[i].want);
	}
}

/* ---- schedules ---- */

static void schedules_are_those_of_cron(void **state)
{
	static const struct {
		const char *text, *want, *wrong;
	} rows[] = {
		{"0 2 * * *", "0 2 * * *", NULL},
		{" */15\t0-6,12  1 jan,JUN mon-fri ", "*/15 0-6,12 1 1,6 1-5", NULL},
		{"0-30/10 * * * 7", "0-30/10 * * * 7", NULL},
		{"@daily", "0 0 * * *", NULL},
		{"@Weekly", "0 0 * * 0", NULL},
		{"0 0 29 2 *", "0 0 29 2 *", NULL},
		{"0 0 31 4 1", "0 0 31 4 1", NULL},
		{"@reboot", NULL, "@hourly, @daily"},
		{"60 * * * *", NULL, "minute: 60 is not between 0 and 59"},
		{"0 24 * * *", NULL, "hour: 24 is not between 0 and 23"},
		{"0 0 0 * *", NULL, "day of month: 0 is not between 1 and 31"},
		{"0 0 * 13 *", NULL, "month: 13 is not"},
		{"0 0 * * 8", NULL, "day of week: 8 is not"},
		{"0 0 * * funday", NULL, "day of week: 'funday' is no number and no name"},
		{"0 5-3 * * *", NULL, "hour: 5-3 runs backwards"},
		{"5/10 * * * *", NULL, "minute: a step wants a range"},
		{"*/0 * * * *", NULL, "minute: a step is a number"},
		{"0 0 * *", NULL, "there are 4 fields, five are wanted"},
		{"", NULL, "there are 0 fields"},
		{"0 0 * * * *", NULL, "more than five fields: '*' is left over"},
		{"0 0 31 2 *", NULL, "that month has no day 31"},
		{"0,,1 * * * *", NULL, "minute: '' is no number"},
		{"1x * * * *", NULL, "minute: 'x' is out of place"},
	};

	(void)state;
	for (size_t i = 0; i < CB_COUNT(rows); i++) {
		cb_auto_arena struct cb_arena arena = {0};
		const char *plain = NULL;
		const char *wrong = cb_schedule_parse(&arena, rows[i].text, &plain);

		if (!wrong != !rows[i].wrong || (wrong && !strstr(wrong, rows[i].wrong)))
			fail_msg("'%s': %s", rows[i].text, wrong ? wrong : plain);
		if (rows[i].want)
			assert_string_equal(plain, rows[i].want);
	}
}

/* ---- limits ---- */

/* All spellings of the same limits. */
static void all_spellings_of_limits_are_one_model(void **state)
{
	static const char *const yaml[] = {
		"vm: {name: a}\n"
		"resources:\n"
		"  memory: {hard_limit: 8192, soft_limit: 6144, swap_limit: 16384}\n"
		"  cpu: {quota: 200000, period: 100000, shares: 512, pin: [0, 1, 2, 3]}\n"
		"  disk: {weight: 500, read_bytes_sec: 104857600, write_bytes_sec: 52428800}\n"
		"  network: {inbound: 100Mbps, outbound: 50Mbps}\n",
		"vm:\n"
		"  name: a\n"
		"  resources:\n"
		"    memory: {limit: 8G, soft_limit: 6G, swap: 8G}\n"
		"    cpu: {quota: 200000, period: 100000, shares: 512, pin: 0-3}\n"
		"    disk: {weight: 500, read_bps: 100M, write_bps: 50MiB}\n"
		"    network: {inbound: 0.1Gbps, outbound: 50mbps}\n",
		"vm: {name: a}\n"
		"limits: {memory_limit: 8G, memory_soft_limit: 6G, memory_swap_limit: 16G,\n"
		"  cpu_quota_percent: 200, cpu_shares: 512, vcpu_pin: '0-3', blkio_weight: 500,\n"
		"  blkio_read_bps: 100M, blkio_write_bps: 50M,\n"
		"  network_bandwidth_in: 100Mbps, network_bandwidth_out: 50Mbps}\n",
	};

	static const struct {
		const char *path;
		int64_t want;
	} rows[] = {
		{"resources.memory.hard_limit", INT64_C(8) << 30},
		{"resources.memory.soft_limit", INT64_C(6) << 30},
		{"resources.memory.swap_limit", INT64_C(16) << 30},
		{"resources.cpu.quota", 200000},
		{"resources.cpu.period", 100000},
		{"resources.cpu.shares", 512},
		{"resources.disk.weight", 500},
		{"resources.disk.read_bps", 100 << 20},
		{"resources.disk.write_bps", 50 << 20},
		{"resources.network.inbound", 100000000},
		{"resources.network.outbound", 50000000},
	};

	(void)state;
	for (size_t k = 0; k < CB_COUNT(yaml); k++) {
		auto_loaded struct loaded l;

		load(&l, yaml[k]);
		check_loads(&l);
		for (size_t i = 0; i < CB_COUNT(rows); i++) {
			if (cb_spec_int(spec_of(&l, "a"), rows[i].path, -1) != rows[i].want)
				fail_msg("%zu: %s", k, rows[i].path);
		}
		assert_string_equal(cb_spec_string(spec_of(&l, "a"), "resources.cpu.pin"), "0-3");
	}
}

static void two_spellings_that_differ_are_told_with_both_places(void **state)
{
	static const struct {
		const char *yaml, *want[4];
	} rows[] = {
		{"vm: {name: a, limits: {memory_limit: 8G}, resources: {memory: {limit: 4G}}}\n",
		 {"1:71 manifest.conflict|[a]|'resources.memory.limit' says otherwise than what "
		  "stands at t.yaml:1:38|both are 'resources.memory.hard_limit'"}},
		{"vm: {name: a, limits: {memory_limit: 8G}, resources: {memory: {hard_limit: "
		 "8192}}}\n",
		 {NULL}},
		{"vm: {name: a, limits: {cpu_quota_percent: 50}, resources: {cpu: {period: "
		 "50000}}}\n",
		 {"1:74 manifest.conflict|t.yaml:1:43|'resources.cpu.period'"}},
		{"vm: {name: a, vcpus: 2, resources: {cpu: {vcpus: 4}}}\n",
		 {"1:50 manifest.conflict|t.yaml:1:22|both are 'vcpus'"}},
		{"vm: {name: a, limits: {cpu_shares: 2}}\nresources: {cpu: {shares: 3}}\n",
		 {"2:27 manifest.conflict|'resources.cpu.shares'|t.yaml:1:36"}},
		{"vm: {name: a, resources: {memory: {hard_limit: 1GiB, swap: 1GiB, swap_limit: "
		 "1GiB}}}\n",
		 {"1:60 manifest.conflict|'resources.memory.swap_limit'|t.yaml:1:78"}},
		{"vm: {name: a, web_services: [{name: s, workdir: /a, working_dir: /b}]}\n",
		 {"1:66 manifest.conflict|t.yaml:1:49|'web_services[s].workdir'"}},
		{"vm: {name: a, snapshots: {max_age: 1w, keep: 5d}}\n",
		 {"1:46 manifest.conflict|'snapshots.keep'|'snapshots.max_age'"}},
	};

	(void)state;
	for (size_t i = 0; i < CB_COUNT(rows); i++) {
		auto_loaded struct loaded l;

		load(&l, rows[i].yaml);
		check_errors(&l, rows[i].want);
	}
}

static void limits_that_cannot_be_are_told(void **state)
{
	static const struct {
		const char *yaml, *want[4];
	} rows[] = {
		{"vm: {name: a, limits: {memory_limit: 8192}}\n",
		 {"1:38 manifest.size|a size with its unit|write 8192GiB or 8192MiB"}},
		{"vm: {name: a, resources: {network: {inbound: 100}}}\n",
		 {"1:46 manifest.size|a rate with its unit|write 100Mbps"}},
		{"vm: {name: a, resources: {cpu: {pin: 3-1}}}\n",
		 {"1:38 manifest.value|0 to 4095"}},
		{"vm: {name: a, resources: {cpu: {pin: {a: b}}}}\n", {"1:38 manifest.value"}},
		{"vm: {name: a, resources: {cpu: {period: 10}}}\n",
		 {"1:41 manifest.range|between 1000 and 1000000"}},
		{"vm: {name: a, resources: {memory: {hard_limit: 1}}}\n", {NULL}},
		{"vm: {name: a, resources: {memory: {hard_limit: 1K}}}\n",
		 {"1:48 manifest.range|must be 1MiB to 1024TiB"}},
		{"vm: {name: a, resources: {memory: {hard_limit: 1GiB, soft_limit: 2GiB}}}\n",
		 {"1:66 manifest.value|'resources.memory.soft_limit' is more than "
		  "'resources.memory.hard_limit', at t.yaml:1:48"}},
		{"vm: {name: a, resources: {memory: {swap: 1GiB}}}\n",
		 {"1:42 manifest.missing|needs a 'resources.memory.hard_limit'"}},
		{"vm: {name: a, resources: {memory: {hard_limt: 1}}}\n",
		 {"1:36 manifest.unknown-key|did you mean 'hard_limit'?"}},
		{"vm: {name: a, limits: [1]}\n", {"1:23 manifest.type|wants a map, found a list"}},
	};

	(void)state;
	for (size_t i = 0; i < CB_COUNT(rows); i++) {
		auto_loaded struct loaded l;

		load(&l, rows[i].yaml);
		check_errors(&l, rows[i].want);
	}
}

/* Maps merge through profiles and defaults; null takes back. */
static void limits_merge_as_maps_do(void **state)
{
	auto_loaded struct loaded l;
	const struct cb_spec *spec;

	(void)state;
	load(&l, "defaults: {limits: {memory_limit: 4G, cpu_shares: 10}, vm: {gui: false}}\n"
		 "profiles: {p: {resources: {memory: {limit: 2G}}}}\n"
		 "vms:\n"
		 "  a: {profile: p, limits: {blkio_weight: 100}}\n"
		 "  b: {resources: ~}\n");
	check_loads(&l);
	spec = spec_of(&l, "a");
	assert_int_equal(cb_spec_int(spec, "resources.memory.hard_limit", 0), INT64_C(2) << 30);
	assert_int_equal(cb_spec_int(spec, "resources.cpu.shares", 0), 10);
	assert_int_equal(cb_spec_int(spec, "resources.disk.weight", 0), 100);
	assert_null(cb_spec_find(spec_of(&l, "b"), "resources.memory.hard_limit"));
	assert_non_null(cb_spec_find(spec_of(&l, "b"), "gui"));
}

/* ---- snapshots ---- */

static void snapshot_policies_are_one_model(void **state)
{
	auto_loaded struct loaded l;
	const struct cb_declared *policy;
	const struct cb_spec *spec;

	(void)state;
	load(&l, "policies:\n"
		 "  nightly: {schedule: '0 2 * * *', keep_daily: 7, keep_weekly: 4}\n"
		 "  dev: {keep: 5d, when: '00:30', size_limit: 10GB}\n"
		 "  head: {max_snapshots: 10, max_age_days: 30, min_snapshots: 1,\n"
		 "    scheduled_interval_hours: 24, name_prefix: auto-,\n"
		 "    before_operations: [upgrade, resize]}\n"
		 "vms:\n"
		 "  a: {snapshots: nightly}\n"
		 "  b: {snapshots: {policy: nightly, keep_daily: 14, keep_weekly: ~}}\n"
		 "  c:\n"
		 "    snapshots:\n"
		 "      auto_snapshot:\n"
		 "        enabled: true\n"
		 "        before_operations: [upgrade, delete]\n"
		 "        policy: {keep_last: 5, keep_daily: 7, max_size_gb: 50}\n");
	check_loads(&l);
	assert_int_equal(l.desired.policies.len, 3);
	policy = cb_declared_find(&l.desired.policies, "dev");
	assert_int_equal(cb_spec_int(&policy->spec, "max_age", 0), 5 * 86400000);
	assert_string_equal(cb_spec_string(&policy->spec, "schedule"), "30 0 * * *");
	assert_int_equal(cb_spec_int(&policy->spec, "max_size", 0), INT64_C(10000000000));
	policy = cb_declared_find(&l.desired.policies, "head");
	assert_int_equal(cb_spec_int(&policy->spec, "interval", 0), 86400000);
	assert_int_equal(cb_spec_int(&policy->spec, "max_age", 0), INT64_C(30) * 86400000);
	assert_string_equal(cb_spec_string(&policy->spec, "before"), "[\"upgrade\",\"resize\"]");
	spec = spec_of(&l, "a");
	assert_string_equal(cb_spec_string(spec, "snapshots.policy"), "nightly");
	assert_string_equal(cb_spec_string(spec, "snapshots.schedule"), "0 2 * * *");
	assert_int_equal(cb_spec_int(spec, "snapshots.keep_weekly", 0), 4);
	assert_int_equal(cb_spec_find(spec, "snapshots.keep_daily")->origin.line, 2);
	spec = spec_of(&l, "b");
	assert_int_equal(cb_spec_int(spec, "snapshots.keep_daily", 0), 14);
	assert_null(cb_spec_find(spec, "snapshots.keep_weekly"));
	spec = spec_of(&l, "c");
	assert_true(cb_spec_bool(spec, "snapshots.enabled", false));
	assert_string_equal(cb_spec_string(spec, "snapshots.before"), "[\"upgrade\",\"delete\"]");
	assert_int_equal(cb_spec_int(spec, "snapshots.keep_last", 0), 5);
	assert_int_equal(cb_spec_int(spec, "snapshots.max_size", 0), INT64_C(50) << 30);
}

static void snapshot_policies_that_cannot_be_are_told(void **state)
{
	static const struct {
		const char *yaml, *want[4];
	} rows[] = {
		{"vm: {name: a, snapshots: nightly}\n",
		 {"1:26 manifest.reference|there is no policy 'nightly'|none is declared"}},
		{"policies: {nightly: {}}\nvm: {name: a, snapshots: nihgtly}\n",
		 {"2:26 manifest.reference|did you mean 'nightly'?"}},
		{"policies: {p: {schedule: 0 25 * * *}}\n",
		 {"1:26 manifest.schedule|'schedule' is no schedule: hour: 25 is not"}},
		{"policies: {p: {schedule: '@daily', interval: 12h}}\n",
		 {"1:46 manifest.value|[p]|'interval' and 'schedule', at t.yaml:1:26"}},
		{"policies: {p: {min_snapshots: 5, max_snapshots: 2}}\n",
		 {"1:31 manifest.value|'min_snapshots' is more than 'max_snapshots'"}},
		{"policies: {p: {when: '24:00'}}\n", {"1:22 manifest.schedule|00:00 to 23:59"}},
		{"policies: {p: {when: 02:30}}\n", {"1:22 manifest.quotes"}},
		{"policies: {p: {keep: 5}}\n", {"1:22 manifest.size|write 5s or 5m"}},
		{"policies: {p: {}}\n---\npolicies: {p: {}}\n",
		 {"3:12 manifest.duplicate-vm|the policy 'p' is declared here and at t.yaml:1:12"}},
		{"policies: {p: {keep_dialy: 1}}\n",
		 {"1:16 manifest.unknown-key|did you mean 'keep_daily'?"}},
	};

	(void)state;
	for (size_t i = 0; i < CB_COUNT(rows); i++) {
		auto_loaded struct loaded l;

		load(&l, rows[i].yaml);
		check_errors(&l, rows[i].want);
	}
}

/* ---- health checks ---- */

static void health_checks_are_one_model(void **state)
{
	auto_loaded struct loaded l;
	const struct cb_spec *spec;

	(void)state;
	load(&l,
	     "vm:\n"
	     "  name: a\n"
	     "  health_check: {type: tcp, port: 22}\n"
	     "health_checks:\n"
	     "  - {name: api, type: http, url: 'http://localhost/', timeout: 5s, interval: 30,\n"
	     "     expected_status: 200, headers: {X-Retries: 3}, expected_json: {status: ok}}\n"
	     "  - {name: redis, type: command, exec: redis-cli ping, expected_output: PONG,\n"
	     "     timeout: 5.0, exit_code: 0}\n"
	     "  - {name: app, type: script, script_path: /opt/check.sh, enabled: off}\n");
	check_loads(&l);
	spec = spec_of(&l, "a");
	assert_string_equal(cb_spec_string(spec, "health_checks[default].name"), "default");
	assert_int_equal(cb_spec_int(spec, "health_checks[default].port", 0), 22);
	assert_int_equal(cb_spec_int(spec, "health_checks[api].timeout", 0), 5000);
	assert_int_equal(cb_spec_int(spec, "health_checks[api].interval", 0), 30000);
	assert_string_equal(cb_spec_string(spec, "health_checks[api].expected_status"), "[200]");
	assert_string_equal(cb_spec_string(spec, "health_checks[api].headers"),
			    "{\"X-Retries\":\"3\"}");
	assert_string_equal(cb_spec_string(spec, "health_checks[api].expected_json"),
			    "{\"status\":\"ok\"}");
	assert_string_equal(cb_spec_string(spec, "health_checks[redis].command"), "redis-cli ping");
	assert_int_equal(cb_spec_int(spec, "health_checks[redis].timeout", 0), 5000);
	assert_int_equal(cb_spec_int(spec, "health_checks[redis].expected_exit_code", -1), 0);
	assert_string_equal(cb_spec_string(spec, "health_checks[app].path"), "/opt/check.sh");
	assert_false(cb_spec_bool(spec, "health_checks[app].enabled", true));
}

/* A list of the VM's own takes the place of the one beside it. */
static void a_list_inside_replaces_the_one_beside(void **state)
{
	auto_loaded struct loaded l;

	(void)state;
	load(&l, "vm: {name: a, health_checks: [{name: x, type: tcp, port: 1}]}\n"
		 "health_checks: [{name: y, type: tcp, port: 2}]\n");
	check_loads(&l);
	assert_non_null(cb_spec_find(spec_of(&l, "a"), "health_checks[x].port"));
	assert_null(cb_spec_find(spec_of(&l, "a"), "health_checks[y].port"));
}

static void health_checks_that_cannot_be_are_told(void **state)
{
	static const struct {
		const char *yaml, *want[4];
	} rows[] = {
		{"vm: {name: a, health_check: {port: 22}}\n",
		 {"1:29 manifest.missing|'default' needs a 'type'"}},
		{"vm: {name: a, health_checks: [{name: x, type: http}]}\n",
		 {"1:38 manifest.missing|'x' of type http needs 'url'"}},
		{"vm: {name: a, health_checks: [{name: x, type: tcp, port: 0}]}\n",
		 {"1:58 manifest.range|between 1 and 65535"}},
		{"vm: {name: a, health_checks: [{name: x, type: tpc, port: 1}]}\n",
		 {"1:47 manifest.value|did you mean 'tcp'?"}},
		{"vm: {name: a, health_checks: [{type: tcp}]}\n",
		 {"1:31 manifest.missing|needs a 'name'"}},
		{"vm: {name: a, health_checks: [{name: 'x]', type: memory}]}\n",
		 {"1:38 manifest.name|brackets"}},
		{"vm: {name: a, health_checks: [{name: x, type: memory, timeout: soon}]}\n",
		 {"1:64 manifest.size|a time, in seconds without a unit, found 'soon'|90s, 15m"}},
		{"vm: {name: a, health_checks: [{name: x, type: http, url: u, expected_status: "
		 "[200, "
		 "9]}]}\n",
		 {"1:84 manifest.range|between 100 and 599"}},
		{"vm: {name: a, health_checks: [{name: x, type: http, url: u, headers: {a: "
		 "[b]}}]}\n",
		 {"1:71 manifest.value|wants text for each"}},
	};

	(void)state;
	for (size_t i = 0; i < CB_COUNT(rows); i++) {
		auto_loaded struct loaded l;

		load(&l, rows[i].yaml);
		check_errors(&l, rows[i].want);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(measures_are_numbers_with_units),
		cmocka_unit_test(processors_are_sets),
		cmocka_unit_test(schedules_are_those_of_cron),
		cmocka_unit_test(all_spellings_of_limits_are_one_model),
		cmocka_unit_test(two_spellings_that_differ_are_told_with_both_places),
		cmocka_unit_test(limits_that_cannot_be_are_told),
		cmocka_unit_test(limits_merge_as_maps_do),
		cmocka_unit_test(snapshot_policies_are_one_model),
		cmocka_unit_test(snapshot_policies_that_cannot_be_are_told),
		cmocka_unit_test(health_checks_are_one_model),
		cmocka_unit_test(a_list_inside_replaces_the_one_beside),
		cmocka_unit_test(health_checks_that_cannot_be_are_told),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests_name("policies", tests, NULL, NULL);
}
