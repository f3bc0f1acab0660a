"""Checks what is in the archives that are to be uploaded: python contents.py DIST.

Two wheels and a source distribution, each with what belongs into it and nothing else, and all with
the same metadata.
"""

from __future__ import annotations

import re
import sys
import tarfile
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path, PurePosixPath

from readme_renderer import markdown

#: What every distribution says of itself, once or more often.
FIELDS = [
    "Name",
    "Version",
    "Summary",
    "Keywords",
    "License-Expression",
    "License-File",
    "Requires-Python",
    "Classifier",
    "Description-Content-Type",
]

#: Links and pictures of the repository, which an index does not have.
RELATIVE_LINK = re.compile(r"""(?:href|src)=["'](?!https?://|#|mailto:)([^"']*)""")

#: Folders of the machine that it was built on.
HOME = str(Path.home()).encode()


def main(folder: Path) -> None:
    complaints: list[str] = []
    [source] = folder.glob("*.tar.gz")
    wheels = sorted(folder.glob("*.whl"))
    described = {source.name: check_source(source, complaints)}
    for wheel in wheels:
        described[wheel.name] = check_wheel(wheel, complaints)
    if len({metadata.as_string() for metadata in described.values()}) != 1:
        complaints.append("the distributions differ in their metadata")
    for name, metadata in described.items():
        complaints += [f"{name}: no {field}" for field in FIELDS if field not in metadata]
        rendered = markdown.render(str(metadata.get_payload()))
        if rendered is None or "<h1" not in rendered or "<pre" not in rendered:
            complaints.append(f"{name}: the description cannot be rendered")
        links = RELATIVE_LINK.findall(rendered or "")
        complaints += [f"{name}: the description links to {link}" for link in links]
    for complaint in complaints:
        print(complaint)
    if complaints:
        raise SystemExit(1)
    print(*described, sep="\n")


def parse(metadata: bytes) -> Message:
    return Parser().parsestr(metadata.decode())


def check_wheel(file: Path, complaints: list[str]) -> Message:
    with zipfile.ZipFile(file) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    name, version, _, abi, _ = file.stem.split("-")
    info = f"{name}-{version}.dist-info"
    suffix = ".abi3.so" if abi == "abi3" else f".cpython-{abi.removeprefix('cp')}-"
    native = [one for one in contents if one.endswith((".so", ".pyd", ".dylib"))]
    if len(native) != 1 or suffix not in native[0]:
        complaints.append(f"{file.name}: its native modules are {native}")
    for wanted in (
        "thrasks/__init__.py",
        "thrasks/py.typed",
        "thrasks/_thrasks.pyi",
        f"{info}/licenses/LICENSE",
    ):
        if wanted not in contents:
            complaints.append(f"{file.name}: no {wanted}")
    for one, content in contents.items():
        path = PurePosixPath(one)
        belongs = path.suffix in (".py", ".pyi") or path.name == "py.typed" or one in native
        if path.parts[0] != info and not (path.parts[0] == "thrasks" and belongs):
            complaints.append(f"{file.name}: {one} does not belong there")
        if HOME in content:
            complaints.append(f"{file.name}: {one} names {HOME.decode()}")
    return parse(contents[f"{info}/METADATA"])


def check_source(file: Path, complaints: list[str]) -> Message:
    with tarfile.open(file) as archive:
        names = archive.getnames()
        top = file.name.removesuffix(".tar.gz")
        metadata = archive.extractfile(f"{top}/PKG-INFO")
        assert metadata is not None
        parsed = parse(metadata.read())
    for wanted in (
        "pyproject.toml",
        "LICENSE",
        "Cargo.toml",
        "Cargo.lock",
        "bindings-python/src/lib.rs",
        "python/thrasks/py.typed",
        "bindings-python/tests/conftest.py",
        "crates/thrasks-loop/src/lib.rs",
    ):
        if f"{top}/{wanted}" not in names:
            complaints.append(f"{file.name}: no {wanted}")
    for name in names:
        parts = PurePosixPath(name).parts
        if parts[0] != top or not {"target", ".git", "__pycache__"}.isdisjoint(parts):
            complaints.append(f"{file.name}: {name} does not belong there")
    return parsed


if __name__ == "__main__":
    main(Path(sys.argv[1]))
