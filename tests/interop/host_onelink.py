"""A member bank's host as a department, on the dialect of onelink.py: DE 48 asks, DE 120 tells. An advice of what it has is a
duplicate (10); what is undone already is told so (35).

With a key, messages about bills and payments have a retail MAC (padding 1) in DE 64 or 128.
Words of its own: `pad32` (DE 32 filled up with zeros on the right), `terminal` (answered for another terminal), `heads` and
`other` (heads of account that do not sum up to what is due).
"""

import iso8583
from host_spec import answering, echoed, missing
from mac import TripleDES, ecb, retail
from onelink import SPEC, parse_tlv, tlv

KEY = KEK = b""
NEW_KEY = bytes.fromhex("7CA110454A1A6E570131D9619DC1376E")
ENDS_FRAMES = False
APPROVED, RECEIPT = "00", "GAS"
CODES = {"unknown": "25", "paid": "21", "amount": "13", "duplicate": "10", "no record": "30", "undone": "35"}

ORDER = ["3", "7", "11", "12", "13", "32", "37", "41", "48", "49"]
ECHOED = ["3", "4", "7", "11", "12", "13", "15", "32", "37", "41", "48", "49"]


def kind(message):
    return {
        "0200": "inquiry" if message.get("3") == "380000" else "payment",
        "0220": "advice", "0221": "advice", "0420": "reversal", "0421": "reversal", "0400": "reversal",
        "0401": "reversal", "0800": "network", "0810": "echoed",
    }.get(message["t"], message["t"])  # fmt: skip


def faults(kind_of, message):
    if kind_of in ("network", "echoed"):
        return missing(message, ["7", "11", "70"])
    found = missing(message, ORDER + {"inquiry": [], "reversal": ["4", "90"]}.get(kind_of, ["4"]))
    if message.get("3") != ("380000" if kind_of == "inquiry" else "500000"):
        found.append("processing code is not 380000 for an inquiry, 500000 for the rest")
    try:
        bill = parse_tlv(message.get("48", ""))
        found += [f"48.{tag} is missing" for tag in ("BI", "CN") if not bill.get(tag)]
    except ValueError as error:
        found.append(f"DE 48 is no TLV: {error}")
    if kind_of == "reversal":
        text = message.get("90", "")
        blanks = text[10:16] + text[26:32]
        if text[:4] not in ("0200", "0220") or blanks.strip() or not (text[16:26] + text[32:]).isdigit():
            found.append(f"DE 90 is not type, trace number, time and local time with blanks between: {text}")
    return found


def key(message):
    return message["11"], message["7"]


def original(message):
    return message["90"][4:10], message["90"][16:26]


def consumer(message):
    return parse_tlv(message["48"])["CN"][0]


def amount(message):
    return int(message["4"])


def payment_fault(_message, _told):
    return None


def answer(kind_of, message, code, bill, posting, words):
    told = {"t": answering(message["t"]), **echoed(message, ECHOED), "39": code}
    if "pad32" in words:
        told["32"] = message["32"].ljust(11, "0")
    if "terminal" in words:
        told["41"] = "OTHERONE"
    facts = []
    if kind_of == "inquiry" and code == APPROVED:
        due = bill["amount"]
        facts = [("NM", bill["name"]), ("ST", "U"), ("DD", bill.get("due", "20301220")), ("BM", "2611")]
        facts += [("AW", f"{due:012d}"), ("AA", f"{due:012d}")]
        if "heads" in words:
            half = due // 2 + (1 if "other" in words else 0)
            facts += [("FH", f"B01401={half}"), ("FH", f"B02372={due - due // 2}")]
    if posting and code == APPROVED and kind_of != "reversal":
        told["38"] = posting["receipt"][-6:]
        facts = [("RN", posting["receipt"]), ("AI", posting["receipt"][-6:])]
    if facts:
        told["120"] = tlv(facts)
    return told


def stray(number):
    return {"t": "0210", "7": "1120090000", "11": f"{number:06d}", "39": "00"}


def network_code(message):
    return message["70"]


def network_answer(message):
    return {"t": "0810", **echoed(message, ["7", "11", "70"]), "39": "00"}


def echo(number):
    return {"t": "0800", "7": "1120090000", "11": f"{number:06d}", "70": "301"}


def is_sealed(message_type):
    return message_type[1] in "24"


def key_change(number, is_wrong):
    """The new key under the one both sides have, and the first three bytes of eight zero bytes under it."""
    wrapped = ecb(TripleDES(KEK + KEK[:8]), NEW_KEY)
    check = bytes(3) if is_wrong else ecb(TripleDES(NEW_KEY + NEW_KEY[:8]), bytes(8))[:3]
    key = tlv([("KY", wrapped.hex().upper()), ("KV", check.hex().upper())])
    return {"t": "0800", "7": "1120090000", "11": f"{number:06d}", "48": key, "70": "161"}


def mac_faults(message, data):
    """The MAC stands last, and is made over all that is before it."""
    if not KEY or not is_sealed(message["t"]):
        return []
    if max(int(number) for number in message if number.isdigit()) not in (64, 128):
        return ["no MAC behind the other data elements"]
    return [] if retail(KEY, data[:-8], 1) == data[-8:] else ["a MAC of another key"]


def finished(message, data, words):
    if not KEY or not is_sealed(message["t"]) or "unsealed" in words:
        return data
    place = "128" if any(int(number) > 64 for number in message if number.isdigit()) else "64"
    data, _ = iso8583.encode({**message, place: "00" * 8}, SPEC)
    key = bytes(16)[:8] + KEY[8:] if "other-key" in words else KEY
    return bytes(data[:-8]) + retail(key, bytes(data[:-8]), 1)
