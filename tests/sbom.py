"""Writes the bill of materials (CycloneDX): what is installed of the run's lock file, and how.

    python tests/sbom.py FILE

Every package with its version, its licence as its own metadata declare it, and the hashes that the
lock file allows. Packages of other platforms, which the lock file also names, aren't installed.
"""

import re
import sys
from importlib.metadata import distribution
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import Requirement

PROJECT = Path(__file__).resolve().parent.parent
LOCK = PROJECT / "requirements.lock"
# What a package's metadata leave out, from the licence file in it.
UNDECLARED = {"antlr4-python3-runtime": "BSD-3-Clause", "protobuf": "BSD-3-Clause"}


def locked(lock=LOCK):
    """Each package that the lock file names for this machine: name, version, allowed SHA-256."""
    entries = re.split(r"\n(?=\S)", lock.read_text(encoding="utf-8").strip())
    for entry in entries:
        wanted = Requirement(entry.partition("\\")[0].strip())
        if wanted.marker is None or wanted.marker.evaluate():
            ((version),) = (str(part).removeprefix("==") for part in wanted.specifier)
            yield wanted.name, version, re.findall(r"--hash=sha256:(\w+)", entry)


def licence(name):
    """A package's licence by its metadata; the newer field first, then its classifiers."""
    metadata = distribution(name).metadata
    classified = [
        text.rpartition(" :: ")[2]
        for text in metadata.get_all("Classifier", [])
        if text.startswith("License :: OSI Approved :: ")
    ]
    return (
        metadata.get("License-Expression")
        or " AND ".join(classified)
        or (metadata.get("License") or "").strip().partition("\n")[0]
        or UNDECLARED[name]
    )


def bill(lock=LOCK):
    """The bill of materials of a lock file."""
    licences = LicenseFactory()
    return Bom(
        components=[
            Component(
                name=name,
                version=version,
                type=ComponentType.LIBRARY,
                licenses=[licences.make_from_string(licence(name))],
                purl=PackageURL("pypi", name=name, version=version),
                hashes=[HashType(alg=HashAlgorithm.SHA_256, content=value) for value in hashes],
            )
            for name, version, hashes in locked(lock)
        ],
    )


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(JsonV1Dot6(bill()).output_as_string(indent=1), encoding="utf-8")
    print(f"物料清单（CycloneDX）：{path}")
