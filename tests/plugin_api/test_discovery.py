"""Finding plugins: by folder, by variable, the broken ones too, and without importing one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from medviewer.errors import ManifestError, NotFoundError
from medviewer.plugin_api import discovery
from medviewer.plugin_api.discovery import FOLDERS_VARIABLE, discover, find
from tests.inference.tiny_plugins import write_plugin

ROOT = Path(__file__).parents[2]


def test_broken_plugins_are_rows_beside_the_good(tmp_path: Path) -> None:
    write_plugin(tmp_path, "good")
    write_plugin(tmp_path, "bad", api=9)
    results = discover([tmp_path])
    rows = {result.id: result.error for result in results if result.folder.parent == tmp_path}
    assert rows["good"] == ""
    assert "plugin API 1, not 9" in rows["bad"]
    assert find("good", results).folder == tmp_path / "good"
    with pytest.raises(ManifestError, match="plugin API 1, not 9"):
        find("bad", results)
    with pytest.raises(NotFoundError, match=r"no plugin 'other'; installed are: .*good"):
        find("other", results)


def test_one_id_twice_is_said(tmp_path: Path) -> None:
    write_plugin(tmp_path / "a", "same")
    write_plugin(tmp_path / "b", "same")
    results = [one for one in discover([tmp_path / "a", tmp_path / "b"]) if one.folder.name == "same"]
    assert [bool(one.error) for one in results].count(True) == 1
    assert find("same", results).folder == tmp_path / "a" / "same"


def test_folders_of_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_plugin(tmp_path, "hidden")
    monkeypatch.setenv(FOLDERS_VARIABLE, str(tmp_path))
    assert find("hidden", discover()).error == ""


def test_discovery_imports_neither_a_plugin_nor_torch() -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "import medviewer.inference, medviewer.explain\n"
        "from medviewer.plugin_api.discovery import discover, find\n"
        "find('brain-extraction', discover([Path('plugins')]))\n"
        "print(sorted({'torch', 'captum', 'monai', 'brain_extraction', 'chest_xray'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_adapter_among_the_installed_plugins_runs_nothing(tmp_path: Path) -> None:
    adapter = tmp_path / "opener"
    adapter.mkdir()
    (adapter / "adapter.yaml").write_text(
        "id: opener\nname: Opener\nversion: 1.0.0\ndescription: x\nentry: opener.door:Door\nreads: files\n"
    )
    folder = write_plugin(tmp_path, "model").folder
    text = (folder / "plugin.yaml").read_text().replace("entry: model.plugin:Tiny", "adapter: opener")
    (folder / "plugin.yaml").write_text(text)
    row = next(row for row in discover(installed=[tmp_path]) if row.id == "model")
    assert (row.manifest, row.adapter) == (None, None)
    assert "opener lies among the installed plugins, where adapters are not run" in row.error
    assert find("model", discover([adapter], installed=[tmp_path])).adapter == adapter, "named, it may run"


def versions(root: Path) -> str:
    manifest = find("good", discover([root])).manifest
    return manifest.version if manifest is not None else ""


def test_a_manifest_is_read_anew_only_once_it_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_plugin(tmp_path, "good").folder / "plugin.yaml"
    reads: list[Path] = []
    read = discovery.read_manifest
    monkeypatch.setattr(discovery, "read_manifest", lambda folder: (reads.append(folder), read(folder))[1])
    file.write_text(file.read_text().replace("1.2.3", "1.2.4"))
    for _ in range(3):
        assert versions(tmp_path) == "1.2.4"
    assert len(reads) == 1
    file.write_text(file.read_text().replace("1.2.4", "1.2.5"))
    assert versions(tmp_path) == "1.2.5"
    file.write_text("id: [")
    for _ in range(2):
        [row] = [row for row in discover([tmp_path]) if row.folder == file.parent]
        assert "is not valid YAML" in row.error
    file.unlink()
    assert [row for row in discover([tmp_path]) if row.folder == file.parent] == []
