"""A service account's key file, made for the tests."""

import functools

import msgspec
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


@functools.cache
def rsa_key() -> rsa.RSAPrivateKey:
    """One key for all tests: making one takes a tenth of a second."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem_of(key) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def key_file(**changes: object) -> str:
    """The content of a key file; a value of None leaves a field out."""
    fields = {
        "type": "service_account",
        "project_id": "acme-prod",
        "private_key_id": "kid-1",
        "private_key": pem_of(rsa_key()),
        "client_email": "robot@acme-prod.iam.gserviceaccount.com",
        "token_uri": "https://oauth2.googleapis.com/token",
        **changes,
    }
    return msgspec.json.encode({name: value for name, value in fields.items() if value is not None}).decode()
