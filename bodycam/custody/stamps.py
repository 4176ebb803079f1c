"""Checks RFC 3161 time stamps: a TSA had these bytes before it, and when.

Needs rfc3161-client (`bodycam[timestamp]`); only what checks or asks for stamps loads this.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from cryptography import x509
from rfc3161_client import (
    HashAlgorithm,
    TimeStampRequest,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from ..clock import NS
from ..errors import CannotOpen, EvidenceError
from ..signing import BAD_CERTIFICATE, common_name
from .logroots import MAX_TOKEN_BYTES, UntrustedStamp

_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def load_tsa(path: Path) -> list[x509.Certificate]:
    """The TSA's root, and intermediates if there are any, in one PEM file."""
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as fault:
        raise CannotOpen(f"{path}: {fault.strerror}", "Give the TSA's root: --tsa-root") from fault
    except BAD_CERTIFICATE as fault:
        raise CannotOpen(f"{path}: not certificates in PEM: {fault}") from fault


def stamp_checker(tsa: list[x509.Certificate]) -> Callable[[bytes, bytes], tuple[str, int]]:
    """A function of token and message: which TSA, and when in ns. It raises EvidenceError."""
    return lambda token, message: check_stamp(tsa, token, message)


def check_stamp(tsa: list[x509.Certificate], token: bytes, message: bytes) -> tuple[str, int]:
    """Who stamped the message, and when (UTC, ns).

    Raises EvidenceError if the token is of other bytes, UntrustedStamp if it is nobody's.
    """
    response = read_stamp(token)
    if imprint(response) != hashlib.sha256(message).digest():
        raise EvidenceError("the time stamp is not of this checkpoint")
    builder = VerifierBuilder()
    for certificate in tsa:
        builder = builder.add_root_certificate(certificate)
    try:
        builder.build().verify_message(response, message)
    except (VerificationError, *BAD_CERTIFICATE) as fault:
        raise UntrustedStamp(f"the time stamp is not of the given TSA: {fault}") from fault
    since = response.tst_info.gen_time - _EPOCH
    at_ns = (since.days * 86_400 + since.seconds) * NS + since.microseconds * 1000
    return f"TSA {common_name(tsa[0])}", at_ns


def read_stamp(token: bytes) -> TimeStampResponse:
    """A TSA's response. Raises EvidenceError if it is none, or a refusal."""
    if len(token) > MAX_TOKEN_BYTES:
        raise EvidenceError(f"time stamp of {len(token)} bytes, at most {MAX_TOKEN_BYTES}")
    try:
        response = decode_timestamp_response(token)
        granted = response.status == 0
    except ValueError as fault:
        raise EvidenceError(
            f"not a time stamp: {fault}",
            "OpenSSL does not sort a chain in the token: leave out -chain, give it in --tsa-root",
        ) from fault
    if not granted:
        raise EvidenceError(f"the TSA refused: status {response.status}")
    return response


def imprint(response: TimeStampResponse) -> bytes:
    """The SHA-256 that the token is of. Raises EvidenceError for another hash."""
    try:
        return bytes(response.tst_info.message_imprint.message)
    except ValueError as fault:
        raise EvidenceError(f"not a time stamp: {fault}") from fault


def make_query(message: bytes) -> TimeStampRequest:
    """A request for a stamp over the SHA-256 of the message, with the TSA's certificate."""
    builder = TimestampRequestBuilder().data(message).hash_algorithm(HashAlgorithm.SHA256)
    return builder.cert_request(cert_request=True).build()
