"""Bringing plugins in: packages, archives and models; and files that were made to do harm."""

from __future__ import annotations

import os
import stat
import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from medviewer.errors import InputError, ManifestError, MedviewerError, PluginError
from medviewer.inference.acquiring.install import PARTIAL, Candidate, code_files, put_in_place, submit_prepare
from medviewer.jobs import Runner
from medviewer.plugin_api.discovery import AdapterResult, discover, discover_adapters
from medviewer.plugin_api.fingerprint import fingerprint
from tests.inference.tiny_plugins import write_plugin

WAIT_S = 120.0
Prepare = Callable[..., Candidate]

ADAPTER = '''
import shutil
from pathlib import Path


class Door:
    """Knows files that end in .tiny: they name a folder that is copied."""

    def recognises(self, source):
        if source.suffix == ".broken":
            raise OSError("no such format")
        return source.suffix == ".tiny"

    def install(self, source, folder, context):
        shutil.copytree(source.read_text(), folder, dirs_exist_ok=True)

    def open(self, folder, manifest, *, trusted):
        raise NotImplementedError
'''


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where plugins are installed."""
    return tmp_path / "home" / "plugins"


@pytest.fixture
def prepare(runner: Runner, root: Path) -> Prepare:
    """Make a plugin ready, and wait for it."""

    def call(source: Path, adapters: list[AdapterResult] | None = None, plugin_id: str = "") -> Candidate:
        job = submit_prepare(runner, source, root, adapters or [], plugin_id)
        runner.wait(job, WAIT_S)
        for sweep in runner.jobs:  # what a failure leaves is removed by a job of its own
            runner.wait(sweep, WAIT_S)
        return job.result()

    return call


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A plugin folder whose code leaves a file behind when anything of it is run."""
    folder = write_plugin(tmp_path / "made", "stranger").folder
    arm(folder)
    return folder


def arm(folder: Path) -> None:
    canary = f"open({str(folder.parents[1] / 'canary')!r}, 'w').close()\n"
    for name in ("__init__.py", "plugin.py"):
        (folder / name).write_text(canary + (folder / name).read_text())


def nothing_ran(tmp_path: Path) -> bool:
    return not (tmp_path / "canary").exists()


