# SPDX-License-Identifier: GPL-2.0-or-later
# Everything is built under build/. See `make help`.

CC ?= cc
CLANG ?= $(firstword $(shell command -v clang-19 clang 2>/dev/null))
BPFTOOL ?= $(firstword $(shell PATH=$$PATH:/usr/sbin:/sbin command -v bpftool))
BUILD := build
PREFIX ?= /usr/local

PACKAGES := libbpf libnl-route-3.0 libcurl jansson
WARNINGS := -Wall -Wextra -Werror -Wmissing-prototypes -Wstrict-prototypes -Wshadow
CFLAGS ?= -O2 -g
ALL_CFLAGS = $(CFLAGS) -std=gnu11 $(WARNINGS) -D_GNU_SOURCE -Idatapath -Icontrol -I$(BUILD) \
	$(shell pkg-config --cflags $(PACKAGES))
LDLIBS = $(shell pkg-config --libs $(PACKAGES)) -linih

BPF_CFLAGS := -target bpf -mcpu=v3 -O2 -g -std=gnu11 -Wall -Wextra -Werror \
	-Wno-unused-parameter -Wno-missing-declarations -Wno-address-of-packed-member \
	-Idatapath -I$(BUILD) -D__TARGET_ARCH_$(shell uname -m | sed 's/x86_64/x86/;s/aarch64/arm64/')

CONTROL := $(wildcard control/*.c)
OBJECTS := $(CONTROL:control/%.c=$(BUILD)/%.o)

all: $(BUILD)/sluice

$(BUILD)/vmlinux.h: | $(BUILD)
	$(BPFTOOL) btf dump file /sys/kernel/btf/vmlinux format c > $@.tmp && mv $@.tmp $@

$(BUILD)/%.bpf.o: datapath/%.bpf.c $(wildcard datapath/*.h) $(BUILD)/vmlinux.h
	$(CLANG) $(BPF_CFLAGS) -c $< -o $@

$(BUILD)/sluice.skel.h: $(BUILD)/sluice.bpf.o
	$(BPFTOOL) gen skeleton $< name sluice_bpf > $@.tmp && mv $@.tmp $@

$(BUILD)/%.o: control/%.c $(wildcard control/*.h) $(wildcard datapath/*.h) $(BUILD)/sluice.skel.h
	$(CC) $(ALL_CFLAGS) -c $< -o $@

$(BUILD)/sluice: $(OBJECTS)
	$(CC) $(CFLAGS) $(LDFLAGS) $^ $(LDLIBS) -o $@

$(BUILD):
	mkdir -p $@

clean:
	rm -rf $(BUILD)

.PHONY: all clean
