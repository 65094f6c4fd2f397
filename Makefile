# Makefile - builds aegis into build/.  `make help` lists what can be asked for.
#
# Variants live side by side: the release build in build/, sanitizer builds (SAN=address,
# undefined or SAN=thread) in build/san-*, the coverage build (COV=1) in build/cov.  The
# release build is one static file; the others link the same archives dynamically, because
# gcc has no static sanitizers and gcov wants its library.

VERSION := 0.1.0
PREFIX  ?= /usr/local
CC      := gcc
comma   := ,
Q       := $(if $(VERBOSE),,@)
say      = $(if $(VERBOSE),,@printf '  %-5s %s\n' $(1) $(2))

ifdef SAN
V := build/san-$(subst $(comma),-,$(SAN))
else ifdef COV
V := build/cov
else
V := build
endif

ROOT    := build/root/usr
LIBDIR  := $(ROOT)/lib/x86_64-linux-gnu
YYJSON  := build/src/yyjson/src
CIVET   := build/src/civetweb
AEGIS   := $(V)/aegis

# --- what is compiled -------------------------------------------------------------------

# The pure cores: they include base/ and model/ alone, and tests/purity links them that way.
CORES    := lib/runner/supervisor.c lib/runner/health.c lib/runner/restart.c lib/runner/leash.c \
	    lib/discovery/table.c lib/discovery/pick.c lib/discovery/breaker.c lib/member/tenure.c \
	    lib/messaging/attempt.c lib/messaging/window.c lib/messaging/retry.c lib/messaging/relay.c lib/messaging/sticky.c \
	    lib/election/lease.c lib/election/lease_due.c lib/election/lease_names.c \
	    lib/auth/rules.c lib/auth/table.c lib/auth/throttle.c lib/auth/token.c lib/auth/digest_text.c \
	    lib/monitor/figures.c lib/monitor/series.c lib/monitor/changes.c lib/monitor/hub.c \
	    lib/election/register.c lib/election/quorum.c lib/election/campaign.c lib/election/profile.c
