"""What we wrote ourselves, damaged: every command says which file it is and what to do, and none ends in a
traceback.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from unlearnable.cli.app import app

QUICK = (
    'surrogate = "cnn:width=8,depth=2"\nbatch = 8\ntrain_batches = 2\nsteps = 2\n'
    "min_rounds = 1\nmax_rounds = 2\nresolution = 16\n"
    'form = "samplewise"\n'
)
DAMAGES = {
    "empty": lambda data: b"",
    "cut": lambda data: data[: len(data) // 2],
    "zeros": lambda data: bytes(len(data)),
    "text": lambda data: b"{not json",
    "other json": lambda data: b'{"a": 1}\n[1, 2]\n',
    "length": lambda data: b"\xff" * 8 + data[8:],
}
FILES = ("noise.safetensors", "surrogate.safetensors", "run.json", "files.jsonl")


def call(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stderr


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_run_is_one_clear_line(photos: Path, tmp_path: Path, file: str, damage: str) -> None:
    config, out, run = tmp_path / "quick.toml", tmp_path / "out", tmp_path / "run"
    config.write_text(QUICK)
    protect = (
        "protect",
        photos,
        out,
        "--run",
        run,
        "--config",
        config,
        "--workers",
        "1",
        "--quiet",
        "--seed",
        "1",
    )
    assert call(*protect)[0] == 0
    before = {path: path.read_bytes() for path in out.rglob("*.png")}
    path = run / file
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    new = photos / "cats" / "new.png"
    new.write_bytes((photos / "dogs" / "p0.png").read_bytes())
    for command in (
        ("inspect", run),
        ("apply", run, photos, tmp_path / "elsewhere", "--missing", "extend", "--workers", "1"),
        protect,
        ("export", photos, run, tmp_path / f"{damage}.npz"),
    ):
        code, said = call(*command)
        assert code in (0, 1, 2, 3, 4), (command, code, said)
        assert "Traceback" not in said
        if code in (1, 2, 3):
            assert said.startswith("error: ") or "\nerror: " in said, (command, said)
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_says_what_to_do(
    photos: Path, tmp_path: Path, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, out, run = tmp_path / "quick.toml", tmp_path / "out", tmp_path / "run"
    config.write_text(QUICK)
    protect = (
        "protect",
        photos,
        out,
        "--run",
        run,
        "--config",
        config,
        "--workers",
        "1",
        "--quiet",
        "--seed",
        "1",
    )
    monkeypatch.setattr("unlearnable.search.CHECKPOINT_SECONDS", -1.0)
    monkeypatch.setattr(
        "unlearnable.methods.fitted.Fitted.save", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    assert call(*protect)[0] == 130
    monkeypatch.undo()
    path = run / "checkpoint.safetensors"
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    code, said = call(*protect)
    assert code == 3
    assert "checkpoint.safetensors is damaged" in said
    assert "Delete it" in said
    path.unlink()
    assert call(*protect)[0] == 0


@pytest.mark.parametrize(
    "content", ["rounds = ", "[classwise]\nsteps = 'many'", "no_such_setting = 1", "\x00\xff"]
)
def test_a_wrong_configuration_is_refused(photos: Path, tmp_path: Path, content: str) -> None:
    config = tmp_path / "mine.toml"
    config.write_bytes(content.encode("latin-1"))
    code, said = call("protect", photos, tmp_path / "out", "--config", config, "--form", "classwise")
    assert code == 2
    assert "error: " in said
    assert not (tmp_path / "out").exists()
