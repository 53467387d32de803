"""A department's ISO 8583 host, independent of the switch: pyiso8583 encodes and decodes, and what the messages mean is
written from the networks' descriptions (host_ebipp.py, host_pln.py, host_onelink.py), not from specs/ and not from the switch.

    host.py NETWORK SCENARIO LEDGER

Prints its port and serves until it is killed. SCENARIO is a JSON object of bills by consumer number. A bill may say how the
first, second … message about it is treated: `inquiry`, `payment` (advices too), `reversal`, each a list of texts of words:

    do        what was asked is done (else nothing is)      =CODE     is answered so, whatever was done
    silent    nothing is answered                           late      is answered together with the next message about the bill
    drop      the connection ends instead of an answer      hold      is answered once three are held, the last one first
    twice     is answered twice                             stray     an answer to nothing comes before it
    cut       half of the answer, then the connection ends  garbled   the second half of the answer is no message
    trailing  more than the message stands in its frame     forged    a refusal that is none of the host's comes before it
    unsealed, other-key   the answer has no MAC, or one of another key
    rekey, rekey-wrong    a new key for MACs is sent before the answer, the second with a check value of another
    stan, amount, …       the networks' own

Behind the list, and without one, it is `do`. With a `mac key` beside the bills messages have MACs (host_onelink.py). LEDGER gets a JSON object a line: what was posted and undone, and `complaint`s about
messages that are not as they should be.
"""

import collections
import json
import socket
import sys
import threading

import iso8583

HOLD = 3
STRAY_STAN = 999_998


class Framing:
    """Frames on a connection: a two-byte length before, or FF behind."""

    def __init__(self, end):
        self.end = end

    def wrap(self, message):
        return message + b"\xff" if self.end else len(message).to_bytes(2, "big") + message

    def split(self, data):
        """The first message in `data` and what is behind it; no message while it is not whole."""
        if self.end:
            message, end, rest = data.partition(b"\xff")
            return (message, rest) if end else (None, data)
        length = int.from_bytes(data[:2], "big")
        if len(data) < 2 or len(data) < 2 + length:
            return None, data
        return data[2 : 2 + length], data[2 + length :]


class Ledger:
    def __init__(self, path):
        self.file = open(path, "a", encoding="ascii")

    def note(self, event, **more):
        self.file.write(json.dumps({"event": event, **more}) + "\n")
        self.file.flush()


class Connection:
    def __init__(self, stream, framing):
        self.stream, self.framing, self.signed_on, self.echo = stream, framing, False, None

    def frames(self):
        data = b""
        while True:
            message, data = self.framing.split(data)
            if message is not None:
                yield message
                continue
            try:
                more = self.stream.recv(65536)
            except OSError:
                return
            if not more:
                return
            data += more

    def send(self, message):
        self.send_bytes(self.framing.wrap(message))

    def send_bytes(self, data):
        try:
            self.stream.sendall(data)
        except OSError:
            pass

    def close(self):
        try:
            self.stream.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


