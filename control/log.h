/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Log lines to stderr: "LEVEL: text". No timestamps: journald and container runtimes add them. */
#ifndef SLUICE_LOG_H
#define SLUICE_LOG_H

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_set_verbose(int verbose);

#endif
