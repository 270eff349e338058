// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Log lines to stderr, each with one write so that lines of several processes do not mix. Text
 * that does not fit is cut and ends with "...".
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "log.h"

#define LOG_LINE_BYTES 2048

static int log_verbose;

void log_set_verbose(int verbose)
{
	log_verbose = verbose;
}

static void log_line(const char *level, const char *format, va_list args)
{
	static const char cut[] = "...";
	char line[LOG_LINE_BYTES];
	size_t room, used;
	int len;

	used = (size_t)snprintf(line, sizeof(line), "%s: ", level);
	room = sizeof(line) - used;
	len = vsnprintf(line + used, room, format, args);
	if (len < 0)
		return;
	if ((size_t)len >= room) {
		used = sizeof(line) - sizeof(cut);
		memcpy(line + used, cut, sizeof(cut));
		used += sizeof(cut) - 1;
	} else {
		used += (size_t)len;
	}
	line[used++] = '\n';
	fwrite(line, 1, used, stderr);
}

void log_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_line("error", format, args);
	va_end(args);
}

void log_warn(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_line("warning", format, args);
	va_end(args);
}

void log_info(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_line("info", format, args);
	va_end(args);
}

void log_debug(const char *format, ...)
{
	va_list args;

	if (!log_verbose)
		return;
	va_start(args, format);
	log_line("debug", format, args);
	va_end(args);
}
