"""Signing keys as they are now."""

import time
from collections.abc import Callable, Mapping

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from apps.shared.identity.tokens import SigningPair
from federated_imputation.monolith.accounts.keys import KID_LENGTH, load_private, load_public
from federated_imputation.monolith.accounts.models import SigningKey
from federated_imputation.monolith.accounts.secrets import decrypt

__all__ = ["VerifyingKeys", "find_signing_pair", "list_keys", "verifying_keys"]


def list_keys() -> list[SigningKey]:
    """All keys with which a valid token may be signed, now or soon; the newest first."""
    return list(SigningKey.objects.order_by("-created_at", "-id"))


def find_signing_pair() -> SigningPair | None:
    """The key that signs at this moment; never cached, so that a killed one signs nothing more.

    Raises:
        Undecryptable: It was encrypted with a key that is gone.
    """
    key = SigningKey.objects.filter(state=SigningKey.State.CURRENT).first()
    if key is None:
        return None
    return SigningPair(kid=key.kid, private=load_private(decrypt(key.encrypted)))


def _load_public_keys() -> dict[str, EllipticCurvePublicKey]:
    return {
        kid: load_public(jwk) for kid, jwk in SigningKey.objects.values_list("kid", "public_jwk")
    }


class VerifyingKeys:
    """Public keys by `kid`, as of at most `max_age` ago; call it with a `kid`.

    A `kid` that is not among them makes it look once again, since the key may be seconds old: a
    token costs one look at most, whatever it claims.
    """

    def __init__(
        self,
        *,
        load: Callable[[], Mapping[str, EllipticCurvePublicKey]] = _load_public_keys,
        clock: Callable[[], float] = time.monotonic,
        max_age: float = 1.0,
    ) -> None:
        self._load = load
        self._clock = clock
        self._max_age = max_age
        # Replaced as a whole, since threads share it; the time is that before the look.
        self._seen: tuple[float, Mapping[str, EllipticCurvePublicKey]] = (float("-inf"), {})

    def __call__(self, kid: str) -> EllipticCurvePublicKey | None:
        if len(kid) != KID_LENGTH:
            return None
        looked_at, keys = self._seen
        if kid not in keys or self._clock() - looked_at >= self._max_age:
            started = self._clock()
            keys = self._load()
            self._seen = (started, keys)
        return keys.get(kid)


verifying_keys = VerifyingKeys()
