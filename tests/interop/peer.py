"""A peer that encodes and decodes with pyiso8583, in three ways of writing ISO 8583:1987: one JSON line in, one out.

In: {"spec": "ascii", "fields": {"t": "0200", "2": "…"}, "frame": "hex of the same message"}. Out: {"encoded": "hex of
`fields`", "decoded": {what the frame holds}}, or {"error": "…"}. The tables are written from the standard and not from
the dialects beside this file.
"""

import json
import sys

import iso8583

# Digits, text and track data by their lengths: the fixed ones, and the longest of those with two and three digits.
DIGITS = {3: 6, 4: 12, 7: 10, 11: 6, 12: 6, 13: 4, 18: 4, 19: 3, 22: 3, 25: 2, 26: 2, 49: 3, 53: 16, 70: 3, 90: 42}
DIGITS_LL = {2: 19, 32: 11, 33: 11, 100: 11}
TEXT = {37: 12, 38: 6, 39: 2, 41: 8, 42: 15, 43: 40}
TEXT_LL = {44: 25, 102: 28}
TEXT_LLL = {48: 999, 54: 120, 60: 999, 120: 999}
TRACK_LL = {35: 37}
BYTES = {52: 8, 64: 8, 96: 8, 128: 8}
BYTES_LLL = {55: 255}


def field(data, length, length_type, longest, count="bytes", **pad):
    entry = {"data_enc": data, "len_enc": length, "len_type": length_type, "len_count": count, "max_len": longest}
    return {**entry, "desc": "", **pad}


def text_spec(page, bitmap, octets_as_hex):
    """Everything in characters of one code page, but for bitmaps and bytes."""
    spec = {"h": field(page, page, 0, 0), "t": field(page, page, 0, 4)}
    spec["p"] = spec["1"] = field("b", page, 0, 8) if bitmap == "binary" else field(page, page, 0, 16)
    for table, digits in ((DIGITS, 0), (TEXT, 0), (DIGITS_LL, 2), (TEXT_LL, 2), (TRACK_LL, 2), (TEXT_LLL, 3)):
        for number, length in table.items():
            spec[str(number)] = field(page, page, digits, length)
    for number, length in BYTES.items():
        spec[str(number)] = field(page, page, 0, 2 * length) if octets_as_hex else field("b", page, 0, length)
    for number, length in BYTES_LLL.items():
        spec[str(number)] = field("b", page, 3, length)
    return spec


def packed_spec():
    """Digits, lengths and track data in nibbles, odd numbers of digits with a zero before them; text in ASCII."""
    spec = {"h": field("ascii", "ascii", 0, 0), "t": field("b", "bcd", 0, 2)}
    spec["p"] = spec["1"] = field("b", "bcd", 0, 8)
    for table, bytes_of_length in ((DIGITS, 0), (DIGITS_LL, 1)):
        for number, length in table.items():
            spec[str(number)] = field("b", "bcd", bytes_of_length, length, "nibbles", left_pad="0")
    for number, length in TRACK_LL.items():
        spec[str(number)] = field("b", "bcd", 1, length, "nibbles", right_pad="F")
    for table, bytes_of_length in ((TEXT, 0), (TEXT_LL, 1), (TEXT_LLL, 2)):
        for number, length in table.items():
            spec[str(number)] = field("ascii", "bcd", bytes_of_length, length)
    for table, bytes_of_length in ((BYTES, 0), (BYTES_LLL, 2)):
        for number, length in table.items():
            spec[str(number)] = field("b", "bcd", bytes_of_length, length)
    return spec


def complete(spec):
    # pyiso8583 wants an entry for every number, and refuses any content of these.
    for number in range(2, 129):
        spec.setdefault(str(number), field("ascii", "ascii", 3, 0))
    return spec


SPECS = {
    "ascii": complete(text_spec("ascii", "hex", True)),
    "ebcdic": complete(text_spec("cp500", "binary", False)),
    "bcd": complete(packed_spec()),
}


def answer(asked):
    spec = SPECS[asked["spec"]]
    try:
        encoded, _ = iso8583.encode(dict(asked["fields"]), spec)
        decoded, _ = iso8583.decode(bytes.fromhex(asked["frame"]), spec)
    except (iso8583.EncodeError, iso8583.DecodeError) as error:
        return {"error": str(error)}
    kept = {key: value for key, value in decoded.items() if key == "t" or (key.isdigit() and key != "1")}
    return {"encoded": bytes(encoded).hex(), "decoded": kept}


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))))
