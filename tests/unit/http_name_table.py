#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes datapath/http_name_table.h: the field names that the parsers know, in perfect hash tables.

usage: tests/unit/http_name_table.py > datapath/http_name_table.h
Searches (seeded) for multipliers that give every name a slot of its own. http_name.h has the
functions that look names up, tests/unit/http_request_test.c looks every name up.
"""
import random

MASK = (1 << 64) - 1

# Names that are acted on; a trailing '*' stands for any further bytes.
FOUND = {
    'host': 'HOST', 'connection': 'CONNECTION', 'proxy-connection': 'PROXY_CONNECTION',
    'cookie': 'COOKIE', 'accept-encoding': 'ACCEPT_ENCODING', 'content-length': 'CONTENT_LENGTH',
    'content_length': 'LOOKALIKE', 'transfer-encoding': 'TRANSFER_ENCODING', 'upgrade': 'UPGRADE',
    'expect': 'EXPECT', 'authorization': 'AUTHORIZATION', 'range': 'RANGE',
    'if-none-match': 'CONDITION', 'if-modified-since': 'CONDITION', 'if-match': 'PRECONDITION',
    'if-unmodified-since': 'PRECONDITION', 'if-range': 'PRECONDITION', 'forwarded': 'FORWARDED',
    'x-forwarded-*': 'FORWARDED', 'x-real-ip': 'FORWARDED', 'rsc': 'RSC', 'next-router-*': 'RSC',
}

# Common names of nine to 31 bytes, in requests of browsers and responses of Node.
COMMON = '''
accept-language accept-ranges access-control-allow-origin cache-control cf-connecting-ip
content-encoding content-type if-none-match if-modified-since keep-alive last-modified
referrer-policy save-data sec-ch-ua sec-ch-ua-mobile sec-ch-ua-platform sec-fetch-dest
sec-fetch-mode sec-fetch-site sec-fetch-user sec-purpose set-cookie strict-transport-security
traceparent true-client-ip upgrade-insecure-requests user-agent x-amzn-trace-id x-frame-options
x-powered-by x-request-id x-requested-with
connection accept-encoding content-length transfer-encoding authorization forwarded x-real-ip
'''.split()


def lower(name):
    """As the parser sees it: every byte or'ed with 0x20."""
    return bytes(byte | 0x20 for byte in name.encode())


def word(data):
    return int.from_bytes(data[:8].ljust(8, b'\0'), 'little')


def perfect(keys, bits, rnd):
    """A multiplier that spreads the keys over 1 << bits slots without a collision."""
    assert len(set(keys)) == len(keys)
    while True:
        multiplier = rnd.getrandbits(64) | 1
        if len({(key * multiplier & MASK) >> (64 - bits) for key in keys}) == len(keys):
            return multiplier


def slot(key, multiplier, bits):
    return (key * multiplier & MASK) >> (64 - bits)


def found_rows(rnd, bits):
    names = {name.rstrip('*'): (name.endswith('*'), field) for name, field in FOUND.items()}
    keys = {name: word(lower(name)) for name in names}
    multiplier = perfect(list(keys.values()), bits, rnd)
    rows = []
    for name, (prefix, field) in names.items():
        data = lower(name)
        mid = word(data[8:16]) if len(data) > 16 else 0
        last = word(data[-8:]) if len(data) > 8 else 0
        rows.append((slot(keys[name], multiplier, bits),
                     '0x%016x, 0x%016x, 0x%016x, %d, %d,\n\t\t  HTTP_FIELD_%s'
                     % (keys[name], mid, last, len(data), prefix, field), name))
    return multiplier, sorted(rows)


def common_rows(rnd, bits):
    keys = {}
    for name in COMMON:
        line = lower(name + ': ')
        assert 9 <= len(name) <= 31
        keys[name] = word(line) ^ (line[10] << 56)
    multiplier = perfect(list(keys.values()), bits, rnd)
    rows = []
    for name in COMMON:
        data = lower(name)
        size = len(data)
        tail = word(lower(name + ':')[-8:])
        mid = word(data[8:16]) if size > 15 else 0
        rest = word(data[size - 15:size - 7]) if size > 15 else 0
        rows.append((slot(keys[name], multiplier, bits),
                     '0x%016x, 0x%016x, 0x%016x,\n\t\t  0x%016x, %d, HTTP_FIELD_%s'
                     % (word(data), tail, mid, rest, size, FOUND.get(name, 'OTHER')), name))
    return multiplier, sorted(rows)


def main():
    rnd = random.Random(1)
    found_bits, common_bits = 6, 7
    found, found_list = found_rows(rnd, found_bits)
    common, common_list = common_rows(rnd, common_bits)
    print('/* SPDX-License-Identifier: GPL-2.0-or-later */')
    print('''/*
 * Field names in perfect hash tables, for http_name.h. Written by tests/unit/http_name_table.py:
 * change the names there. Letters are in lower case and '_' is DEL, since every byte of a name is
 * or'ed with 0x20 before it is compared.
 */''')
    print('/* clang-format off */')
    print('#ifndef SLUICE_HTTP_NAME_TABLE_H\n#define SLUICE_HTTP_NAME_TABLE_H\n')
    for table, bits, multiplier in (('NAME', found_bits, found), ('COMMON', common_bits, common)):
        print('#define HTTP_%s_SLOTS %d' % (table, 1 << bits))
        print('#define HTTP_%s_SHIFT %d' % (table, 64 - bits))
        print('#define HTTP_%s_MULTIPLIER 0x%016xULL\n' % (table, multiplier))
    for kind, rows in (('name', found_list), ('common', common_list)):
        print('static const struct http_%s http_%ss[HTTP_%s_SLOTS] = {'
              % (kind, kind, kind.upper()))
        for index, row, name in rows:
            print('\t/* %s */\n\t[%d] = { %s },' % (name, index, row))
        print('};\n')
    print('/* clang-format on */\n#endif')


main()
