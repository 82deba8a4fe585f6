"""Key pairs for ES256: made, read and written. No database.

A public key travels as a JWK (RFC 7517, RFC 7518 6.2) named by its thumbprint (RFC 7638), so that
one key has the same `kid` wherever it is.
"""

import hashlib
import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from jwt.algorithms import ECAlgorithm

from apps.contracts.tokens import ALGORITHM

__all__ = ["KID_LENGTH", "NewKey", "load_private", "load_public", "make_key", "thumbprint"]

KID_LENGTH = 43


@dataclass(frozen=True, kw_only=True)
class NewKey:
    """A key pair to be stored.

    Attributes:
        private_pem: PKCS 8, not encrypted.
        public_jwk: What may be published; nothing of it is secret.
    """

    kid: str
    private_pem: str = field(repr=False)
    public_jwk: dict[str, str]


def make_key() -> NewKey:
    """A new random key pair on P-256; its `kid` can be given to a command, for it is no option."""
    kid = "-"
    while kid.startswith("-"):
        private = ec.generate_private_key(ec.SECP256R1())
        jwk = ECAlgorithm.to_jwk(private.public_key(), as_dict=True)
        kid = thumbprint(jwk)
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return NewKey(
        kid=kid,
        private_pem=pem.decode("ascii"),
        public_jwk={**jwk, "kid": kid, "use": "sig", "alg": ALGORITHM},
    )


def load_private(pem: str) -> ec.EllipticCurvePrivateKey:
    """The private key of `NewKey.private_pem`.

    Raises:
        ValueError: It is none, or not one on an elliptic curve.
    """
    key = load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("The stored key is not one of an elliptic curve.")
    return key


def load_public(jwk: Mapping[str, str]) -> ec.EllipticCurvePublicKey:
    """The public key of `NewKey.public_jwk`.

    Raises:
        ValueError: It is none, or it holds a private key.
    """
    key = ECAlgorithm.from_jwk(dict(jwk))
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise ValueError("The stored public key holds the private one.")
    return key


def thumbprint(jwk: Mapping[str, str]) -> str:
    """SHA-256 thumbprint of an elliptic curve key, base64url (RFC 7638 3)."""
    required = {name: jwk[name] for name in ("crv", "kty", "x", "y")}
    canonical = json.dumps(required, separators=(",", ":"), sort_keys=True)
    digest = hashlib.sha256(canonical.encode()).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
