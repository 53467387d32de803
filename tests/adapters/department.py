"""A department with an HTTP API of the 1BILL kind, written from the contract's description, with the quirks of real ones.

What it answers depends on the consumer number alone. Prints its port, then serves until it is killed.
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

USERNAME, PASSWORD = "switch", "s3cret"

lock = threading.Lock()
paid = {}  # consumer -> (auth id, date, time, amount, voucher)
in_parts = {}  # consumer -> the same of each payment, oldest first


def unpaid(**changes):
    answer = {
        "response_Code": "00",
        "consumer_detail": "SHAHID AFRIDI".ljust(30),
        "bill_status": "U",
        "due_date": "20261231",
        "amount_within_dueDate": "+0000000012000",
        "amount_after_dueDate": "+0000000013000",
        "billing_month": "2611",
        "date_paid": " " * 8,
        "amount_paid": " " * 12,
        "tran_auth_id": " " * 6,
        "reserved": "",
    }
    answer.update(changes)
    return answer


def somebody_elses(code, auth="654321"):
    return unpaid(response_Code=code, bill_status="P", date_paid="20261101", amount_paid="000000012000",
                  tran_auth_id=auth)


def other_case(answer):
    names = {"consumer_detail": "consumer_Detail", "tran_auth_id": "tran_auth_Id", "response_Code": "response_code"}
    return {names.get(key, key): value for key, value in answer.items()}


INQUIRIES = {
    "100": unpaid(),
    "101": other_case(unpaid()),
    "102": unpaid(amount_within_dueDate="-0000000000500"),
    "103": unpaid(date_paid="20261101", amount_paid="000000012000", tran_auth_id="654321"),
    "104": somebody_elses("00"),
    "105": somebody_elses("06"),
    "106": unpaid(response_Code="01", bill_status="B"),
    "107": unpaid(response_Code="02", bill_status="B"),
    "108": unpaid(due_date="20261101", amount_within_dueDate="+0000000000000"),
    "109": unpaid(due_date="20261101"),
    "110": {"response_Code": "04"},
    "111": unpaid(bill_status="T", reserved="000000012000000000012000000000000000000000012000000000001000PART"),
    "112": {"response_Code": "01"},
    "113": {"response_Code": "02"},
    "114": {"response_Code": "03"},
    "115": {"response_Code": "05"},
    "116": {"response_Code": "06"},
    "117": {},
}

# Consumers whose payments are answered with a code alone, whatever was sent.
PAYMENTS = {"201": "01", "202": "02", "204": "04", "205": "05", "206": "06", "209": "09"}

# An aggregator that wants thirteen digits, and answers 04 to a paid bill under another authorisation.
THIRTEEN = "300"


RESERVED = "000000050000" + "000000012000" + "000000000000" + "000000010000" + "000000001000" + "PART"


def inquire(request):
    consumer = request["consumer_number"]
    if consumer.startswith("24"):
        with lock:
            auth, date, _, amount, _ = (in_parts.get(consumer) or [(" " * 6, " " * 8, "", "0", "")])[-1]
        return unpaid(bill_status="T", reserved=RESERVED, tran_auth_id=auth, date_paid=date, amount_paid=amount.zfill(12))
    with lock:
        posting = paid.get(consumer)
    if posting:
        auth, date, _, amount, _ = posting
        return unpaid(bill_status="P", tran_auth_id=auth, date_paid=date, amount_paid=str(int(amount)).zfill(12))
    if consumer[:3] in ("203", "206"):
        return somebody_elses("00")
    if consumer.startswith("2") or consumer.startswith(THIRTEEN):
        return unpaid()
    return INQUIRIES.get(consumer, {"response_Code": "01"})


def pay(request):
    consumer, amount = request["consumer_number"], request["transaction_amount"]
    identity = (request["tran_auth_id"], request["tran_date"], request["tran_time"])
    digits = 13 if consumer.startswith(THIRTEEN) else 12
    if [len(part) for part in identity] != [6, 8, 6] or len(amount) != digits:
        return {"response_Code": "04"}
    if not (amount + "".join(identity)).isdigit():
        return {"response_Code": "04"}
    if consumer in PAYMENTS:
        return {"response_Code": PAYMENTS[consumer]}
    if consumer.startswith("24"):
        with lock:
            payments = in_parts.setdefault(consumer, [])
            same = [payment for payment in payments if payment[:3] == identity]
            if same:
                return {"response_Code": "03", "Identification_parameter": same[0][4], "reserved": ""}
            if not 1000 <= int(amount) <= 10000:
                return {"response_Code": "04"}
            payments.append(identity + (amount, "PT%08d" % (len(payments) + 1)))
            # the first of them is posted, and the connection goes
            return None if len(payments) == 1 else {"response_Code": "00", "Identification_parameter": payments[-1][4]}
    with lock:
        posting = paid.get(consumer)
        if posting and consumer.startswith("23"):
            return {"response_Code": "01"}  # it looks for a payable bill before it looks for the payment
        if posting:
            if posting[:3] == identity:
                return {"response_Code": "03", "Identification_parameter": posting[4], "reserved": ""}
            return {"response_Code": "04" if digits == 13 else "06"}
        if consumer.startswith("203"):
            return {"response_Code": "03"}
        voucher = "PY%08d" % (len(paid) + 1)
        paid[consumer] = identity + (amount, voucher)
    if consumer[:2] in ("21", "23"):
        return None  # posted, and the connection goes
    return {"response_Code": "00", "Identification_parameter": voucher, "reserved": ""}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if (self.headers["username"], self.headers["password"]) != (USERNAME, PASSWORD):
            return self.answer(401, {})
        try:
            request = json.loads(body)
            operation = {"/v1/BillInquiry": inquire, "/v1/BillPayment": pay}[self.path]
        except KeyError:
            return self.answer(404, {})
        except ValueError:
            return self.answer(400, {})
        if set(request) - {"consumer_number", "bank_mnemonic", "reserved", "tran_auth_id", "transaction_amount",
                           "tran_date", "tran_time"} or len(request["bank_mnemonic"]) > 8:
            return self.answer(400, {})
        answer = operation(request)
        if answer is None:
            self.close_connection = True
            return None
        return self.answer(200, answer)

    def answer(self, status, body):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args):
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()
