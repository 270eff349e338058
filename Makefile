# SPDX-License-Identifier: GPL-2.0-or-later
# Everything is built under build/. `make help` lists the targets.

CC ?= cc
CLANG ?= $(firstword $(shell command -v clang-19 clang-18 clang 2>/dev/null))
CLANG_FORMAT ?= $(firstword $(shell command -v clang-format-19 clang-format 2>/dev/null))
BPFTOOL ?= $(firstword $(shell PATH=$$PATH:/usr/sbin:/sbin command -v bpftool))
BUILD := build
VERSION := 0.1.0
PREFIX ?= /usr/local
DESTDIR ?=

PACKAGES := libbpf libnl-route-3.0 libcurl jansson libmicrohttpd zlib libbrotlienc
WARNINGS := -Wall -Wextra -Werror -Wmissing-prototypes -Wstrict-prototypes -Wshadow
CFLAGS ?= -O2 -g
ALL_CFLAGS = $(CFLAGS) -std=gnu11 $(WARNINGS) -D_GNU_SOURCE -Idatapath -Icontrol -I$(BUILD) \
	-DSLUICE_VERSION='"$(VERSION)"' $(shell pkg-config --cflags $(PACKAGES))
LDLIBS = $(shell pkg-config --libs $(PACKAGES)) -linih -pthread

# The return value of a global function may stay unused; packed kernel structs are taken as they are.
BPF_CFLAGS := -target bpf -mcpu=v3 -O2 -g -std=gnu11 -Wall -Wextra -Werror \
	-Wno-unused-parameter -Wno-missing-declarations -Wno-address-of-packed-member \
	-Idatapath -I$(BUILD) -D__TARGET_ARCH_$(shell uname -m | sed 's/x86_64/x86/;s/aarch64/arm64/')

