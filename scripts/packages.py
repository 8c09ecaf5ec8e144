"""Installs the Python packages that a test needs, pinned by version, into the build folder.

usage: packages.py REQUIREMENTS FOLDER

pip fetches them from its configured package index. A folder that holds them already is kept, so a
second run needs no network. Whoever uses them puts FOLDER in PYTHONPATH.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path


def main() -> int:
    requirements, folder = Path(sys.argv[1]), Path(sys.argv[2])
    # Compiled parts of packages belong to one version of Python.
    wanted = f"{sys.version_info[:2]} {hashlib.sha256(requirements.read_bytes()).hexdigest()}"
    stamp = folder / "installed"
    if stamp.exists() and stamp.read_text() == wanted:
        return 0
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as part:
        new = Path(part) / "new"
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
        install = ["install", "--quiet", "--no-input", "--only-binary", ":all:", "--no-deps"]
        command = [*pip, *install, "--target", str(new), "--requirement", str(requirements)]
        if subprocess.run(command, env={**os.environ, "PIP_ROOT_USER_ACTION": "ignore"}).returncode:
            print(
                f"error: {requirements}: not installed\n\n"
                "hint: pip needs a package index: a network, or PIP_INDEX_URL",
                file=sys.stderr,
            )
            return 2
        (new / "installed").write_text(wanted)
        # Another run may have finished meanwhile; its packages are the same.
        shutil.rmtree(folder, ignore_errors=True)
        try:
            new.rename(folder)
        except OSError:
            if not stamp.exists():
                raise
    return 0


if __name__ == "__main__":
    sys.exit(main())
