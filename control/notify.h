/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sd_notify(3) without libsystemd. */
#ifndef SLUICE_NOTIFY_H
#define SLUICE_NOTIFY_H

enum notify_state { NOTIFY_READY, NOTIFY_RELOADING, NOTIFY_STOPPING };

/* Tells the service manager, if there is one (NOTIFY_SOCKET). Failures are not interesting. */
void notify_manager(enum notify_state state);

#endif
