"""The Indonesian bill aggregator, from its specification's description: ISO 8583:1987 in ASCII with hex bitmaps, DE 41 sixteen
wide, bills as TLV in DE 48 (tag 2, length 2) and receipt lines in DE 57. It wants an inquiry before each payment (91), and
completes forward: an advice of what it has is a duplicate (94).

Words of its own: `stan` (answered under another trace number), `amount` (one more is told), `len3` (lengths of three digits),
`bare` (nothing but what every answer must have).
"""

from host_spec import answering, echoed, missing, text_spec

ENDS_FRAMES = False
APPROVED, RECEIPT = "00", "REF"
CODES = {"unknown": "92", "paid": "54", "amount": "59", "duplicate": "94", "no record": "48", "undone": "94"}

SPEC = text_spec(
    {3: 6, 4: 12, 7: 10, 11: 6, 12: 6, 13: 4, 15: 4, 18: 4, 37: 12, 39: 2, 41: 16, 49: 3, 70: 3, 90: 42},
    {32: (2, 11), 48: (3, 999), 57: (3, 999), 100: (2, 11), 120: (3, 999), 125: (3, 999), 127: (3, 999)},
)  # fmt: skip

ORDER = ["3", "7", "11", "12", "13", "15", "18", "32", "37", "41", "48", "49"]
ECHOED = ["3", "4", "7", "11", "12", "13", "15", "18", "32", "37", "41", "49"]


def tlv(elements, digits=2):
    return "".join(f"{tag}{len(value):0{digits}d}{value}" for tag, value in elements)


def parse_tlv(text):
    elements, at = {}, 0
    while at < len(text):
        end = at + 4 + int(text[at + 2 : at + 4])
        if end > len(text):
            raise ValueError(f"an element runs over the end at {at}")
        elements[text[at : at + 2]] = text[at + 4 : end]
        at = end
    return elements


def kind(message):
    return {
        "0200": "inquiry" if message.get("3", "").startswith("37") else "payment",
        "0220": "advice", "0221": "advice", "0400": "reversal", "0401": "reversal", "0800": "network", "0810": "echoed",
    }.get(message["t"], message["t"])  # fmt: skip


def faults(kind_of, message):
    if kind_of == "network":
        return missing(message, ["7", "11", "70"])
    if kind_of == "echoed":
        return missing(message, ["7", "11", "39", "70"])
    wanted = ORDER + {"inquiry": [], "reversal": ["4", "90"]}.get(kind_of, ["4"])
    found = missing(message, wanted)
    if not message.get("3", "").startswith("37" if kind_of == "inquiry" else "80"):
        found.append("processing code is not 37xxxx for an inquiry, 80xxxx for the rest")
    try:
        bill = parse_tlv(message.get("48", ""))
        found += [f"48.{tag} is over {most}" for tag, most in [("PI", 6), ("CN", 24)] if not 0 < len(bill[tag]) <= most]
    except (KeyError, ValueError) as error:
        found.append(f"DE 48 is no TLV of PI and CN: {error}")
    if kind_of == "reversal":
        original = message.get("90", "")
        acquirer, forwarder = original[20:31], original[31:]
        if original[:4] not in ("0200", "0220", "0221") or acquirer != message["32"].zfill(11) or forwarder != "0" * 11:
            found.append(f"DE 90 is not type, trace number, time, acquirer and forwarder: {original}")
    return found


def key(message):
    return message["11"], message["7"]


def original(message):
    return message["90"][4:10], message["90"][10:20]


def consumer(message):
    return parse_tlv(message["48"])["CN"]


def amount(message):
    return int(message["4"])


def payment_fault(message, told):
    """91 is a payment without an inquiry; 59 one that does not give back what the inquiry was answered."""
    if told is None:
        return "91"
    known, now = parse_tlv(told["48"]), parse_tlv(message["48"])
    return None if [now.get(tag) for tag in ("NM", "AT", "AC")] == [known[tag] for tag in ("NM", "AT", "AC")] else "59"


def answer(kind_of, message, code, bill, posting, words):
    told = {"t": answering(message["t"]), **echoed(message, ECHOED), "39": code}
    if "stan" in words:
        told["11"] = f"{(int(message['11']) + 1) % 1_000_000:06d}"
    if "amount" in words and "4" in told:
        told["4"] = f"{int(message['4']) + 1:012d}"
    if "bare" in words:
        return {"t": told["t"], **echoed(message, ["7", "11"]), "39": code}
    asked = parse_tlv(message["48"])
    elements = [("PI", asked["PI"]), ("CN", asked["CN"])]
    if bill and kind_of != "reversal" and code == APPROVED:
        due = bill["amount"] + (1 if "amount" in words else 0)
        elements += [("NM", bill["name"].ljust(50)), ("AT", f"{due:012d}"), ("AC", f"{bill.get('admin', 0):012d}")]
    told["48"] = tlv(elements, 3 if "len3" in words else 2)
    if posting and code == APPROVED:
        told["57"] = tlv([("R0", posting["receipt"]), ("R1", "SIMPAN SEBAGAI BUKTI")])
    return told


def stray(number):
    return {"t": "0210", "3": "800000", "7": "1120090000", "11": f"{number:06d}", "32": "27", "39": "00"}


def network_code(message):
    return message["70"]


def network_answer(message):
    # A published log-on carries data with lengths of three digits in DE 48.
    more = {"48": "KM123" + "0" * 123} if message["70"] == "001" else {}
    return {"t": "0810", **echoed(message, ["7", "11", "70"]), "39": "00", **more}


def echo(number):
    return {"t": "0800", "7": "1120090000", "11": f"{number:06d}", "70": "301"}


def mac_faults(_message, _data):
    return []


def finished(_message, data, _words):
    return data
