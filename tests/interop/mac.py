"""MACs, check values and wrapped keys by pyca/cryptography: reads JSON lines, writes one JSON line for each."""

import json
import sys

from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC

try:
    from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
except ImportError:
    from cryptography.hazmat.primitives.ciphers.algorithms import TripleDES


def ecb(algorithm, data, decrypt=False):
    cipher = Cipher(algorithm, modes.ECB())
    return (cipher.decryptor() if decrypt else cipher.encryptor()).update(data)


def des(key):
    return TripleDES(key * 3)


def retail(key, data, padding):
    """ISO 9797-1 algorithm 3: CBC under the first half, and a last step through both."""
    if padding == 2:
        data += b"\x80"
    data += bytes(-len(data) % 8)
    if not data:
        data = bytes(8)
    chain = Cipher(des(key[:8]), modes.CBC(bytes(8))).encryptor().update(data)[-8:]
    return ecb(des(key[:8]), ecb(des(key[8:]), chain, decrypt=True))


def cmac(key, data):
    mac = CMAC(AES(key))
    mac.update(data)
    return mac.finalize()


def main():
    for line in sys.stdin:
        asked = json.loads(line)
        key, kek, data = (bytes.fromhex(asked[name]) for name in ("key", "kek", "data"))
        if asked["padding"]:
            tag = retail(key, data, asked["padding"])
            check = ecb(TripleDES(key + key[:8]), bytes(8))
            wrapped = ecb(TripleDES(kek + kek[:8]), key)
        else:
            tag, check, wrapped = cmac(key, data), cmac(key, bytes(16)), ecb(AES(kek), key)
        print(json.dumps({"tag": tag.hex(), "check": check.hex()[:6], "wrapped": wrapped.hex()}))


if __name__ == "__main__":
    main()
