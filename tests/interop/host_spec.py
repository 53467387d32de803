"""What the hosts' tables share: how pyiso8583 is told of a field, and of fields that are not there."""


def field(encoding, length_digits, longest):
    return {"data_enc": encoding, "len_enc": "ascii", "len_type": length_digits, "max_len": longest, "desc": ""}


def text_spec(fixed, variable):
    """Everything in ASCII, bitmaps as hexadecimal characters. `variable` is number to digits of length and longest value."""
    spec = {"h": field("ascii", 0, 0), "t": field("ascii", 0, 4), "p": field("ascii", 0, 16), "1": field("ascii", 0, 16)}
    for number, width in fixed.items():
        spec[str(number)] = field("ascii", 0, width)
    for number, (digits, longest) in variable.items():
        spec[str(number)] = field("ascii", digits, longest)
    for number in range(2, 129):
        # pyiso8583 wants an entry for every number, and refuses any content of these.
        spec.setdefault(str(number), field("ascii", 3, 0))
    return spec


def answering(message_type):
    """The type of the answer: 0200 → 0210, 0221 → 0230."""
    return message_type[:2] + {"0": "1", "2": "3"}[message_type[2]] + "0"


def echoed(message, fields):
    return {number: message[number] for number in fields if number in message}


def missing(message, fields):
    return [f"DE {number} is missing" for number in fields if number not in message]
