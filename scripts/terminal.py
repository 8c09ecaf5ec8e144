#!/usr/bin/env python3
"""Draws docs/terminal.svg, a terminal session of real output over the sample photos.

    python3 scripts/terminal.py target/release/sightline
"""

import os
import pty
import re
import shlex
import subprocess
import sys
import tempfile
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SESSION = [
    "sightline index photos --captions photos/captions.jsonl",
    'sightline search "bridge at night" -k 3',
    'sightline search "沙滩上的海浪" -k 3',
    "sightline search --image photos/animals/swans.jpg -k 3",
    "sightline captions photos/animals/panda.jpg -k 3",
]
CHAR, LINE, LEFT, TOP = 8.4, 20, 20, 52
BACKGROUND, TEXT = "#1c1f26", "#d5d8df"
# SGR codes of the program's styles.
STYLES = {"1": ' font-weight="bold"', "2": ' fill="#8b93a3"', "32": ' fill="#7fd6a8"'}


def output(words):
    """What a command prints: stdout as on a colour terminal, then stderr as in a file."""
    master, slave = pty.openpty()
    environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    process = subprocess.Popen(words, cwd=ROOT / "tests/data", stdout=slave, stderr=subprocess.PIPE,
                               env=environment | {"TERM": "xterm-256color"})
    os.close(slave)
    printed = b""
    while True:
        try:
            printed += os.read(master, 4096)
        except OSError:  # The other end is closed.
            break
    notes = process.stderr.read()
    if process.wait() != 0:
        raise SystemExit(f"error: {shlex.join(words)} failed\n{notes.decode()}")
    lines = (printed + notes).decode().splitlines()
    # Progress, which a busy machine has time to print.
    return [line for line in lines if not re.match(r"\w+: [0-9,]+ of [0-9,]+ \(", line)]


def session(program):
    """The lines of the session, commands included."""
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        for command in SESSION:
            words = [program, "--index", f"{folder}/index", *shlex.split(command)[1:]]
            lines += [f"\x1b[1m$ {command}", *output(words), ""]
    return lines[:-1]


def runs(line):
    """Pieces of a line, each with its column, text and style."""
    column, style, found = 0, "", []
    for piece in re.split(r"(\x1b\[[0-9;]*m)", line):
        if code := re.fullmatch(r"\x1b\[([0-9;]*)m", piece):
            style = STYLES.get(code[1], "")
        elif piece:
            indent = len(piece) - len(piece.lstrip())
            if text := piece.strip():
                found.append((column + indent, text, style))
            column += len(piece)
    return found


def draw(lines):
    """The lines as SVG. `textLength` keeps columns aligned in any monospace font."""
    rows = [(TOP + LINE * number, *run) for number, line in enumerate(lines) for run in runs(line)]
    width = round(2 * LEFT + CHAR * max(column + len(text) for _, column, text, _ in rows))
    height = TOP + LINE * len(lines) + 4
    texts = [f'<text x="{LEFT + CHAR * column:.1f}" y="{y}" textLength="{CHAR * len(text):.1f}"'
             f"{style}>{escape(text)}</text>" for y, column, text, style in rows]
    dots = "".join(f'<circle cx="{26 + 20 * n}" cy="20" r="6" fill="{colour}"/>'
                   for n, colour in enumerate(["#ff5f57", "#febc2e", "#28c840"]))
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" font-family="ui-monospace, SFMono-Regular, Menlo, '
            f'Consolas, \'DejaVu Sans Mono\', monospace" font-size="14" fill="{TEXT}" '
            f'xml:space="preserve">\n'
            f"<title>A terminal session with Sightline</title>\n"
            f'<rect width="100%" height="100%" rx="8" fill="{BACKGROUND}"/>{dots}\n'
            + "\n".join(texts) + "\n</svg>\n")


if __name__ == "__main__":
    program = str(Path(sys.argv[1]).resolve())
    (ROOT / "docs/terminal.svg").write_text(draw(session(program)), encoding="utf-8")
