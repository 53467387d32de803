"""The onelink dialect as pyiso8583 wants it, written from the description of the link and not from specs/dialects:
two independent readings of one text, so that a slip in either shows.

ISO 8583:1987. A frame is a 2-byte big-endian length and a message; the message type and the fields are ASCII, the
bitmaps are binary.
"""

NUMERIC_LLVAR = {32: 11, 33: 11}
TEXT_LLVAR = {2: 19, 35: 37, 44: 25, 60: 16, 102: 28, 103: 28}
LLLVAR = {48: 512, 54: 120, 120: 999}
FIXED = {
    3: 6, 4: 12, 7: 10, 11: 6, 12: 6, 13: 4, 15: 4, 18: 4, 22: 3, 24: 3, 26: 2,
    28: 9,  # a sign and eight digits
    37: 12, 38: 6, 39: 2, 41: 8, 42: 15, 43: 40, 49: 3,
    52: 16,  # hex characters, although the bitmap is binary
    70: 3, 90: 42, 95: 42,
}  # fmt: skip
BINARY = {64: 8, 128: 8}


def _field(encoding, length_digits, max_len, desc):
    return {
        "data_enc": encoding,
        "len_enc": "ascii",
        "len_type": length_digits,
        "max_len": max_len,
        "desc": desc,
    }


def _spec():
    spec = {
        "h": _field("ascii", 0, 0, "no header: the length is taken off before"),
        "t": _field("ascii", 0, 4, "message type"),
        "p": _field("b", 0, 8, "bitmap"),
        "1": _field("b", 0, 8, "second bitmap"),
    }
    for number, width in FIXED.items():
        spec[str(number)] = _field("ascii", 0, width, f"DE {number}")
    for number, width in {**NUMERIC_LLVAR, **TEXT_LLVAR}.items():
        spec[str(number)] = _field("ascii", 2, width, f"DE {number}")
    for number, width in LLLVAR.items():
        spec[str(number)] = _field("ascii", 3, width, f"DE {number}")
    for number, width in BINARY.items():
        spec[str(number)] = _field("b", 0, width, f"DE {number}")
    # A field that the link does not have: pyiso8583 wants an entry, and refuses any content.
    for number in range(2, 129):
        spec.setdefault(str(number), _field("ascii", 3, 0, f"DE {number}, not on this link"))
    return spec


SPEC = _spec()


def tlv(elements):
    """DE 48 and DE 120: a tag of 2 characters, a length of 3 digits, the value."""
    return "".join(f"{tag}{len(value):03d}{value}" for tag, value in elements)


def parse_tlv(text):
    """Tag to the values it came with, in order; a tag may repeat."""
    elements, at = {}, 0
    while at < len(text):
        tag, length = text[at : at + 2], text[at + 2 : at + 5]
        if len(tag) != 2 or len(length) != 3 or not length.isdigit():
            raise ValueError(f"no tag and length at {at}")
        end = at + 5 + int(length)
        if end > len(text):
            raise ValueError(f"element {tag} runs over the end")
        elements.setdefault(tag, []).append(text[at + 5 : end])
        at = end
    return elements


def original(message):
    """DE 90 of this link: message type, STAN, 6 blanks, DE 7, 6 blanks, date and time of the terminal."""
    local = message["13"] + message["12"]
    return f"0200{message['11']}{' ' * 6}{message['7']}{' ' * 6}{local}"
