# clonebox: `make help` lists the targets.
#
# MODE=release (default) leaves the program at build/clonebox; the other modes build below
# build/$(MODE)/: debug, asan (address and undefined behaviour), tsan, cov, fuzz (clang).

MODE    ?= release
VERSION := 0.1.0
PREFIX  ?= /usr/local
CC      ?= cc
# Warnings are errors for developers and CI (WERROR=1), never for packagers.
WERROR  ?=

B := build/$(MODE)

# V=1 shows whole commands.
say = $(if $(V),,@printf '  %-3s %s\n' $(1) $(2); )

PKGS := yaml-0.1 jansson libvirt libvirt-qemu libxml-2.0 libcrypto libarchive libxcrypt

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes \
	-Wmissing-prototypes -Wold-style-definition -Wundef -Wvla -Wwrite-strings -Wformat=2 \
	-Wcast-qual -Wpointer-arith -Wswitch-enum -Wnull-dereference -Wno-missing-field-initializers
ifeq ($(findstring clang,$(CC)),)
WARN += -Wduplicated-cond -Wduplicated-branches -Wlogical-op -Wimplicit-fallthrough=5
endif
ifneq ($(WERROR),)
WARN += -Werror
endif

CFLAGS_release := -O2 -g -D_FORTIFY_SOURCE=3 -fstack-clash-protection -fcf-protection -fPIE
LDFLAGS_release := -pie -Wl,-z,relro,-z,now
CFLAGS_debug := -O0 -g3
CFLAGS_asan := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
LDFLAGS_asan := -fsanitize=address,undefined
CFLAGS_tsan := -O1 -g -fsanitize=thread
LDFLAGS_tsan := -fsanitize=thread
CFLAGS_cov := -O0 -g --coverage
LDFLAGS_cov := --coverage
CFLAGS_fuzz := -DCB_BUG_ABORTS -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
LDFLAGS_fuzz := -fsanitize=fuzzer,address,undefined
ifeq ($(MODE),fuzz)
override CC := clang
endif
ifeq ($(CFLAGS_$(MODE)),)
$(error unknown MODE '$(MODE)': release, debug, asan, tsan, cov or fuzz)
endif

ALL_CFLAGS = -std=c17 -D_GNU_SOURCE -DCB_VERSION='"$(VERSION)"' -I. -fno-common \
	-fstack-protector-strong $(WARN) $(CFLAGS_$(MODE)) $(CFLAGS) \
	$(shell pkg-config --cflags $(PKGS) 2>/dev/null)
ALL_LDFLAGS = $(LDFLAGS_$(MODE)) $(LDFLAGS)
LIBS = $(shell pkg-config --libs $(PKGS) 2>/dev/null)

