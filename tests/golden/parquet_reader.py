# SPDX-License-Identifier: Apache-2.0
"""A reader of Parquet files that shares nothing with the program: Thrift's compact protocol, and of the format what a writer of flat
tables may use. It believes nothing: sizes, checksums, statistics, indexes and orders are held against the values.

    file = read(path)     file.columns: {name: values}, file.kinds: {name: "text", "time", "int", "double"}, file.notes, file.groups
"""
import dataclasses
import math
import struct
import zlib

import zstandard

MAGIC = b"PAR1"
INT64, DOUBLE, BYTES = 2, 5, 6
PLAIN, RLE, DELTA, DICTIONARY = 0, 3, 5, 8
ZSTD = 6


# ---- Thrift ----


class Compact:
    """Structs as {field: value}, lists as lists, binaries as bytes."""

    def __init__(self, data, at=0):
        self.data, self.at = data, at

    def byte(self):
        self.at += 1
        return self.data[self.at - 1]

    def varint(self):
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def zigzag(self):
        value = self.varint()
        return value >> 1 ^ -(value & 1)

    def value(self, kind):
        if kind in (1, 2):
            return kind == 1
        if kind in (4, 5, 6):
            return self.zigzag()
        if kind == 8:
            n = self.varint()
            self.at += n
            assert self.at <= len(self.data)
            return bytes(self.data[self.at - n:self.at])
        if kind == 9:
            head = self.byte()
            n = head >> 4 if head >> 4 < 15 else self.varint()
            return [self.byte() == 1 if head & 15 in (1, 2) else self.value(head & 15) for _ in range(n)]
        assert kind == 12, kind
        return self.struct()

    def struct(self):
        fields, last = {}, 0
        while head := self.byte():
            last = last + (head >> 4) if head >> 4 else self.zigzag()
            assert last not in fields
            fields[last] = self.value(head & 15)
        return fields


# ---- encodings ----


def unpack(data, bits, n):
    word = int.from_bytes(data, "little")
    return [word >> i * bits & (1 << bits) - 1 for i in range(n)]


def hybrid(data, bits, n):
    c, values = Compact(data), []
    while len(values) < n:
        head = c.varint()
        if head & 1:
            size = (head >> 1) * bits
            values += unpack(data[c.at:c.at + size], bits, (head >> 1) * 8)
        else:
            size = (bits + 7) // 8
            values += [int.from_bytes(data[c.at:c.at + size], "little")] * (head >> 1)
        c.at += size
    assert c.at == len(data) and len(values) - n < 8 and not any(values[n:])
    return values[:n]


