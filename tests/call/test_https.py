"""A call that meets at a server with a certificate, `facewire rendezvous --certificate --key`."""

from __future__ import annotations

import datetime
import ipaddress
import re
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from .programs import Process, Start, files

pytestmark = pytest.mark.slow

for _module in ("aiortc", "aiohttp", "cryptography", "cv2"):
    pytest.importorskip(_module)


@dataclass(frozen=True)
class Papers:
    """PEM files: of an authority, and of a server at 127.0.0.1 that it vouches for."""

    authority: Path
    certificate: Path
    key: Path


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    folder = tmp_path_factory.mktemp("papers")
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    def paper(subject: str, key: Any, signer: Any, *extensions: Any) -> bytes:
        builder = x509.CertificateBuilder(name("authority"), name(subject), key.public_key())
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - day).not_valid_after(now + day)
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    root, own = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    ca = (x509.BasicConstraints(ca=True, path_length=0), usage)
    identifier = x509.SubjectKeyIdentifier.from_public_key(root.public_key())
    whose = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    issuer = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
    made = Papers(*(folder / f"{each}.pem" for each in ("authority", "certificate", "key")))
    made.authority.write_bytes(paper("authority", root, root, *ca, identifier))
    made.certificate.write_bytes(paper("server", own, root, whose, issuer))
    made.key.write_bytes(
        own.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return made


@pytest.fixture
def server(start: Start, papers: Papers) -> tuple[Process, str]:
    """A server, and its address."""
    pem = ["--certificate", str(papers.certificate), "--key", str(papers.key)]
    process = start("server", "rendezvous", "--host", "127.0.0.1", "--port", "0", *pem)
    process.waits_for("https://127.0.0.1:")
    found = re.search(r"https://127\.0\.0\.1:\d+", process.said)
    assert found is not None
    return process, found[0]


def test_a_call_that_meets_over_https(
    start: Start, server: tuple[Process, str], papers: Papers, clip: Path, tmp_path: Path
) -> None:
    process, address = server
    trust = {"SSL_CERT_FILE": str(papers.authority)}
    meet = ["call", "--server", address]
    one = start("one", *meet, *files(tmp_path, "one", clip), variables=trust)
    link = one.link()
    assert link.startswith(address)
    two = start("two", "call", *files(tmp_path, "two", clip), link, variables=trust)
    assert (one.wait(), two.wait()) == (0, 0), one.said + two.said
    assert "connected" in two.said
    process.signal(signal.SIGINT)
    assert process.wait() == 130


def test_a_certificate_that_nobody_vouches_for(
    start: Start, server: tuple[Process, str], clip: Path, tmp_path: Path
) -> None:
    _, address = server
    one = start("one", "call", "--server", address, *files(tmp_path, "one", clip))
    assert one.wait() == 1
    assert f"the certificate of {address} is not valid" in one.said
    assert "Traceback" not in one.said
    assert not (tmp_path / "one.mp4").exists()


def test_a_key_of_another_certificate(start: Start, papers: Papers) -> None:
    pem = ["--certificate", str(papers.authority), "--key", str(papers.key)]
    process = start("server", "rendezvous", "--host", "127.0.0.1", "--port", "0", *pem)
    assert process.wait() == 1
    assert "are not a certificate and its key" in process.said