LIB_SRC   := $(sort $(wildcard reconciler/*/*.c reconciler/*/*/*.c schema/*.c))
CMD_SRC   := $(sort $(wildcard cmd/clonebox/*.c))
TEST_SRC  := $(sort $(wildcard tests/unit/test_*.c tests/golden/test_*.c tests/contract/test_*.c \
		tests/fault/test_*.c))
FUZZ_SRC  := $(sort $(wildcard tests/fuzz/fuzz_*.c))
TEST_BINS := $(TEST_SRC:%.c=$(B)/%)
FUZZ_BINS := $(FUZZ_SRC:%.c=$(B)/%)

ifeq ($(MODE),release)
PROGRAM := build/clonebox
else
PROGRAM := $(B)/clonebox
endif

.PHONY: all
all: $(PROGRAM) ## build the program

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# The schemas of outputs are part of the program.
SCHEMAS := $(sort $(wildcard schema/json/*.json))
$(B)/schema/json/files.c: schema/json/embed $(SCHEMAS)
	@mkdir -p $(@D)
	$(call say,GEN,$@)schema/json/embed $(SCHEMAS) >$@.new && mv $@.new $@

$(B)/schema/json/files.o: $(B)/schema/json/files.c
	$(call say,CC,$@)$(CC) $(ALL_CFLAGS) -c -o $@ $<

# `clonebox init` writes where the schema of manifests will be: the PREFIX of the build counts.
$(B)/schema/starter.o: ALL_CFLAGS += -DCB_PREFIX='"$(PREFIX)"'

$(B)/libclonebox.a: $(LIB_SRC:%.c=$(B)/%.o) $(B)/schema/json/files.o
	@rm -f $@
	$(call say,AR,$@)$(AR) rcs $@ $^

$(PROGRAM): $(CMD_SRC:%.c=$(B)/%.o) $(B)/libclonebox.a
	$(call say,LD,$@)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(TEST_BINS): $(B)/%: $(B)/%.o $(B)/tests/support/fixture.o $(B)/libclonebox.a
	$(call say,LD,$@)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS) -lcmocka

# What is in the program only, for the target that reads its files.
$(B)/tests/fuzz/fuzz_saved: $(filter-out %/main.o,$(CMD_SRC:%.c=$(B)/%.o))

ifeq ($(MODE),fuzz)
$(FUZZ_BINS): $(B)/%: $(B)/%.o $(B)/libclonebox.a
	$(call say,LD,$@)$(CC) $(ALL_LDFLAGS) -o $@ $(filter-out %.a,$^) $(filter %.a,$^) $(LIBS)
else
# Without libFuzzer the same targets replay files: a fuzz target is also a test.
$(FUZZ_BINS): $(B)/%: $(B)/%.o $(B)/tests/fuzz/replay.o $(B)/libclonebox.a
	$(call say,LD,$@)$(CC) $(ALL_LDFLAGS) -o $@ $(filter-out %.a,$^) $(filter %.a,$^) $(LIBS)
endif

SHIM := build/tests/libshim.so
$(SHIM): $(wildcard tests/shim/*.c tests/shim/*.h tests/shim/*.S tests/shim/*.def)
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) -std=gnu17 -O1 -g -Wall -Wextra -shared -fPIC -o $@ tests/shim/shim.c \
		tests/shim/libc.c tests/shim/libvirt.c tests/shim/syncs.c tests/shim/trampoline.S

# For libvirtd, not for the program.
DAEMON := build/tests/libdaemon.so
$(DAEMON): tests/shim/daemon.c
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) -std=gnu17 -O1 -g -Wall -Wextra -shared -fPIC -fvisibility=hidden -o $@ $<

# Kept, so that a test program is not linked anew each time.
.SECONDARY:

.PHONY: fuzz-programs
fuzz-programs: $(FUZZ_BINS)

.PHONY: test-programs
test-programs: $(TEST_BINS) $(FUZZ_BINS)

.PHONY: deps
deps: ## install what is missing through apt (asks, unless root or CI)
	@tests/testbed/deps

.PHONY: demo
demo: ## watch plan, apply, change, crash and recovery of a real VM
	@tests/testbed/deps
	@$(MAKE) --no-print-directory all
	@tests/e2e/demo

.PHONY: check
check: ## install what is missing, then every test in bounded form; what CI runs
	@tests/testbed/deps
	@tests/check

.PHONY: proof
proof: ## the long form: every crash point again, long fuzzing; hours
	@tests/testbed/deps
	@tests/check --proof

.PHONY: model
model: ## the protocol of transactions in a model checker, and variants that must fail
	@tests/testbed/deps build
	@tests/model/run

.PHONY: bench
bench: all ## speed, as ratios against bare libvirt calls in the same run
	@tests/bench/run

.PHONY: lint
lint: ## layers, purity, headers, names, format, spelling, shell
	@tests/lint/run

.PHONY: format
format: ## clang-format all sources
	@git ls-files '*.c' '*.h' | xargs clang-format -i

.PHONY: analyze
analyze: ## gcc -fanalyzer and clang-tidy, advisory
	@for f in $(LIB_SRC) $(CMD_SRC); do \
		gcc $(ALL_CFLAGS) -fanalyzer -fsyntax-only $$f || exit 1; done
	clang-tidy --quiet $(LIB_SRC) $(CMD_SRC) -- $(filter-out -Wduplicated% -Wlogical-op \
		-Wimplicit-fallthrough=5,$(ALL_CFLAGS))

.PHONY: coverage
coverage: ## line coverage of unit, golden, contract and fault tests
	@$(MAKE) --no-print-directory MODE=cov test-programs
	@tests/coverage

.PHONY: man
man: all ## write docs/man from the program's tables
	@for page in docs/man/*.in; do \
		docs/man/generate $(PROGRAM) $$page >$${page%.in}.new && \
		mv $${page%.in}.new $${page%.in} || exit 1; done

SHARE := $(DESTDIR)$(PREFIX)/share
BASH_COMPLETION := $(SHARE)/bash-completion/completions/clonebox
ZSH_COMPLETION  := $(SHARE)/zsh/site-functions/_clonebox
FISH_COMPLETION := $(SHARE)/fish/vendor_completions.d/clonebox.fish
MAN1 := $(SHARE)/man/man1/clonebox.1
MAN5 := $(SHARE)/man/man5/clonebox.yaml.5
SCHEMA_DIR := $(SHARE)/clonebox/schema

.PHONY: install
install: all ## program, manual, completions and schemas, below DESTDIR and PREFIX
	install -D -m 755 $(PROGRAM) $(DESTDIR)$(PREFIX)/bin/clonebox
	install -D -m 644 docs/man/clonebox.1 $(MAN1)
	install -D -m 644 docs/man/clonebox.yaml.5 $(MAN5)
	@mkdir -p build/completion
	$(PROGRAM) completion bash >build/completion/bash
	$(PROGRAM) completion zsh >build/completion/zsh
	$(PROGRAM) completion fish >build/completion/fish
	install -D -m 644 build/completion/bash $(BASH_COMPLETION)
	install -D -m 644 build/completion/zsh $(ZSH_COMPLETION)
	install -D -m 644 build/completion/fish $(FISH_COMPLETION)
	@mkdir -p build/completion/schema $(SCHEMA_DIR)
	for kind in manifest profile policy $(notdir $(SCHEMAS:.json=)); do \
		$(PROGRAM) schema $$kind >build/completion/schema/$$kind.json || exit 1; done
	install -m 644 build/completion/schema/*.json $(SCHEMA_DIR)

.PHONY: uninstall
uninstall: ## remove what install put there
	rm -f $(DESTDIR)$(PREFIX)/bin/clonebox $(MAN1) $(MAN5) $(BASH_COMPLETION) \
		$(ZSH_COMPLETION) $(FISH_COMPLETION)
	rm -rf $(SHARE)/clonebox/schema

.PHONY: clean
clean: ## remove what was built; what was downloaded stays
	rm -rf build/clonebox build/release build/debug build/asan build/tsan build/cov build/fuzz \
		build/tests build/clang build/check build/completion

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "MODE=release|debug|asan|tsan|cov|fuzz, WERROR=1"

-include $(shell find $(B) -name '*.d' 2>/dev/null)
