"""A member bank's host, independent of the switch: pyiso8583 encodes and decodes, onelink.py is its own dialect.

    client.py HOST PORT

Plays a conversation with the switch and prints one JSON object: {"checks": [{"name", "problems"}]}. Exit status 0 says
that the conversation was had to its end, not that all is well: that is in the problems.
"""

import json
import socket
import sys

import iso8583
from onelink import SPEC, original, parse_tlv, tlv

PAN = "4242424242424242"  # a test number
BILLER = "KPEXCISE"
UNPAID, PAID, UNKNOWN = "11011000000000001", "11011000000000002", "11011000000009999"
AMOUNT = "000001014000"
# What an answer gives back of its request.
ECHOED = ["2", "3", "4", "7", "11", "12", "13", "18", "22", "32", "37", "41", "42", "48", "49", "70", "90", "95"]


class Link:
    """One connection. Answers are told apart by nothing but their order here: each request waits for its own."""

    def __init__(self, host, port):
        self.socket = socket.create_connection((host, port), timeout=20)
        self.stan = 100

    def send(self, message):
        data, _ = iso8583.encode(message, SPEC)
        self.socket.sendall(len(data).to_bytes(2, "big") + bytes(data))

    def receive(self):
        length = int.from_bytes(self.exactly(2), "big")
        message, _ = iso8583.decode(self.exactly(length), SPEC)
        return message

    def exactly(self, count):
        data = b""
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            if not part:
                raise ConnectionError(f"the switch closed the connection, {len(data)} of {count} bytes read")
            data += part
        return data

    def ask(self, message):
        self.send(message)
        return self.receive()

    def next_stan(self):
        self.stan += 1
        return f"{self.stan:06d}"

    def network(self, code):
        return {"t": "0800", "7": "1120091500", "11": self.next_stan(), "70": code}

    def bill_request(self, processing_code, consumer, amount):
        stan = self.next_stan()
        return {
            "t": "0200", "2": PAN, "3": processing_code, "4": amount, "7": "1120091500", "11": stan,
            "12": "141500", "13": "1120", "18": "6011", "22": "021", "32": "603033", "37": f"632414{stan}",
            "41": "ATM00042", "42": "BANKATM00000042", "48": tlv([("BI", BILLER), ("CN", consumer), ("CH", "6011")]),
            "49": "586",
        }  # fmt: skip

    def inquiry(self, consumer):
        return self.bill_request("380000", consumer, "000000000000")

    def payment(self, consumer, amount):
        return self.bill_request("500000", consumer, amount)


class Verdict:
    """What was looked at, and what was wrong."""

    def __init__(self):
        self.checks = []

    def begin(self, name):
        self.checks.append({"name": name, "problems": []})

    def same(self, what, got, want):
        if got != want:
            self.checks[-1]["problems"].append(f"{what}: got {got!r}, want {want!r}")

    def that(self, what, holds):
        if not holds:
            self.checks[-1]["problems"].append(what)

    def answers(self, request, answer, code, but=()):
        """The answer is to this request, says `code`, and gives back what the request held."""
        self.same("MTI", answer["t"], request["t"][:2] + {"0": "1", "1": "1", "2": "3"}[request["t"][2]] + "0")
        self.same("DE 39", answer.get("39"), code)
        for field in ECHOED:
            if field in request and field not in but:
                self.same(f"DE {field}", answer.get(field), request[field])


def network(verdict, link, name, code):
    verdict.begin(name)
    request = link.network(code)
    verdict.answers(request, link.ask(request), "00")


def refused(verdict, link, name, request, code):
    verdict.begin(name)
    answer = link.ask(request)
    verdict.answers(request, answer, code)
    verdict.that("a refusal carries a receipt", "RN" not in parse_tlv(answer.get("120", "")))
    return answer


def inquiry_found(verdict, link, name):
    verdict.begin(name)
    request = link.inquiry(UNPAID)
    answer = link.ask(request)
    verdict.answers(request, answer, "00")
    want = {
        "NM": ["Noor Zaman"], "ST": ["U"], "DD": ["20261123"], "BM": ["2611"], "AW": ["1014000"], "AA": ["1024000"],
        "FH": ["B01401=228000", "B02372=786000"],
    }  # fmt: skip
    verdict.same("DE 120", parse_tlv(answer["120"]), want)


