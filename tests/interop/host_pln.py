"""The Indonesian electricity company's bill network, from its description: types in the manner of ISO 8583:2003, ASCII, hex
bitmaps, frames that end with FF. Postpaid bills (DE 2 = 99501) and fees that are no bill (99504). Not described there, so as the
switch has it: network messages are 28xx with their function in DE 40, and an answer about a fee begins with what was asked.

A payment gives back what the inquiry was answered, with its status behind the number of bills: anything else is 0097.
Words of its own: `ddmmyyyy` (dates in the other order), `penalty10` (penalties ten wide), `de56` (39 characters of DE 56 under
a length of 37), `minor2` (a fee in hundredths), `amount` (one more is told), `sum` (DE 4 is not what the bills add up to).
"""

from host_spec import answering, echoed, missing, text_spec

ENDS_FRAMES = True
APPROVED, RECEIPT = "0000", "PLN"
CODES = {"unknown": "0014", "paid": "0088", "amount": "0013", "duplicate": "0000", "no record": "0063", "undone": "0094"}

SPEC = text_spec(
    {4: 16, 11: 12, 12: 14, 15: 8, 26: 4, 39: 4, 40: 3, 41: 16},
    {2: (2, 5), 32: (2, 7), 33: (2, 7), 48: (3, 999), 56: (2, 39), 62: (3, 999), 63: (3, 999)},
)
# DE 4 is currency, minor unit and amount; the banks of these tests count in 586.
ECHOED = ["2", "4", "11", "12", "15", "26", "32", "33", "41"]
# Stands in DE 63 of an answer that is to be spoilt.
MARK = "SPOILT"


def kind(message):
    return {
        "2100": "inquiry", "2200": "payment", "2220": "advice", "2221": "advice", "2400": "reversal", "2401": "reversal",
        "2800": "network", "2810": "echoed",
    }.get(message["t"], message["t"])  # fmt: skip


def faults(kind_of, message):
    if kind_of in ("network", "echoed"):
        return missing(message, ["11", "12", "40"])
    wanted = ["2", "11", "12", "26", "32", "33", "41", "48"]
    found = missing(message, wanted + {"inquiry": [], "reversal": ["4", "56"]}.get(kind_of, ["4"]))
    asked = {"99501": 7 + 12, "99504": 7 + 13 + 3}.get(message.get("2"))
    if asked is None:
        found.append("DE 2 is no product")
    elif kind_of == "inquiry" and len(message.get("48", "")) != asked:
        found.append(f"DE 48 of an inquiry is {asked} wide, not {len(message.get('48', ''))}")
    if kind_of != "inquiry" and message.get("4", "")[:4] != "5860":
        found.append("DE 4 does not begin with currency and minor unit")
    if kind_of == "reversal":
        text = message.get("56", "")
        if len(text) != 37 or text[:4] not in ("2200", "2220") or text[30:] != message["32"]:
            found.append(f"DE 56 is not type, trace number, time and bank: {text}")
    return found


def key(message):
    return message["11"], message["12"]


def original(message):
    return message["56"][4:16], message["56"][16:30]


def consumer(message):
    # A fee is asked for by its registration: thirteen digits.
    return message["48"][7 : 7 + (13 if message["2"] == "99504" else 12)]


def amount(message):
    return int(message["4"][4:])


def payment_fault(message, told):
    if told is None:
        return "0097"
    given = message["48"]
    if message["2"] == "99501":
        at = 7 + 12 + 1
        status, given = given[at : at + 1], given[:at] + given[at + 1 :]
        if status != told["48"][at - 1]:
            return "0097"  # as many bills are paid as were told: all of them
    return None if given == told["48"] and message.get("62") == told.get("62") else "0097"


def answer(kind_of, message, code, bill, posting, words):
    told = {"t": answering(message["t"]), **echoed(message, ECHOED), "39": code}
    if kind_of == "inquiry":
        if code != APPROVED:
            return {**told, "48": message["48"]}
        due = bill["amount"] + (1 if "sum" in words else 0)
        told |= {"4": f"5860{due:012d}", "48": message["48"] + described(message["2"], bill, words)}
        return told | ({"62": split(bill, words)} if message["2"] == "99504" else {})
    told |= echoed(message, ["48", "62"])
    if "amount" in words:
        told["4"] = f"5860{amount(message) + 1:012d}"
    if kind_of == "reversal":
        told["56"] = message["56"]
        if "de56" in words:
            told["63"] = MARK
        return told
    if posting and code == APPROVED:
        told["63"] = posting["receipt"]
    return told


def described(product, bill, words):
    """What stands behind the number that was asked for."""
    return fee(bill, words) if product == "99504" else bills(bill, words)


def bills(bill, words):
    every = bill["bills"]
    head = f"{len(every)}{len(every):02d}" + f"{bill['name'][:6]}REFERENCE".ljust(32) + bill["name"].ljust(25)
    head += "53211" + "0211234567".ljust(15) + "R1  " + f"{900:09d}" + f"{bill.get('admin', 0):09d}"
    wide = 10 if "penalty10" in words else 9
    return head + "".join(one(each, wide, words) for each in every)


def one(bill, penalty_wide, words):
    readings = "".join(f"{number:08d}" for number in (1200, 1350, 0, 0, 0, 0))
    text = f"{bill['period']}{date(bill['due'], words)}{date(bill['due'], words)}{bill['amount']:011d}"
    return text + "D" + f"{0:010d}" + f"{0:010d}" + f"{bill.get('penalty', 0):0{penalty_wide}d}" + readings


def date(yyyymmdd, words):
    return yyyymmdd[6:] + yyyymmdd[4:6] + yyyymmdd[:4] if "ddmmyyyy" in words else yyyymmdd


def decimal(value, width, words):
    """A minor unit, and the amount in it."""
    return f"2{value * 100:0{width}d}" if "minor2" in words else f"0{value:0{width}d}"


def fee(bill, words):
    text = "PASANG BARU".ljust(25) + date("20261101", words) + date(bill["expires"], words) + "532110000001"
    text += bill["name"].ljust(25) + "REF1".ljust(32) + "REF2".ljust(32) + "53211" + "JL. MERDEKA 1".ljust(35)
    admin = bill.get("admin", 0)
    text += "0211234567".ljust(15) + decimal(bill["amount"], 17, words) + decimal(bill["amount"] - admin, 17, words)
    return text + decimal(admin, 10, words)


def split(bill, words):
    return f"{len(bill['split']):02d}" + "".join(decimal(part, 17, words) for part in bill["split"])


def stray(number):
    return {"t": "2210", "11": f"{number:012d}", "12": "20261120090000", "39": "0000"}


def network_code(message):
    return message["40"]


def network_answer(message):
    return {"t": "2810", **echoed(message, ["11", "12", "40"]), "39": "0000"}


def echo(number):
    return {"t": "2800", "11": f"{number:012d}", "12": "20261120090000", "40": "301"}


def mac_faults(_message, _data):
    return []


def finished(message, data, _words):
    """One client's slip: two characters more in DE 56 than its length says."""
    if message.get("63") != MARK:
        return data
    stands = message["56"].encode()
    return data.replace(b"37" + stands, b"37" + stands + b"00")