class Host:
    """Bills, postings, and what is sent when. One message at a time, whatever connection it comes by."""

    def __init__(self, network, bills, ledger):
        self.network, self.bills, self.ledger = network, bills, ledger
        self.lock = threading.Lock()
        self.turns = collections.Counter()  # messages about a consumer, by kind
        self.told = {}  # consumer -> what the inquiry was answered
        self.postings = {}  # (STAN, time) of the payment -> {consumer, amount, receipt, undone}
        self.numbers = {}  # (class, STAN) -> (time, consumer): a number is never used for something else
        self.held, self.late = [], collections.defaultdict(list)

    def serve(self, connection):
        for data in connection.frames():
            with self.lock:
                self.take(connection, data)

    def take(self, connection, data):
        try:
            message, _ = iso8583.decode(data, self.network.SPEC)
        except iso8583.DecodeError as error:
            self.complain(f"cannot be decoded: {error}")
            return
        kind = self.network.kind(message)
        for fault in self.network.faults(kind, message) + self.network.mac_faults(message, data):
            self.complain(f"{message['t']}: {fault}")
        if kind == "network":
            self.take_network(connection, message)
        elif kind == "echoed":
            self.take_echo(connection, message)
        elif not connection.signed_on:
            self.complain("an order before sign-on")
        else:
            self.take_order(connection, kind, message)

    def take_network(self, connection, message):
        code = self.network.network_code(message)
        connection.signed_on = code == "001" or (connection.signed_on and code != "002")
        self.ledger.note({"001": "signed on", "002": "signed off", "301": "asked for an echo"}.get(code, code))
        connection.send(self.encoded(self.network.network_answer(message)))
        if code == "001":
            connection.echo = self.network.echo(len(self.numbers) + 1)
            connection.send(self.encoded(connection.echo))

    def take_echo(self, connection, message):
        if message.get("70") == "161":
            # It is used from here on, and nothing else.
            self.network.KEY = self.network.NEW_KEY if message.get("39") == "00" else self.network.KEY
            self.ledger.note("new key" if message.get("39") == "00" else "key refused")
            return
        if connection.echo is None or self.network.key(connection.echo) != self.network.key(message):
            self.complain("an answer to an echo that was not asked for")
        elif message.get("39") not in ("00", "0000"):
            self.complain("an echo that is refused")
        else:
            self.ledger.note("echoed")
        connection.echo = None

    def take_order(self, connection, kind, message):
        key = self.network.key(message)
        original = self.network.original(message) if kind == "reversal" else key
        consumer = self.consumer(kind, message, original)
        self.note_number(kind, key, consumer)
        bill = self.bills.get(consumer)
        family = "payment" if kind == "advice" else kind
        turn, self.turns[consumer, family] = self.turns[consumer, family], self.turns[consumer, family] + 1
        conduct = (bill or {}).get(family, [])
        words = set((conduct[turn] if turn < len(conduct) else "do").split())

        code, posting = self.network.APPROVED, None
        if "do" in words:
            code, posting = getattr(self, family)(message, original, consumer, bill)
        code = next((word[1:] for word in words if word.startswith("=")), code)
        answer = self.network.answer(kind, message, code, bill, posting, words)
        if kind == "inquiry" and code == self.network.APPROVED:
            self.told[consumer] = answer
        if "rekey" in words or "rekey-wrong" in words:
            connection.send(self.encoded(self.network.key_change(len(self.numbers) + 1, "rekey-wrong" in words)))
        if "forged" in words:
            # Somebody else says that it is refused, and does not know the key.
            refusal = self.network.answer(kind, message, self.network.CODES["unknown"], bill, None, set())
            connection.send(self.encoded(refusal, {"other-key"}))
        self.deliver(connection, consumer, self.encoded(answer, words), words)

    def consumer(self, kind, message, original):
        if kind != "reversal":
            return self.network.consumer(message)
        number, _ = original
        when, consumer = self.numbers.get(("payment", number), (None, None))
        if (number, when) != original:
            self.complain("a reversal of what never was here, or under another time")
        return consumer

    def note_number(self, kind, key, consumer):
        number, when = key
        before = self.numbers.setdefault(({"advice": "payment"}.get(kind, kind), number), (when, consumer))
        if before != (when, consumer):
            self.complain(f"trace number {number} of another {kind}, or the same under another time")

    def inquiry(self, _message, _original, consumer, bill):
        codes = self.network.CODES
        if bill is None:
            return codes["unknown"], None
        return (codes["paid"] if self.standing(consumer) else self.network.APPROVED), None

    def payment(self, message, key, consumer, bill):
        codes = self.network.CODES
        if key in self.postings:
            posting = self.postings[key]
            return (codes["paid"] if posting["undone"] else codes["duplicate"]), posting
        if bill is None:
            return codes["unknown"], None
        if self.standing(consumer):
            return codes["paid"], None
        fault = self.network.payment_fault(message, self.told.get(consumer))
        if fault:
            return fault, None
        amount = self.network.amount(message)
        if amount != bill["amount"]:
            return codes["amount"], None
        receipt = f"{self.network.RECEIPT}{len(self.postings) + 1:08d}"
        posting = {"consumer": consumer, "amount": amount, "receipt": receipt, "undone": False}
        self.postings[key] = posting
        self.ledger.note("posted", consumer=consumer, amount=amount, receipt=receipt)
        return self.network.APPROVED, posting

    def reversal(self, message, original, consumer, _bill):
        codes, posting = self.network.CODES, self.postings.get(original)
        if posting is None:
            return codes["no record"], None
        if self.network.amount(message) != posting["amount"]:
            self.complain("a reversal of another amount than the payment's")
        if posting["undone"]:
            return codes["undone"], posting
        posting["undone"] = True
        self.ledger.note("undone", consumer=consumer, amount=posting["amount"], receipt=posting["receipt"])
        return self.network.APPROVED, posting

    def standing(self, consumer):
        return any(one["consumer"] == consumer and not one["undone"] for one in self.postings.values())

    def deliver(self, connection, consumer, data, words):
        for late in self.late.pop(consumer, []):
            connection.send(late)
        if "stray" in words:
            connection.send(self.encoded(self.network.stray(STRAY_STAN)))
        if "late" in words:
            self.late[consumer].append(data)
        elif "hold" in words:
            self.held.append((connection, data))
            if len(self.held) == HOLD:
                for to, held in reversed(self.held):
                    to.send(held)
                self.held = []
        elif "drop" in words:
            connection.close()
        elif "cut" in words:
            connection.send_bytes(connection.framing.wrap(data)[: len(data) // 2])
            connection.close()
        elif "silent" not in words:
            if "garbled" in words:
                data = data[: len(data) // 2] + b"?" * (len(data) - len(data) // 2)
            if "trailing" in words:
                data += b"more"
            for _ in range(2 if "twice" in words else 1):
                connection.send(data)

    def encoded(self, message, words=frozenset()):
        data, _ = iso8583.encode(message, self.network.SPEC)
        return self.network.finished(message, bytes(data), words)

    def complain(self, what):
        self.ledger.note("complaint", what=what)


def main():
    name, scenario, ledger = sys.argv[1:]
    network = __import__(f"host_{name}")
    with open(scenario, encoding="utf-8") as file:
        bills = json.load(file)
    network.KEY, network.KEK = (bytes.fromhex(bills.pop(name, "")) for name in ("mac key", "mac kek"))
    host = Host(network, bills, Ledger(ledger))
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    while True:
        stream, _ = listener.accept()
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(stream, Framing(network.ENDS_FRAMES))
        threading.Thread(target=host.serve, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main()