DATAPATH_HEADERS := $(wildcard datapath/*.h)
CONTROL := $(wildcard control/*.c)
OBJECTS := $(CONTROL:control/%.c=$(BUILD)/%.o)

SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
UNIT_CFLAGS = -g -O1 -std=gnu11 -Wall -Wextra $(SANITIZE) -D_GNU_SOURCE -Idatapath -Icontrol \
	-Itests/unit -I$(BUILD) $(shell pkg-config --cflags $(PACKAGES))
UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/*_test.c))
PROG_LIB := $(wildcard tests/prog/lib/*.c)
PROG_TESTS := $(patsubst tests/prog/%.c,$(BUILD)/prog/%,$(wildcard tests/prog/*_test.c))

all: $(BUILD)/sluice

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

deps: ## install what the build and the tests need (apt, npm)
	tests/deps.sh

check: all tests ## run all tests
	tests/run

tests: $(UNIT_TESTS) $(PROG_TESTS) $(BUILD)/wire $(BUILD)/fetch $(BUILD)/flood fuzzers

lab-demo: all ## the main job, shown in network namespaces
	netns-lab/demo

bench: all $(BUILD)/prog/http_parse_load $(BUILD)/prog/http_parse.bpf.o ## speed beside nginx and Node alone
	netns-lab/bench.sh

bench-wire: all $(BUILD)/wire ## beside nginx under loss, reordering and delay
	netns-lab/bench/wire.sh

bench-flood: all ## legitimate requests during a SYN flood and an ACK flood
	netns-lab/bench/flood.sh

bench-answers: $(BUILD)/prog/answer_bench ## run time of a hit by what its answer takes
	$<

bench-routes: $(BUILD)/prog/routes_bench ## run time of a hit by the number of routes
	$<

fuzz: fuzzers ## fuzz the HTTP parsers: SECONDS_EACH=60 a harness, CASES=10000000 beside llhttp
	BUILD=$(abspath $(BUILD))/fuzz tests/fuzz/run.sh long

fuzzers:
	$(MAKE) -C tests/fuzz CLANG=$(CLANG) BUILD=$(abspath $(BUILD))/fuzz all

lint: ## formatting, shell scripts, man pages
	tests/lint

compile_commands.json: all
	bear -- $(MAKE) -B all

install: all ## install under PREFIX (/usr/local)
	install -D -m 755 $(BUILD)/sluice $(DESTDIR)$(PREFIX)/sbin/sluice
	install -D -m 644 docs/sluice.8 $(DESTDIR)$(PREFIX)/share/man/man8/sluice.8
	install -D -m 644 docs/sluice.ini.5 $(DESTDIR)$(PREFIX)/share/man/man5/sluice.ini.5
	install -D -m 644 conf/gateway.ini $(DESTDIR)$(PREFIX)/share/doc/sluice/gateway.ini

clean: ## remove build/
	rm -rf $(BUILD)

ifndef V
.SILENT:
endif

$(BUILD) $(BUILD)/unit $(BUILD)/unit/room $(BUILD)/prog $(BUILD)/prog/lib:
	mkdir -p $@

$(BUILD)/vmlinux.h: | $(BUILD)
	@echo "  GEN  $@"
	$(BPFTOOL) btf dump file /sys/kernel/btf/vmlinux format c > $@.tmp && mv $@.tmp $@

$(BUILD)/sluice.bpf.o: datapath/sluice.bpf.c $(DATAPATH_HEADERS) $(BUILD)/vmlinux.h
	@echo "  BPF  $@"
	$(CLANG) $(BPF_CFLAGS) -c $< -o $@

$(BUILD)/prog/http_parse_load: tests/prog/http_parse_load.c | $(BUILD)/prog
	@echo "  CC   $@"
	$(CC) $(PROG_CFLAGS) $< $(LDLIBS) -o $@

$(BUILD)/prog/http_parse.bpf.o: tests/prog/http_parse.bpf.c $(DATAPATH_HEADERS) \
		$(BUILD)/vmlinux.h | $(BUILD)/prog
	@echo "  BPF  $@"
	$(CLANG) $(BPF_CFLAGS) -c $< -o $@

$(BUILD)/sluice.skel.h: $(BUILD)/sluice.bpf.o
	@echo "  GEN  $@"
	$(BPFTOOL) gen skeleton $< name sluice_bpf > $@.tmp && mv $@.tmp $@

# The skeleton is made before the first compilation; afterwards the .d files know who needs it.
$(BUILD)/%.o: control/%.c | $(BUILD)/sluice.skel.h
	@echo "  CC   $@"
	$(CC) $(ALL_CFLAGS) -MMD -MP -c $< -o $@
-include $(OBJECTS:.o=.d)

$(BUILD)/sluice: $(OBJECTS)
	@echo "  LD   $@"
	$(CC) $(CFLAGS) $(LDFLAGS) $^ $(LDLIBS) -o $@

# A unit test is linked with the rooms of control/ that it tests: all but those that need a kernel.
UNIT_ROOMS := $(wildcard control/config*.c) control/log.c control/plan.c control/extent.c \
	control/state.c control/store.c control/store_open.c control/mapset.c control/pathrules.c \
	control/keymap.c control/answer.c control/component.c control/variant.c $(wildcard control/mapsync*.c)
UNIT_OBJECTS := $(UNIT_ROOMS:control/%.c=$(BUILD)/unit/room/%.o)
$(BUILD)/unit/room/%.o: control/%.c | $(BUILD)/unit/room
	@echo "  CC   $@"
	$(CC) $(UNIT_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/unit/%: tests/unit/%.c $(UNIT_OBJECTS) | $(BUILD)/unit
	@echo "  CC   $@"
	$(CC) $(UNIT_CFLAGS) -MMD -MP -MF $@.d $< $(UNIT_OBJECTS) $(LDLIBS) -lcmocka -lm -o $@

PROG_OBJECTS := $(PROG_LIB:tests/prog/%.c=$(BUILD)/prog/%.o)
PROG_CFLAGS = $(ALL_CFLAGS) -Wno-missing-prototypes -Itests/prog/lib
$(BUILD)/prog/lib/%.o: tests/prog/lib/%.c | $(BUILD)/sluice.skel.h $(BUILD)/prog/lib
	@echo "  CC   $@"
	$(CC) $(PROG_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/prog/%: tests/prog/%.c $(PROG_OBJECTS) | $(BUILD)/prog
	@echo "  CC   $@"
	$(CC) $(PROG_CFLAGS) -MMD -MP -MF $@.d $< $(PROG_OBJECTS) $(LDLIBS) -o $@
-include $(UNIT_OBJECTS:.o=.d) $(UNIT_TESTS:=.d) $(PROG_OBJECTS:.o=.d) $(PROG_TESTS:=.d)

$(BUILD)/fetch: $(wildcard netns-lab/bench/fetch*.[ch]) netns-lab/bench/load.h | $(BUILD)
	@echo "  CC   $@"
	$(CC) -O2 -Wall -Wextra -D_GNU_SOURCE netns-lab/bench/fetch.c -o $@

$(BUILD)/flood: netns-lab/bench/flood.c netns-lab/bench/load.h | $(BUILD)
	@echo "  CC   $@"
	$(CC) -O2 -Wall -Wextra -D_GNU_SOURCE $< -o $@

$(BUILD)/wire: netns-lab/wire.c netns-lab/wire_settings.h | $(BUILD)
	@echo "  CC   $@"
	$(CC) -O2 -Wall -Wextra $< -o $@

.PHONY: all help deps check tests lab-demo bench bench-wire bench-flood bench-answers bench-routes fuzz fuzzers lint \
	install clean
.DELETE_ON_ERROR:
