# SPDX-License-Identifier: GPL-2.0-or-later
"""Tables of text."""


def cell(value, pattern):
    """The value in that format; a dash for what was not measured."""
    return pattern.format(value) if value else '-'


def print_table(heading, rows):
    """Columns as wide as needed; the first to the left, the others to the right."""
    widths = [max(len(row[i]) for row in [heading, *rows]) for i in range(len(heading))]
    for row in [heading, *rows]:
        columns = [text.rjust(width) for text, width in zip(row, widths)]
        columns[0] = row[0].ljust(widths[0])
        print('  '.join(columns).rstrip())