def delta(data, n):
    c = Compact(data)
    block, parts, total, value = c.varint(), c.varint(), c.varint(), c.zigzag()
    assert total == n and block % 128 == 0 and block // parts % 32 == 0
    values = [value] if n else []
    while len(values) < n:
        least, widths = c.zigzag(), [c.byte() for _ in range(parts)]
        for bits in widths:
            if len(values) == n:
                break
            size = bits * (block // parts) // 8
            for d in unpack(data[c.at:c.at + size], bits, block // parts)[:n - len(values)]:
                value = (value + least + d + 2**63) % 2**64 - 2**63
                values.append(value)
            c.at += size
    assert c.at == len(data)
    return values


def plain(data, kind, n):
    if kind != BYTES:
        assert len(data) == 8 * n
        return list(struct.unpack(f"<{n}{'q' if kind == INT64 else 'd'}", data))
    values, at = [], 0
    for _ in range(n):
        size = int.from_bytes(data[at:at + 4], "little")
        values.append(bytes(data[at + 4:at + 4 + size]))
        at += 4 + size
    assert at == len(data)
    return values


# ---- bounds ----


def bound(raw, kind):
    return raw if kind == BYTES else plain(raw, kind, 1)[0]


def check_bounds(values, kind, low, high, is_low_exact, is_high_exact):
    there = [v for v in values if v is not None]
    low, high = bound(low, kind), bound(high, kind)
    if kind == DOUBLE:
        assert not any(math.isnan(v) for v in there)
        assert math.copysign(1, low) == -1 or low != 0
        assert math.copysign(1, high) == 1 or high != 0
    if kind == BYTES:
        low.decode(), high.decode()
        assert (len(low) <= 64 or is_low_exact) and (len(high) <= 64 or is_high_exact)
    assert low == min(there) if is_low_exact else low < min(there) and min(there).startswith(low)
    assert high == max(there) if is_high_exact else high > max(there)


# ---- files ----


@dataclasses.dataclass
class Group:
    n_rows: int
    sorting: list  # names
    encodings: dict  # of data, by name
    n_pages: int


@dataclasses.dataclass
class File:
    kinds: dict
    columns: dict
    notes: dict
    created_by: str
    groups: list


def kind_of(element):
    """A column's kind, and that both ways to write it agree."""
    physical, old, new = element[1], element.get(6), element.get(10)
    assert element[3] == 1  # may be null
    if physical == BYTES:
        assert old == 0 and new == {1: {}}
        return "text"
    if physical == INT64 and new:
        assert old == 10 and new == {8: {1: True, 2: {2: {}}}}
        return "time"
    assert old is new is None
    return {INT64: "int", DOUBLE: "double"}[physical]


def page(data, at, kinds):
    """(header, what it holds, where the next one begins, its size uncompressed)"""
    c = Compact(data, at)
    header = c.struct()
    assert header[1] in kinds
    packed = data[c.at:c.at + header[3]]
    assert zlib.crc32(packed) == header[4] % 2**32
    raw = zstandard.ZstdDecompressor().decompress(packed, max_output_size=header[2] or 1)
    assert len(raw) == header[2]
    return header, raw, c.at + header[3], c.at - at + header[2]


def read_chunk(data, chunk, kind):
    """Values of a column in a row group, page by page, and all that is said of them."""
    meta, pages, words = chunk[3], [], None
    assert meta[1] == kind and meta[4] == ZSTD
    at = begin = meta.get(11, meta[9])
    raw_len = 0
    if 11 in meta:
        header, raw, at, size = page(data, at, {2})
        assert header[7][2] == PLAIN
        words, raw_len = plain(raw, kind, header[7][1]), size
        assert len(set(words)) == len(words)
    assert at == meta[9]
    for where in Compact(data, chunk[4]).struct()[1]:
        assert where[1] == at and where[3] == sum(map(len, pages))
        header, raw, at, size = page(data, at, {0})
        assert at - where[1] == where[2]
        raw_len += size
        n, encoding = header[5][1], header[5][2]
        assert header[5][3] == header[5][4] == RLE and encoding in meta[2]
        size = int.from_bytes(raw[:4], "little")
        levels, raw = hybrid(raw[4:4 + size], 1, n), raw[4 + size:]
        there = sum(levels)
        if encoding == DICTIONARY:
            values = [words[i] for i in hybrid(raw[1:], raw[0], there)]
        else:
            values = delta(raw, there) if encoding == DELTA else plain(raw, kind, there)
        values = iter(values)
        pages.append([next(values) if level else None for level in levels])
    assert at - begin == meta[7] and raw_len == meta[6] and sum(map(len, pages)) == meta[5]
    assert sum(c[3] for c in meta[13]) == len(pages) + (11 in meta)
    return pages, encoding


def check_statistics(data, chunk, kind, pages):
    c = Compact(data, chunk[6])
    index, stats, values = c.struct(), chunk[3][12], [v for page in pages for v in page]
    assert c.at == chunk[6] + chunk[7]
    assert stats[3] == values.count(None) and index[5] == [page.count(None) for page in pages]
    assert index[1] == [all(v is None for v in page) for page in pages]
    bounds = []
    for page, is_null, low, high in zip(pages, index[1], index[2], index[3], strict=True):
        if is_null:
            assert low == high == b""
            continue
        check_bounds(page, kind, low, high, bound(low, kind) == min(v for v in page if v is not None),
                     bound(high, kind) == max(v for v in page if v is not None))
        bounds.append((bound(low, kind), bound(high, kind)))
    lows, highs = [b[0] for b in bounds], [b[1] for b in bounds]
    is_up, is_down = lows == sorted(lows) and highs == sorted(highs), lows == sorted(lows)[::-1] and highs == sorted(highs)[::-1]
    assert index[4] == (1 if is_up else 2 if is_down else 0)
    if bounds:
        check_bounds(values, kind, stats[6], stats[5], stats[8], stats[7])
    else:
        assert 5 not in stats and 6 not in stats


def read(path):
    data = memoryview(path.read_bytes() if hasattr(path, "read_bytes") else path)
    assert data[:4] == data[-4:] == MAGIC
    size = int.from_bytes(data[-8:-4], "little")
    c = Compact(data, len(data) - 8 - size)
    meta = c.struct()
    assert c.at == len(data) - 8 and meta[1] == 2
    root, *elements = meta[2]
    assert root[5] == len(elements) == len(meta[7]) and all(order == {1: {}} for order in meta[7])
    names = [element[4].decode() for element in elements]
    assert len(set(names)) == len(names)
    file = File({n: kind_of(e) for n, e in zip(names, elements)}, {n: [] for n in names},
                {pair[1].decode(): pair[2].decode() for pair in meta.get(5, [])}, meta[6].decode(), [])
    for group in meta[4]:
        encodings, n_pages = {}, 0
        for name, element, chunk in zip(names, elements, group[1], strict=True):
            assert chunk[3][3] == [name.encode()]
            pages, encodings[name] = read_chunk(data, chunk, element[1])
            check_statistics(data, chunk, element[1], pages)
            values = [v for page in pages for v in page]
            assert len(values) == group[3]
            n_pages = len(pages)
            file.columns[name] += [v.decode() if isinstance(v, bytes) else v for v in values]
        sorting = [names[s[1]] for s in group.get(4, [])]
        assert not any(s[2] for s in group.get(4, []))
        keys = list(zip(*(file.columns[name][-group[3]:] for name in sorting)))
        assert keys == sorted(keys, key=lambda key: [k.encode() if isinstance(k, str) else k for k in key])
        assert group[2] == sum(chunk[3][6] for chunk in group[1]) and group[6] == sum(chunk[3][7] for chunk in group[1])
        file.groups.append(Group(group[3], sorting, encodings, n_pages))
    assert meta[3] == sum(group.n_rows for group in file.groups)
    return file