LIB_SRC  := $(sort $(wildcard lib/*/*.c))
CMD_SRC  := $(sort $(wildcard cmd/*.c))
LIB_OBJ  := $(LIB_SRC:%.c=$(V)/obj/%.o)
CMD_OBJ  := $(CMD_SRC:%.c=$(V)/obj/%.o)
EMBED    := $(V)/obj/embed.o $(V)/obj/ui.o
UI_SRC   := $(shell find assets/ui -name node_modules -prune -o -type f -print | LC_ALL=C sort)
LIB_A    := $(V)/obj/lib.a
CMD_A    := $(V)/obj/cmd.a

# --- how --------------------------------------------------------------------------------

INCLUDE  := -Ilib -Ibuild/gen -Ibuild/ui -isystem $(ROOT)/include -isystem $(ROOT)/include/x86_64-linux-gnu \
	    -isystem $(YYJSON) -isystem $(CIVET)/include
WARN     := -Wall -Wextra -Wformat=2 -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	    -Wpointer-arith -Wvla -Werror
HARDEN   := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection \
	    -ftrivial-auto-var-init=zero -fno-delete-null-pointer-checks -fno-strict-overflow \
	    -fno-strict-aliasing -fcf-protection=full
COMMON   := -std=gnu17 -D_GNU_SOURCE -g -ffile-prefix-map=$(CURDIR)=. -MMD -MP
OWN      := -include lib/base/banned.h $(WARN)

ifdef SAN
CFLAGS   := $(COMMON) -O1 -fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all -fPIE
LDFLAGS  := -fuse-ld=lld -pie -fsanitize=$(SAN)
else ifdef COV
CFLAGS   := $(COMMON) -O0 --coverage -fprofile-update=atomic -fPIE
LDFLAGS  := -fuse-ld=lld -pie --coverage
else
CFLAGS   := $(COMMON) -O2 $(HARDEN) -fPIE
# Relative relocations packed: half a megabyte less.
LDFLAGS  := -fuse-ld=lld -static-pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code,--pack-dyn-relocs=relr
endif

# nats.c adds the system's trust store to any CA that it is given; lib/nats/tls.c decides.
WRAP     := -Wl,--wrap=SSL_CTX_set_default_verify_paths
ARCHIVES := -lnats_static -lssl -lcrypto -lmbedtls -lmbedx509 -lmbedcrypto -lsodium -lprotobuf-c -lmsgpackc -lhttp_parser -lhdr_histogram_static
DYNAMIC  := -Wl,-Bstatic $(ARCHIVES) -Wl,-Bdynamic -ldl -lm -lpthread
ifeq ($(V),build)
LIBS     := -L$(LIBDIR) $(WRAP) $(ARCHIVES) -lm -lpthread
else
LIBS     := -L$(LIBDIR) $(WRAP) $(DYNAMIC)
endif


.PHONY: all sim-long chaos tests-built up deps deps-refresh check unit scenario ui screenshots coverage soak fuzz bench bench-failover idle man install install-program install-man \
	install-completion install-library clean help FORCE
.DELETE_ON_ERROR:
.SECONDARY:

all: $(AEGIS)

help:
	@sed -n 's/^## //p' Makefile

## make              build/aegis
## make up           install what is needed, build, and start `aegis dev`
up:
	@scripts/up

## make deps         download and verify the pinned third-party packages
deps: build/root/.stamp
build/root/.stamp: scripts/deps.lock scripts/fetch
	@scripts/fetch build
	@touch $@

## make deps-refresh print newer versions of the pins, for review
deps-refresh:
	@mkdir -p build && scripts/deps-refresh build

# --- compile ----------------------------------------------------------------------------

$(V)/obj/lib/%.o: lib/%.c build/root/.stamp build/gen/aegis_codes.h
	@mkdir -p $(@D)
	$(call say,cc,$<)
	$(Q)$(CC) $(CFLAGS) $(OWN) $(INCLUDE) -c $< -o $@

# Half of what an RPC costs is reading and writing its envelopes.
ifeq ($(V),build)
$(patsubst %.c,$(V)/obj/%.o,$(wildcard lib/codec/*.c) lib/base/utf8.c lib/base/wall.c): CFLAGS += -O3
endif

$(V)/obj/cmd/%.o: cmd/%.c build/root/.stamp build/gen/version.h build/gen/packages.h build/gen/aegis_codes.h
	@mkdir -p $(@D)
	$(call say,cc,$<)
	$(Q)$(CC) $(CFLAGS) $(OWN) -Icmd $(INCLUDE) -c $< -o $@

$(V)/obj/yyjson.o: build/root/.stamp
	@mkdir -p $(@D)
	$(call say,cc,yyjson.c)
	$(Q)$(CC) $(filter-out -MMD -MP,$(CFLAGS)) -w -c $(YYJSON)/yyjson.c -o $@

# civetweb serves what handlers answer, nothing else: no files, no scripts.  Its own wait is short, so
# that it ends soon when it is to end, and the flag for that is atomic; its date would differ from
# build to build.  Our patch has it take connections that were accepted elsewhere, start its threads as they
# come, notice its end at once, give up bodies that come drop by drop and readers that do not read, refuse
# heads that are not strict, and leave TLS to lib/http/tls.c.
CIVET_USES := -DNO_SSL -DUSE_MBEDTLS -DUSE_X_DOM_SOCKET -DUSE_IPV6 -DNO_CGI -DNO_FILES -DNDEBUG -DSOCKET_TIMEOUT_QUANTUM=200 \
	      -DSTOP_FLAG_NEEDS_LOCK -DBUILD_DATE='"none"'
$(V)/obj/civetweb.o: build/root/.stamp Makefile scripts/civetweb.patch lib/http/seam.h
	@mkdir -p $(@D)
	$(call say,cc,civetweb.c)
	$(Q)patch -s -o $(V)/obj/civetweb.c $(CIVET)/src/civetweb.c scripts/civetweb.patch
	$(Q)$(CC) $(filter-out -MMD -MP,$(CFLAGS)) -w $(CIVET_USES) -Ilib -isystem $(ROOT)/include -I$(CIVET)/include -I$(CIVET)/src -c $(V)/obj/civetweb.c -o $@

# The version header changes only when the commit does, so that builds stay incremental.  Several makes may look at
# once (tests call `make install`): each has a file of its own.
build/gen/version.h: FORCE
	@mkdir -p $(@D)
	@t=$@.$$$$; scripts/version $(VERSION) >$$t && if cmp -s $$t $@; then rm $$t; else mv $$t $@; fi

# The versions of libraries that cannot be asked for theirs.
build/gen/packages.h: build/root/.stamp scripts/packages
	@mkdir -p $(@D)
	@scripts/packages build >$@

# The public names of errcodes.def, for programs that include aegis.h.
build/gen/aegis_codes.h: lib/base/errcodes.def scripts/codes
	@mkdir -p $(@D)
	@scripts/codes $< >$@

# The notices of what is linked in, and the files that are part of the binary.
build/gen/notices.txt: build/root/.stamp build/.ui-npm scripts/notices LICENSE
	@mkdir -p $(@D)
	@scripts/notices build >$@
$(V)/obj/embed.o: scripts/embed.S build/gen/notices.txt deploy/examples/greeter.sh
	@mkdir -p $(@D)
	$(Q)$(CC) $(if $(SAN)$(COV),-fPIE,$(HARDEN) -fPIE) -c scripts/embed.S -o $@

# The page: bundled and packed by Node, then data like any other.
build/.ui-npm: assets/ui/package.json assets/ui/package-lock.json assets/ui/.npmrc
	@mkdir -p $(@D)
	$(Q)cd assets/ui && npm ci --loglevel=error >/dev/null
	@touch $@
build/ui/ui.S build/ui/ui_files.def &: $(UI_SRC) build/.ui-npm scripts/ui scripts/node
	$(Q)scripts/ui build
$(V)/obj/ui.o: build/ui/ui.S
	@mkdir -p $(@D)
	$(Q)$(CC) $(if $(SAN)$(COV),-fPIE,$(HARDEN) -fPIE) -c $< -o $@
$(V)/obj/lib/api/manage_page.o: build/ui/ui_files.def

$(LIB_A): $(LIB_OBJ) $(V)/obj/yyjson.o $(V)/obj/civetweb.o $(EMBED)
	@rm -f $@
	$(Q)ar rcsD $@ $^

# The commands without main, for their tests.
$(CMD_A): $(filter-out %/main.o,$(CMD_OBJ))
	@rm -f $@
	$(Q)ar rcsD $@ $^

$(AEGIS): $(CMD_OBJ) $(LIB_A)
	$(call say,link,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

-include $(LIB_OBJ:.o=.d) $(CMD_OBJ:.o=.d)

# --- tests ------------------------------------------------------------------------------

UNIT_SRC := $(sort $(wildcard tests/unit/t_*.c))
UNIT     := $(UNIT_SRC:tests/unit/%.c=$(V)/unit/%)
TEST_LD  := -fuse-ld=lld -pie $(if $(SAN),-fsanitize=$(SAN)) $(if $(COV),--coverage)

# The archive gives each test only the objects that it needs.
$(V)/unit/%: tests/unit/%.c $(LIB_A)
	@mkdir -p $(@D)
	$(call say,test,$@)
	$(Q)$(CC) $(CFLAGS) $(OWN) -Itests/support $(INCLUDE) $(if $(filter $(CMD_A),$^),-Icmd) -o $@ $< $(TEST_LD) $(filter $(CMD_A),$^) $(LIB_A) -L$(LIBDIR) $(WRAP) $(DYNAMIC) -lcmocka
$(V)/unit/t_out $(V)/unit/t_commands $(V)/unit/t_demo: $(CMD_A)
-include $(UNIT:=.d)

# The simulation of the election, on the very objects that are shipped; and once more with the
# broken variants of the core, which exist in this program alone.
SIM_SRC  := $(sort $(wildcard tests/sim/*.c))
SIM      := $(V)/sim/lease $(V)/sim/lease-mutants
LEASE_SRC := $(filter lib/election/%,$(CORES))
SIM_CC    = $(CC) $(CFLAGS) $(OWN) -Itests/sim $(INCLUDE)
$(V)/sim/lease: $(SIM_SRC) $(LIB_A)
	@mkdir -p $(@D)
	$(call say,sim,$@)
	$(Q)$(SIM_CC) -MF $@.d -MT $@ -o $@ $(SIM_SRC) $(TEST_LD) $(LIB_A)
$(V)/sim/lease-mutants: $(SIM_SRC) $(LEASE_SRC) $(LIB_A)
	@mkdir -p $(@D)
	$(call say,sim,$@)
	$(Q)$(SIM_CC) -DAEGIS_MUTANTS -MF $@.d -MT $@ -o $@ $(SIM_SRC) $(LEASE_SRC) $(TEST_LD) $(LIB_A)
-include $(SIM:=.d)

## make sim-long     10^9 steps of the election with fresh seeds, and every mutant caught
sim-long: $(SIM)
	@tests/sim/run $(V) long

# The parts of the endurance run; a small one is a scenario.
$(V)/soak: tests/soak/soak.c $(LIB_A)
	@mkdir -p $(@D)
	$(call say,test,$@)
	$(Q)$(CC) $(CFLAGS) $(OWN) $(INCLUDE) -o $@ $< $(TEST_LD) $(LIB_A) -L$(LIBDIR) $(WRAP) $(DYNAMIC)
-include $(V)/soak.d

## make soak         10^6 events and 10^4 commands while servers and workers are killed; takes minutes
soak: $(AEGIS) $(V)/soak build/.npm
	@SOAK_RESULT=$(if $(RECORD),benchmarks/results/soak.jsonl) AEGIS=$(CURDIR)/$(AEGIS) tests/soak/run

# Chaos on real processes; and once more with the broken variants of the core, which its judge must find.
CHAOS     := $(V)/chaos/chaos $(V)/chaos/chaos-mutants
CHAOS_CC   = $(CC) $(CFLAGS) $(OWN) $(INCLUDE)
CHAOS_LD   = $(TEST_LD) $(LIB_A) -L$(LIBDIR) $(WRAP) $(DYNAMIC)
$(V)/chaos/chaos: tests/chaos/chaos.c $(LIB_A)
	@mkdir -p $(@D)
	$(call say,test,$@)
	$(Q)$(CHAOS_CC) -MF $@.d -MT $@ -o $@ $< $(CHAOS_LD)
$(V)/chaos/chaos-mutants: tests/chaos/chaos.c $(LEASE_SRC) lib/election/link.c $(LIB_A)
	@mkdir -p $(@D)
	$(call say,test,$@)
	$(Q)$(CHAOS_CC) -DAEGIS_MUTANTS -MF $@.d -MT $@ -o $@ tests/chaos/chaos.c $(LEASE_SRC) lib/election/link.c $(CHAOS_LD)
-include $(CHAOS:=.d)

## make chaos N=1000 so many faults on real members and servers; takes 2 s each. FAULTS=a,b PROFILE=p SEED=n CHANGES=n RATE=ppm RECORD=1
chaos: $(CHAOS)
	@NATS_SERVER=$(CURDIR)/$(ROOT)/sbin/nats-server $(V)/chaos/chaos --rounds $(or $(N),1000) --profile $(or $(PROFILE),default) \
	    --faults $(or $(FAULTS),all) $(if $(SEED),--seed $(SEED)) $(if $(CHANGES),--changes $(CHANGES)) $(if $(RATE),--rate $(RATE)) $(if $(RECORD),--record benchmarks/results/chaos.jsonl)

## make idle         an hour of three members with which nothing is wrong; SECONDS=600 BUSY=1 PROFILE=fast
idle: $(AEGIS)
	@tests/chaos/idle $(or $(SECONDS),3600) $(if $(BUSY),busy)

## make coverage     line and branch coverage of lib/, from the whole suite
coverage:
	@scripts/coverage

## make check        every test; SAN=address,undefined and SAN=thread run them sanitized
check:
	@scripts/packages-needed build
	@scripts/packages-needed check
	@$(MAKE) -s -j$$(nproc) tests-built
	@tests/run $(V)

# What the tests run: programs, the library, the independent NATS client.
tests-built: $(AEGIS) $(UNIT) $(SIM) $(CHAOS) $(V)/soak build/libaegis.a build/.npm build/.npm-ui

unit: $(UNIT)
	@tests/run $(V) unit

scenario: $(AEGIS) build/.npm
	@tests/run $(V) scenario

# The independent NATS client of the scenarios, exactly as the lock file names it.
build/.npm: tests/support/package.json tests/support/package-lock.json tests/support/.npmrc
	@mkdir -p $(@D)
	$(Q)cd tests/support && npm ci --loglevel=error
	@touch $@

## make ui           the tests of the page, in a real browser
ui: $(AEGIS) build/.npm-ui
	@tests/run $(V) ui

## make screenshots  the pictures of README, of a demo that runs for three minutes
screenshots: $(AEGIS) build/.npm-ui
	@scripts/packages-needed screenshots
	@$$(scripts/node build) tests/ui/support/screenshots.mjs assets/screenshots 180

# The browser's driver.
build/.npm-ui: tests/ui/package.json tests/ui/package-lock.json tests/ui/.npmrc
	@mkdir -p $(@D)
	$(Q)cd tests/ui && npm ci --loglevel=error
	@touch $@

# --- benchmarks -------------------------------------------------------------------------

BENCH_SRC := $(sort $(wildcard benchmarks/micro/*.c benchmarks/load/*.c))
BENCH     := $(addprefix $(V)/bench/,$(basename $(notdir $(BENCH_SRC))))
BENCH_OBJ := $(patsubst benchmarks/%.c,$(V)/obj/%.o,$(wildcard benchmarks/*.c))
BENCH_CC   = $(CC) $(CFLAGS) $(OWN) -Ibenchmarks $(INCLUDE)
BENCH_LD   = $(TEST_LD) $(BENCH_OBJ) $(LIB_A) -L$(LIBDIR) $(WRAP) $(DYNAMIC)

$(BENCH_OBJ): $(V)/obj/%.o: benchmarks/%.c build/root/.stamp build/gen/version.h
	@mkdir -p $(@D)
	$(Q)$(BENCH_CC) -c $< -o $@
$(V)/bench/%: benchmarks/micro/%.c $(BENCH_OBJ) $(LIB_A)
	@mkdir -p $(@D)
	$(call say,bench,$@)
	$(Q)$(BENCH_CC) -o $@ $< $(BENCH_LD)
$(V)/bench/%: benchmarks/load/%.c $(BENCH_OBJ) $(LIB_A)
	@mkdir -p $(@D)
	$(call say,bench,$@)
	$(Q)$(BENCH_CC) -o $@ $< $(BENCH_LD)
-include $(BENCH:=.d) $(BENCH_OBJ:.o=.d)

# What our HTTP server is compared with: civetweb without our patch.
$(V)/obj/civetweb_bare.o: build/root/.stamp
	@mkdir -p $(@D)
	$(Q)$(CC) $(filter-out -MMD -MP,$(CFLAGS)) -w -DNO_SSL -DNO_CGI -DNO_FILES -DNDEBUG -DBUILD_DATE='"none"' \
	    -I$(CIVET)/include -c $(CIVET)/src/civetweb.c -o $@
$(V)/bench/web_bare: $(V)/obj/civetweb_bare.o
$(V)/bench/web_bare: BENCH_LD := $(V)/obj/civetweb_bare.o $(BENCH_LD)

## make bench        what the release promises, measured; one line into benchmarks/results; LONG=1: all of it
bench: $(AEGIS) $(BENCH) build/.npm build/.npm-ui build/.npm-bench
	@scripts/packages-needed check
	@NODE=$$(scripts/node build) scripts/benchrun $(V) benchmarks/results/runs.jsonl $(if $(LONG),--long)

# What others judge the page by.
build/.npm-bench: benchmarks/page/package.json benchmarks/page/package-lock.json benchmarks/page/.npmrc
	@mkdir -p $(@D)
	$(Q)cd benchmarks/page && npm ci --loglevel=error
	@touch $@

## make bench-failover  its rows of the election alone; LONG=1: 300 and 100 rounds of each fault, an hour
bench-failover: $(AEGIS) $(V)/bench/failover
	@$(V)/bench/failover $(if $(LONG),--long)

# --- install ----------------------------------------------------------------------------

## make man          build/man/*.1, from the tables of commands and options
man: build/.man

# Made once for a program, so that nobody finds them gone while somebody else makes them.
build/.man: $(AEGIS)
	@mkdir -p build/man
	@rm -f build/man/*.1
	@for p in $$($(AEGIS) help --pages); do $(AEGIS) help --man $$p >build/man/$$p.1 || exit 1; done
	@touch $@

## make install      into PREFIX (/usr/local), below DESTDIR if that is set
BASHDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR  ?= $(PREFIX)/share/zsh/site-functions
FISHDIR ?= $(PREFIX)/share/fish/vendor_completions.d

install: install-program install-man install-completion install-library

install-program: $(AEGIS)
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 -s $(AEGIS) $(DESTDIR)$(PREFIX)/bin/aegis

install-man: man
	install -d $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 644 build/man/*.1 $(DESTDIR)$(PREFIX)/share/man/man1

install-completion: $(AEGIS)
	install -d $(DESTDIR)$(BASHDIR) $(DESTDIR)$(ZSHDIR) $(DESTDIR)$(FISHDIR)
	$(AEGIS) completion bash >$(DESTDIR)$(BASHDIR)/aegis
	$(AEGIS) completion zsh >$(DESTDIR)$(ZSHDIR)/_aegis
	$(AEGIS) completion fish >$(DESTDIR)$(FISHDIR)/aegis.fish

install-library: build/libaegis.a
	install -d $(DESTDIR)$(PREFIX)/lib/pkgconfig $(DESTDIR)$(PREFIX)/include
	install -m 644 build/libaegis.a $(DESTDIR)$(PREFIX)/lib/libaegis.a
	install -m 644 lib/client/aegis.h build/gen/aegis_codes.h $(DESTDIR)$(PREFIX)/include
	printf 'prefix=%s\nName: aegis\nDescription: services on NATS\nVersion: %s\n%s\n%s\n' '$(PREFIX)' '$(VERSION)' \
	    'Cflags: -I$${prefix}/include' 'Libs: -L$${prefix}/lib -laegis -lm -lpthread' \
	    >$(DESTDIR)$(PREFIX)/lib/pkgconfig/aegis.pc

# One object in which everything but aegis_* is local; release objects only.
CLIENT_OBJ := $(filter build/obj/lib/client/%,$(LIB_SRC:%.c=build/obj/%.o))
build/libaegis.a: scripts/libaegis build/obj/lib.a $(CLIENT_OBJ)
	$(call say,lib,$@)
	$(Q)scripts/libaegis $@ build/obj/lib.a $(CLIENT_OBJ)

## make clean        remove build/, downloads kept in build/dl
clean:
	@test ! -d build || find build -mindepth 1 -maxdepth 1 ! -name dl -exec rm -rf {} +

# For tests: the value of a variable.
print-%:
	@echo $($*)
