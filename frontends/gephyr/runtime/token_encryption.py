"""Encryption of tokens and keys at rest, with a key that is not in the database."""

import base64
import binascii
import contextlib
import hashlib
import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gephyr.runtime.store_file import StoreError, sync_directory

VARIABLE = "GEPHYR_ENCRYPTION_KEY"
"""The environment variable that gives the key: 32 bytes in URL-safe base64."""
KEY_FILE = "token.key"
"""In the data directory, where the variable is not set."""

_KEY_BYTES = 32
_NONCE_BYTES = 12
"""Random for each message: safe for 2**32 of them under one key (NIST SP 800-38D section 8.3)."""

_log = structlog.get_logger()


class UnreadableSecretError(Exception):
    """What was sealed cannot be read: another key sealed it, or it was damaged."""


class Cipher:
    """Seals secrets with AES-256-GCM, which tells when one was altered."""

    def __init__(self, key: bytes) -> None:
        """*key* has 32 bytes."""
        self._aes = AESGCM(key)
        self.key_id = hashlib.sha256(b"gephyr key id\0" + key).hexdigest()[:16]
        """Tells keys apart, and nothing of what they are."""

    def seal(self, secret: bytes, purpose: str) -> bytes:
        """Encrypt *secret*. It can be read again for the same *purpose* only, so that no row passes for another."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._aes.encrypt(nonce, secret, purpose.encode())

    def unseal(self, sealed: bytes, purpose: str) -> bytes:
        """Return the secret. Raises ``UnreadableSecretError``."""
        try:
            return self._aes.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], purpose.encode())
        except (InvalidTag, ValueError):  # ValueError: shorter than any message can be
            raise UnreadableSecretError from None


def load_cipher(directory: Path, environ: Mapping[str, str]) -> Cipher:
    """Return the cipher of a data directory: with the key in ``$GEPHYR_ENCRYPTION_KEY``, else with that in its key
    file, which is made if absent.

    Raises ``StoreError`` where that is no key, or the file cannot be read or made.
    """
    text = environ.get(VARIABLE, "").strip()
    if text:
        return Cipher(_key(text, VARIABLE))
    path = directory / KEY_FILE
    try:
        with contextlib.suppress(FileExistsError):
            _make_key_file(path)
        with path.open("rb") as file:
            readable_by_others = os.name == "posix" and stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077
            text = file.read(1024).decode("ascii", "replace").strip()
    except OSError as error:
        raise StoreError(f"{path}: cannot read or make the key file: {error.strerror}") from error
    if readable_by_others:
        _log.warning("others than its owner may read the key file (chmod 600 helps)", file=str(path))
    return Cipher(_key(text, str(path)))


def _key(text: str, place: str) -> bytes:
    try:
        key = base64.b64decode(text.translate(str.maketrans("-_", "+/")), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != _KEY_BYTES:
        raise StoreError(f"{place}: expected a key of 32 bytes in URL-safe base64 (44 characters)")
    return key


def _make_key_file(path: Path) -> None:
    """Make the file, whole or not at all. Raises ``FileExistsError`` where there is one, whoever made it."""
    if path.exists():
        raise FileExistsError
    draft = path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(base64.urlsafe_b64encode(secrets.token_bytes(_KEY_BYTES)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)  # unlike a rename, never in place of another's key
    finally:
        draft.unlink()
    sync_directory(path.parent)
