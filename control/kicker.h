/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kicks: a timer in the datapath has run out (datapath/sender.h) and needs a packet to send with.
 * A thread of its own waits for them and runs the program `kick`, whatever else the daemon does;
 * it also keeps telling the datapath that kicks are served.
 */
#ifndef SLUICE_KICKER_H
#define SLUICE_KICKER_H

#include "loader.h"

struct kicker;

/* Starts the thread, in the caller's network namespace. The loader must outlive it. 0 or -errno,
 * logged. */
int kicker_open(const struct loader *loader, struct kicker **out);
/* Ends it, and tells the datapath. NULL is fine. */
void kicker_close(struct kicker *kicker);

#endif
