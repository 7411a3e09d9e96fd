"""The disk is full: what cannot be written is refused, what is there is read, and with room again all goes on."""

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from petplace.embedded.process import wait_until
from tests.faults.world import running_site

pytestmark = pytest.mark.fault

SIZE = "600m"
MOST_TRIES = 300  # pages that are there already take some more rows
READS = ("/api/v1/bookings/", "/api/v1/pets/", "/api/v1/me/", "/", "/healthz")


@pytest.fixture
def disk() -> Iterator[Path]:
    """A file system in memory that ends somewhere."""
    folder = Path(tempfile.mkdtemp(prefix="petplace-disk-"))
    options = f"size={SIZE},mode=711"
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, check=False)
    if mounted.returncode:
        folder.rmdir()
        pytest.skip("only root may mount a file system that can be filled")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=False)
    folder.rmdir()


def fill(disk: Path) -> Path:
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)) == 4096:
            pass
    return filler


def test_a_full_disk_refuses_what_is_new_and_loses_nothing(disk: Path) -> None:
    """RELIABILITY D06."""
    with running_site(disk=disk) as site:
        (owner,) = site.sign_up(1)
        answers = [site.book(owner, site.next_booking(owner)) for _ in range(3)]
        filler = fill(disk)
        while answers[-1].status == 201 and len(answers) < MOST_TRIES:
            answers.append(site.book(owner, site.next_booking(owner)))
        answers += [site.book(owner, site.next_booking(owner)) for _ in range(5)]
        reads = {path: site.call("GET", path, Authorization=f"Bearer {owner.token}").status for path in READS}

        filler.unlink()
        is_back = wait_until(lambda: site.book(owner, site.next_booking(owner)).status == 201, 30)

        assert {answer.status for answer in answers} == {201, 503}
        assert all("Retry-After" in answer.headers for answer in answers if answer.status == 503)
        assert reads == dict.fromkeys(READS, 200)
        assert is_back
        stored = {str(uid) for (uid,) in site.sql("SELECT uid FROM bookings_booking")}
        assert {answer.body["id"] for answer in answers if answer.status == 201} <= stored
        site.check_invariants()
