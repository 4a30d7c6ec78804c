"""The Dockerfile names only what the project has. Nothing builds it here."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "Dockerfile").read_text("utf-8")
LINES = [line for line in TEXT.replace("\\\n", " ").splitlines() if line and not line.startswith("#")]


def test_every_instruction_is_one_of_docker() -> None:
    known = {"FROM", "ARG", "RUN", "COPY", "ENV", "ENTRYPOINT"}
    assert {line.split()[0] for line in LINES} == known
    assert LINES[0].startswith("FROM ")
    assert ":latest" not in LINES[0]


def test_every_argument_is_declared_before_it_is_used() -> None:
    declared: set[str] = set()
    for line in LINES:
        assert set(re.findall(r"\$\{(\w+)\}", line)) <= declared, line
        if line.startswith("ARG "):
            declared.add(line.split()[1].partition("=")[0])
    assert declared == {"TORCH_INDEX", "EXTRAS"}
    pages = "".join(path.read_text("utf-8") for path in (ROOT / "docs" / "scale.md", ROOT / "README.md"))
    assert set(re.findall(r"--build-arg (\w+)=", pages)) == declared


def test_what_is_copied_and_installed_exists() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    copied = [word for line in LINES if line.startswith("COPY ") for word in line.split()[1:-1]]
    assert all((ROOT / name).exists() for name in copied)
    assert {"pyproject.toml", "src", project["readme"], *project["license-files"]} <= set(copied)
    docs = (ROOT / "docs" / "scale.md").read_text("utf-8")
    extras = re.findall(r"EXTRAS=([\w,]+)", TEXT + docs)
    assert {name for names in extras for name in names.split(",")} <= project["optional-dependencies"].keys()


def test_the_command_is_the_first_process() -> None:
    command = next(line for line in LINES if line.startswith("ENTRYPOINT"))
    assert command == 'ENTRYPOINT ["unlearnable"]', "a shell in between would not pass SIGTERM on"