def zipped(source: Path, target: Path, inside: str = "", **more: str | bytes) -> Path:
    """An archive of a folder, below a folder of that name, with more members."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as opened:
        for path in sorted(source.rglob("*")):
            opened.write(path, f"{inside}{path.relative_to(source.parent).as_posix()}")
        for name, content in more.items():
            opened.writestr(name, content)
    return target


def left(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir())


# -- what is brought in


def test_a_folder_is_copied_without_caches_and_put_in_place(prepare: Prepare, package: Path, tmp_path: Path) -> None:
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "plugin.cpython-311.pyc").write_bytes(b"other code")
    (package / ".git").mkdir()
    (package / ".git" / "config").touch()
    candidate = prepare(package)
    root = candidate.staged.parents[1]
    assert (candidate.staged.name, candidate.manifest.id, candidate.adapter) == ("stranger", "stranger", "")
    assert candidate.code == ("__init__.py", "plugin.py")
    assert "stranger" not in [row.id for row in discover(installed=[root])], "what is half there is not found"
    placed = put_in_place(candidate, root)
    assert left(root) == ["stranger"]
    assert sorted(path.name for path in placed.iterdir()) == [
        "__init__.py",
        "plugin.py",
        "plugin.yaml",
        "weights.safetensors",
    ]
    assert fingerprint(placed) == candidate.fingerprint
    assert nothing_ran(tmp_path)


@pytest.mark.parametrize("inside", ["", "repo-main/"])
def test_a_zip_archive_with_a_plugin_somewhere_in_it(
    prepare: Prepare, package: Path, tmp_path: Path, inside: str
) -> None:
    candidate = prepare(zipped(package, tmp_path / "a.zip", inside, **{"README.md": "x"}))
    assert candidate.staged.name == "stranger"
    assert candidate.fingerprint == fingerprint(package)
    assert nothing_ran(tmp_path)


def test_a_wheel(prepare: Prepare, package: Path, tmp_path: Path) -> None:
    metadata = (
        "Metadata-Version: 2.1\nName: stranger\nVersion: 1.2.3\nRequires-Dist: numpy>=1\nRequires-Dist: medviewer"
    )
    wheel = zipped(
        package,
        tmp_path / "stranger-1.2.3-py3-none-any.whl",
        **{"stranger-1.2.3.dist-info/METADATA": metadata, "stranger-1.2.3.dist-info/RECORD": ""},
    )
    candidate = prepare(wheel)
    assert candidate.staged.name == "stranger"
    assert candidate.fingerprint == fingerprint(package)


def test_a_folder_of_another_name_gets_the_name_of_its_package(prepare: Prepare, package: Path) -> None:
    assert prepare(package.rename(package.with_name("stranger-1.2.3"))).staged.name == "stranger"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("Requires-Dist: no-such-package-at-all>=2", "pip install 'no-such-package-at-all>=2'"),
        ("Requires-Dist: numpy>=999", "pip install 'numpy>=999'"),
        ("Requires-Dist: no-such @ https://example.org/x.whl", "pip install no-such and"),
        ("Requires-Python: >=99", "needs Python >=99"),
        ("Requires-Dist: ;;;", "cannot be read"),
    ],
)
def test_what_a_wheel_needs_and_is_not_here_is_named(
    prepare: Prepare, package: Path, tmp_path: Path, root: Path, line: str, words: str
) -> None:
    wheel = zipped(package, tmp_path / "a.whl", **{"stranger-1.dist-info/METADATA": f"Name: stranger\n{line}\n"})
    with pytest.raises(PluginError) as refused:
        prepare(wheel)
    assert words in str(refused.value)
    assert left(root) == []


def test_needs_of_another_system_or_of_an_extra_do_not_count(prepare: Prepare, package: Path) -> None:
    (package / "pyproject.toml").write_text(
        '[project]\nname = "x"\ndependencies = ["none-such; sys_platform == \'plan9\'", "other; extra == \'gpu\'"]\n'
    )
    assert prepare(package).manifest.id == "stranger"
    (package / "pyproject.toml").write_text('[project]\nname = "x"\ndependencies = ["none-such"]\n')
    with pytest.raises(PluginError, match="pip install none-such and"):
        prepare(package)


# -- models that adapters know


@pytest.fixture
def adapters(tmp_path: Path) -> list[AdapterResult]:
    """One adapter."""
    folder = tmp_path / "adapters" / "tiny_door"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "door.py").write_text(ADAPTER)
    (folder / "adapter.yaml").write_text(
        "id: tiny-door\nname: Tiny door\nversion: 1.0.0\ndescription: x\nentry: tiny_door.door:Door\n"
        "reads: .tiny files\n"
    )
    return [row for row in discover_adapters([folder]) if row.id == "tiny-door"]


def as_model(package: Path, tmp_path: Path) -> Path:
    text = (package / "plugin.yaml").read_text().replace("entry: stranger.plugin:Tiny", "adapter: tiny-door")
    (package / "plugin.yaml").write_text(text)
    for name in ("__init__.py", "plugin.py"):
        (package / name).unlink()
    model = tmp_path / "model.tiny"
    model.write_text(str(package))
    return model


def test_a_model_is_taken_over_by_its_adapter(
    prepare: Prepare, package: Path, tmp_path: Path, adapters: list[AdapterResult], root: Path
) -> None:
    model = as_model(package, tmp_path)
    candidate = prepare(model, adapters)
    assert (candidate.staged.name, candidate.adapter, candidate.code) == ("stranger", "Tiny door", ())
    named = prepare(model, adapters, "my-model")
    assert (named.staged.name, named.manifest.id) == ("my_model", "my-model")
    with pytest.raises(ManifestError, match="id is wrong"):
        prepare(model, adapters, "My Model")
    other = tmp_path / "model.broken"
    other.touch()
    with pytest.raises(PluginError) as refused:
        prepare(other, adapters)
    assert "adapter reads: .tiny files" in str(refused.value)
    assert "no such format" in refused.value.details
    assert len(left(root)) == 2, "what failed leaves nothing"


def test_what_is_nothing_is_told(prepare: Prepare, tmp_path: Path, package: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        prepare(tmp_path / "nowhere")
    with pytest.raises(PluginError, match="none is installed"):
        prepare(
            zipped(tmp_path / "made" / "stranger", tmp_path / "a.zip").rename(tmp_path / "b.zip").parent
            / "made/stranger/plugin.py"
        )
    with pytest.raises(InputError, match="brings its own id"):
        prepare(package, plugin_id="other")


# -- what was made to do harm


def forged(target: Path, package: Path, edit: Callable[[zipfile.ZipFile], None]) -> Path:
    zipped(package, target)
    with zipfile.ZipFile(target, "a", zipfile.ZIP_DEFLATED) as opened:
        edit(opened)
    return target


def link(opened: zipfile.ZipFile) -> None:
    info = zipfile.ZipInfo("stranger/secrets")
    info.create_system = 3
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    opened.writestr(info, "/etc/passwd")


def twice(opened: zipfile.ZipFile) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        opened.writestr("stranger/plugin.py", "evil")


def member(name: str) -> Callable[[zipfile.ZipFile], None]:
    return lambda opened: opened.writestr(name, "evil")


HARM: dict[str, tuple[Callable[[zipfile.ZipFile], None], str]] = {
    "zip slip": (member("stranger/../../../evil.py"), "leads out"),
    "absolute": (member("/tmp/evil.py"), "leads out"),
    "drive": (member("C:/evil.py"), "leads out"),
    "backslash": (member("stranger\\..\\..\\evil.py"), "leads out"),
    "link": (link, "a link or device"),
    "twice": (twice, "two files of one name"),
    "case": (member("stranger/PLUGIN.py"), "two files of one name"),
    "file and folder": (member("stranger/plugin.py/evil.py"), "a file and a folder"),
    "device": (member("stranger/nul.txt"), "not every system"),
    "dots": (member("stranger/evil.py."), "not every system"),
    "control": (member("stranger/e\nvil.py"), "not every system"),
    "bomb": (lambda opened: opened.writestr("stranger/zeros.bin", bytes(64 * 1024**2)), "grows absurdly"),
    "many": (lambda opened: [opened.writestr(f"stranger/f{k}", "") for k in range(5001)] and None, "at most 5000"),
}


@pytest.mark.parametrize("harm", HARM)
def test_an_archive_that_could_do_harm_is_refused_whole(
    prepare: Prepare, package: Path, tmp_path: Path, root: Path, harm: str
) -> None:
    edit, words = HARM[harm]
    before = {path for path in tmp_path.rglob("*") if root not in path.parents}
    archive = forged(tmp_path / "bad.zip", package, edit)
    with pytest.raises(PluginError) as refused:
        prepare(archive)
    assert words in str(refused.value)
    assert left(root) == []
    after = {path for path in tmp_path.rglob("*") if root not in path.parents}
    assert after - before <= {archive, root, root.parent}
    assert nothing_ran(tmp_path)


def test_a_member_that_lies_about_its_size(prepare: Prepare, package: Path, tmp_path: Path, root: Path) -> None:
    archive = zipped(package, tmp_path / "a.zip")
    data = bytearray(archive.read_bytes())
    with zipfile.ZipFile(archive) as opened:
        size = opened.getinfo("stranger/weights.safetensors").file_size
    at = data.rfind(b"stranger/weights.safetensors") - 46 + 24  # APPNOTE 4.3.12: uncompressed size
    assert struct.unpack_from("<I", data, at)[0] == size
    struct.pack_into("<I", data, at, 3)
    archive.write_bytes(data)
    with pytest.raises(PluginError):
        prepare(archive)
    assert left(root) == []


def test_a_broken_archive(prepare: Prepare, package: Path, tmp_path: Path, root: Path) -> None:
    archive = zipped(package, tmp_path / "a.zip")
    data = bytearray(archive.read_bytes())
    data[60:400] = bytes(340)
    archive.write_bytes(data)
    with pytest.raises(PluginError, match="get it again"):
        prepare(archive)
    assert left(root) == []


@pytest.mark.parametrize("target", ["/etc/passwd", "plugin.py"])
def test_a_folder_with_a_link_is_refused(prepare: Prepare, package: Path, root: Path, target: str) -> None:
    (package / "secrets").symlink_to(target)
    with pytest.raises(PluginError, match="a link or device, secrets"):
        prepare(package)
    assert left(root) == []


def change(package: Path, **fields: object) -> None:
    data = yaml.safe_load((package / "plugin.yaml").read_text())
    for name, value in fields.items():
        data[name] = {**data[name], **value} if isinstance(value, dict) else value
    (package / "plugin.yaml").write_text(yaml.safe_dump(data))


MANIFESTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "object": (
        lambda folder: (folder / "plugin.yaml").write_text(
            f"id: !!python/object/apply:os.system ['touch {folder.parents[1] / 'canary'}']\n"
        ),
        "not valid YAML",
    ),
    "laughs": (
        lambda folder: (folder / "plugin.yaml").write_text(
            "a0: &a0 [x, x]\n" + "".join(f"a{k}: &a{k} [*a{k - 1}, *a{k - 1}]\n" for k in range(1, 40))
        ),
        "short list of fields",
    ),
    "outside": (lambda folder: change(folder, weights={"file": "../x"}), "inside the plugin's folder"),
    "drive": (lambda folder: change(folder, weights={"file": "C:x"}), "inside the plugin's folder"),
    "missing": (lambda folder: change(folder, weights={"file": "none.safetensors"}), "are not in it"),
    "other hash": (lambda folder: change(folder, weights={"sha256": "0" * 64}), "its SHA-256 differs"),
    "code as weights": (lambda folder: change(folder, weights={"also": {"plugin.py": "0" * 64}}), "declares code"),
    "takes a name": (lambda folder: change(folder, entry="numpy.plugin:Tiny"), "calls its package numpy"),
    "takes a standard name": (lambda folder: change(folder, entry="json.plugin:Tiny"), "calls its package json"),
    "adapter": (
        lambda folder: (folder / "adapter.yaml").write_text("id: evil\n"),
        "holds an adapter",
    ),
}


@pytest.mark.parametrize("case", MANIFESTS)
def test_a_manifest_that_could_do_harm_is_refused(
    prepare: Prepare, package: Path, tmp_path: Path, root: Path, case: str
) -> None:
    edit, words = MANIFESTS[case]
    edit(package)
    with pytest.raises(MedviewerError) as refused:
        prepare(package)
    assert words in str(refused.value)
    assert left(root) == []
    assert nothing_ran(tmp_path)


def test_what_a_dead_program_left_goes_after_a_day(prepare: Prepare, package: Path, root: Path) -> None:
    for name, age in (("old", 2 * 86400), ("new", 0)):
        (root / f"{PARTIAL}{name}").mkdir(parents=True)
        os.utime(root / f"{PARTIAL}{name}", (time.time() - age,) * 2)
    prepare(package)
    assert not (root / f"{PARTIAL}old").exists()
    assert (root / f"{PARTIAL}new").exists()


def test_what_can_hold_code_is_named(package: Path) -> None:
    (package / "model.ts").touch()
    assert code_files(package) == ("__init__.py", "model.ts", "plugin.py")