def payment_approved(verdict, link):
    verdict.begin("payment approved")
    request = link.payment(UNPAID, AMOUNT)
    answer = link.ask(request)
    verdict.answers(request, answer, "00")
    details = parse_tlv(answer["120"])
    receipt = details.get("RN", [""])
    verdict.that("no receipt", len(receipt) == 1 and receipt[0].strip())
    verdict.same("status", details.get("ST"), ["P"])
    verdict.same("date paid", details.get("PD"), ["20261120"])
    heads = [int(head.partition("=")[2]) for head in details.get("FH", [])]
    verdict.same("sum of the heads", sum(heads), int(AMOUNT))
    verdict.same("authorisation", details.get("AI"), [answer.get("38")])
    verdict.that("DE 38 is blank", answer.get("38", "").strip())
    return request, answer


def repeats(verdict, link, paid, answer):
    verdict.begin("a repeat gets the same answer")
    verdict.same("0201", link.ask({**paid, "t": "0201"}), answer)
    verdict.same("identical 0200", link.ask(paid), answer)
    verdict.begin("the same key with another amount")
    other = {**paid, "4": "000000000100"}
    verdict.answers(other, link.ask(other), "94")


def reversals(verdict, link, paid):
    advice = {key: paid[key] for key in ("2", "3", "4", "7", "12", "13", "32", "37", "41", "42", "49")}
    advice |= {"t": "0420", "11": paid["11"], "90": original(paid), "95": "0" * 42}
    verdict.begin("a reversal")
    verdict.answers(advice, link.ask(advice), "00")
    verdict.begin("a repeated reversal")
    again = {**advice, "t": "0421"}
    verdict.answers(again, link.ask(again), "00")
    inquiry_found(verdict, link, "the reversed bill is payable again")
    unknown = {**advice, "90": advice["90"].replace(paid["11"], "999999")}
    verdict.begin("a reversal of an unknown original")
    verdict.answers(unknown, link.ask(unknown), "25")


def letter_in_an_amount(verdict, link):
    verdict.begin("a letter in an amount")
    request = link.payment(UNPAID, "00000101400O")
    answer = link.ask(request)
    verdict.answers(request, answer, "30", but=["4"])
    verdict.same("DE 44", answer.get("44"), "004")
    verdict.same("DE 4", answer.get("4"), None)


def many_at_once(verdict, link):
    """Twenty echoes in one piece, then one byte by byte: frames are told by their length and by nothing else."""
    verdict.begin("frames in one piece and in many")
    requests = [link.network("301") for _ in range(20)]
    frames = [bytes(iso8583.encode(request, SPEC)[0]) for request in requests]
    link.socket.sendall(b"".join(len(frame).to_bytes(2, "big") + frame for frame in frames))
    answered = {answer["11"]: answer for answer in (link.receive() for _ in requests)}
    for request in requests:
        verdict.answers(request, answered.get(request["11"], {"t": "none"}), "00")
    request = link.network("301")
    frame = bytes(iso8583.encode(request, SPEC)[0])
    link.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in len(frame).to_bytes(2, "big") + frame:
        link.socket.sendall(bytes([byte]))
    verdict.answers(request, link.receive(), "00")


def converse(verdict, link):
    refused(verdict, link, "an inquiry before sign-on", link.inquiry(UNPAID), "91")
    network(verdict, link, "sign-on", "001")
    network(verdict, link, "echo", "301")
    inquiry_found(verdict, link, "inquiry found")
    refused(verdict, link, "inquiry of an unknown bill", link.inquiry(UNKNOWN), "25")
    refused(verdict, link, "inquiry of a paid bill", link.inquiry(PAID), "21")
    paid, answer = payment_approved(verdict, link)
    repeats(verdict, link, paid, answer)
    refused(verdict, link, "payment of a paid bill", link.payment(UNPAID, AMOUNT), "21")
    reversals(verdict, link, paid)
    unsupported = link.bill_request("990000", UNPAID, AMOUNT)
    refused(verdict, link, "an unsupported processing code", unsupported, "12")
    letter_in_an_amount(verdict, link)
    many_at_once(verdict, link)
    network(verdict, link, "sign-off", "002")
    refused(verdict, link, "an inquiry after sign-off", link.inquiry(UNPAID), "91")


def main():
    verdict = Verdict()
    try:
        converse(verdict, Link(sys.argv[1], int(sys.argv[2])))
    except (iso8583.DecodeError, iso8583.EncodeError, ConnectionError, TimeoutError, ValueError, KeyError) as error:
        # Whatever the switch sent that this side cannot read is the switch's problem, in the check it happened in.
        verdict.that(f"{type(error).__name__}: {error}", False)
    print(json.dumps({"checks": verdict.checks}, indent=1))


if __name__ == "__main__":
    main()
