"""Bringing a plugin or a model into medviewer's folder: made ready beside its place, checked, then put there whole.

Nothing of what comes is run. A package is copied file by file; a model of another form is written anew as a plugin
folder by the adapter that knows it, in a child process.
"""

from __future__ import annotations

import importlib.util
import re
import secrets
import shutil
import sys
import time
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from medviewer.errors import InputError, JobError, ManifestError, MedviewerError, PluginError, StoreError
from medviewer.inference.acquiring.requirements import check_requirements, from_metadata, from_pyproject
from medviewer.plugin_api import Manifest, RunContext
from medviewer.plugin_api.adapters import ADAPTER_FILE
from medviewer.plugin_api.discovery import AdapterResult
from medviewer.plugin_api.fingerprint import fingerprint
from medviewer.plugin_api.manifest import FILE_NAME, file_sha256, read_manifest
from medviewer.plugin_api.unpack import DAMAGE, Member, archive_members, folder_members, take, within

if TYPE_CHECKING:
    from medviewer.jobs import Job, Runner, WorkerReply, WorkerRequest

PARTIAL = "partial-"
"""Beginning of the folders in which plugins are made ready; discovery looks one level deep and never sees them."""
_OLD_S = 24 * 3600
"""After a day, what is half there was left behind by a program that died."""
_SILENCE_S = 900.0
"""Converting gigabytes of weights on a slow disk may take minutes between two signs of life."""
_LANE = "adapters"
_MAX_MANIFEST, _MAX_ALIASES = 1024**2, 64
"""Bytes and aliases of a plugin.yaml; a hundred labels with codes take 20 kB."""
_CODE = frozenset({".py", ".pyc", ".pyd", ".pyw", ".so", ".dll", ".dylib", ".pt", ".pth", ".ts", ".sh", ".bat", ".exe"})
"""Endings of files that can hold code, TorchScript among them."""
_PYTHON = frozenset({".py", ".pyc", ".pyd", ".pyw", ".so", ".dll", ".dylib"})


@dataclass(frozen=True)
class Candidate:
    """A plugin that is ready to be put in place.

    Parameters
    ----------
    staged
        Its folder, in a folder of its own that `discard` removes.
    manifest
        What it says.
    fingerprint
        Of its files, as `plugin_api.fingerprint` counts them: what trust is given to.
    code
        Its files that can hold code, by name. A plugin that an adapter runs needs none.
    adapter
        The name of the adapter that took it over, empty for a package.
    """

    staged: Path
    manifest: Manifest
    fingerprint: str
    code: tuple[str, ...]
    adapter: str = ""


def submit_prepare(
    runner: Runner, source: Path, root: Path, adapters: Iterable[AdapterResult], plugin_id: str = ""
) -> Job[Candidate]:
    """Make a plugin ready from a plugin folder, a wheel or ZIP archive with one, or a model that an adapter knows.

    Parameters
    ----------
    root
        The folder that plugins are installed into; made when missing.
    adapters
        Those that may be asked.
    plugin_id
        The id that a model gets, instead of one that its adapter makes up.

    Raises
    ------
    InputError
        If there is no such file or folder.
    PluginError
        If it is an archive that could do harm, or no adapter is there to be asked.
    StoreError
        If the folder cannot be made.
    """
    if not source.exists():
        raise InputError(f"{source} does not exist; name a plugin folder, a wheel, a ZIP archive or a model.")
    source = source.resolve()
    staging = _staging(root)
    title = f"Looking at {source.name}"
    if _holds_plugin(source):
        if plugin_id:
            raise InputError(f"A plugin brings its own id; --id is for models, and {source.name} is a plugin.")
        copying = runner.submit(lambda context: _copy_package(source, staging, context), title=title)
        return _cleaned(runner, copying, staging)
    known = [row for row in adapters if row.manifest is not None]
    names = {str(row.folder): row.manifest.name for row in known if row.manifest is not None}
    reads = [row.manifest.reads for row in known if row.manifest is not None]

    def ready(reply: WorkerReply) -> Candidate:
        return _ready(staging, staging / "model", names[reply.payload["adapter"]], plugin_id)

    job = runner.submit_process(
        "medviewer.inference.acquiring.install:adopt",
        {"source": str(source), "target": str(staging / "model"), "adapters": list(names), "reads": reads},
        {},
        title=title,
        lane=_LANE,
        convert=ready,
        silence_s=_SILENCE_S,
    )
    return _cleaned(runner, job, staging)


def _cleaned(runner: Runner, job: Job[Candidate], staging: Path) -> Job[Candidate]:
    """However a job ends without a candidate, nothing of it stays."""

    def over() -> None:
        if job.error is not None:
            _sweep(runner, staging)

    job.finished.connect(over)
    return job


def adopt(request: WorkerRequest, context: RunContext) -> WorkerReply:
    """Let the first adapter that knows a model write its plugin folder; in the child process."""
    from medviewer.inference.loader import load_adapter, plugin_step
    from medviewer.jobs import WorkerReply

    source, target = Path(request.payload["source"]), Path(request.payload["target"])
    failures = []
    for folder in map(Path, request.payload["adapters"]):
        context.check()
        try:
            adapter = load_adapter(folder)
            with plugin_step(folder.name, f"looking at {source.name}"):
                knows = adapter.recognises(source)
        except MedviewerError as error:
            failures.append(str(error))  # the next one may know it; if none does, this is told
            continue
        if knows:
            target.mkdir()
            with plugin_step(folder.name, f"taking over {source.name}"):
                adapter.install(source, target, context)
            return WorkerReply({"adapter": str(folder)})
    known = "; ".join(request.payload["reads"]) or "none is installed"
    raise PluginError(
        f"{source.name} is neither a plugin (a folder or archive with a {FILE_NAME}) nor a model that an adapter "
        f"reads: {known}.",
        "\n".join(failures),
    )


def put_in_place(candidate: Candidate, root: Path) -> Path:
    """Move a plugin to its place; what was there under its name goes, once the new one stands.

    Raises
    ------
    StoreError
        If that failed; what was there before is there still.
    """
    target = root / candidate.staged.name
    former = candidate.staged.parent / "former"
    try:
        if target.exists():
            target.rename(former)
        try:
            candidate.staged.rename(target)
        except OSError:
            if former.exists():
                former.rename(target)
            raise
    except OSError as error:
        raise StoreError(
            f"{candidate.manifest.name} could not be put in place ({error.strerror or type(error).__name__}); close "
            "what uses it and install it again.",
            str(error),
        ) from error
    discard(candidate)
    return target


def discard(candidate: Candidate) -> None:
    """Remove what is left of a preparation, which may be gigabytes: off the home thread in the window."""
    shutil.rmtree(candidate.staged.parent, ignore_errors=True)


def submit_discard(runner: Runner, candidate: Candidate) -> None:
    """Remove what is left of a preparation, beside the home thread; closing the program waits for it."""
    _sweep(runner, candidate.staged.parent)


def _sweep(runner: Runner, folder: Path) -> None:
    try:
        runner.submit(lambda _: shutil.rmtree(folder, ignore_errors=True), title="", must_finish=True)
    except JobError:  # the program is closing, and only this thread is left
        shutil.rmtree(folder, ignore_errors=True)


def code_files(folder: Path) -> tuple[str, ...]:
    """Names of a plugin's files that can hold code."""
    return tuple(member.name for member in folder_members(folder) if Path(member.name).suffix.lower() in _CODE)


def _staging(root: Path) -> Path:
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in root.glob(f"{PARTIAL}*"):
            if time.time() - left.stat().st_mtime > _OLD_S:
                shutil.rmtree(left, ignore_errors=True)
        made = root / f"{PARTIAL}{secrets.token_hex(6)}"
        made.mkdir(mode=0o700)
    except OSError as error:
        raise StoreError(
            f"Plugins need the folder {root}, which cannot be written ({error.strerror}); make room or check its "
            "permissions.",
            str(error),
        ) from error
    return made


# -- packages


def _holds_plugin(source: Path) -> bool:
    """Whether there is a plugin.yaml where a plugin has it; reads names only."""
    if source.is_dir():
        return bool(_manifests(source))
    if not zipfile.is_zipfile(source):
        return False
    try:
        with zipfile.ZipFile(source) as opened:
            return bool(_shallowest(opened.namelist()))
    except DAMAGE:
        return False  # whoever else knows it may say what is wrong


def _manifests(folder: Path) -> list[str]:
    """Where plugins lie in a folder: itself, or else a folder in it."""
    if (folder / FILE_NAME).is_file():
        return [""]
    return sorted(path.parent.name for path in folder.glob(f"*/{FILE_NAME}"))


def _shallowest(names: Iterable[str]) -> list[str]:
    """The folders that hold a plugin.yaml, those nearest to the top, at most two levels down."""
    slashed = [name.replace("\\", "/") for name in names]
    found = [name.rpartition("/")[0] for name in slashed if name.rpartition("/")[2] == FILE_NAME]
    depths = [folder.count("/") + bool(folder) for folder in found]
    least = min(depths, default=9)
    return sorted(f for f, depth in zip(found, depths, strict=True) if depth == least <= 2)


def _copy_package(source: Path, staging: Path, context: RunContext) -> Candidate:
    try:
        return _copied(source, staging, context)
    except DAMAGE as error:
        raise PluginError(f"{source.name} could not be read as a whole; get it again.", str(error)) from error


def _copied(source: Path, staging: Path, context: RunContext) -> Candidate:
    members, prefixes, needs = _looked_at(source)
    if len(prefixes) != 1:
        raise PluginError(
            f"{source.name} should hold one plugin, but holds {len(prefixes)}: {', '.join(prefixes)}; install them one "
            "by one."
        )
    staged = staging / "model"
    staged.mkdir()
    chosen = within(members, prefixes[0])
    take(source, chosen, staged, lambda part: context.progress(0.9 * part, "Copying"))
    pyproject = staged / "pyproject.toml"
    if needs is None:
        needs = from_pyproject(pyproject) if pyproject.is_file() else ([], "")
    candidate = _ready(staging, staged, called=Path(prefixes[0]).name or source.name)
    check_requirements(candidate.manifest.name, *needs)
    return candidate


def _looked_at(source: Path) -> tuple[list[Member], list[str], tuple[list[str], str] | None]:
    """Checked members, the folders of them that are plugins, and what a wheel or project says that it needs."""
    if source.is_dir():
        prefixes = _manifests(source)
        around = source / "pyproject.toml"
        needs = from_pyproject(around) if prefixes != [""] and around.is_file() else None
        return folder_members(source), prefixes, needs
    with zipfile.ZipFile(source) as opened:
        members = archive_members(opened, source.name)
        told = [member for member in members if re.fullmatch(r"[^/]+\.dist-info/METADATA", member.name)]
        needs = from_metadata(opened.read(told[0].name)) if len(told) == 1 else None
    return members, _shallowest(member.name for member in members), needs


# -- what is ready


def _ready(staging: Path, staged: Path, adapter: str = "", plugin_id: str = "", called: str = "") -> Candidate:
    """Check a folder that was made ready, and give it the name that it will have; `called` is what errors name it."""
    _refuse_bomb(staged / FILE_NAME)
    if plugin_id:
        _rename_plugin(staged, plugin_id)
    manifest = read_manifest(staged, called)
    if any(staged.rglob(ADAPTER_FILE)):
        raise PluginError(
            f"{manifest.name} holds an adapter, which would run without being trusted; install it as a Python "
            "package with pip."
        )
    named = staged.rename(staging / _folder_name(manifest, staged))
    _check_weights(named, manifest)
    return Candidate(named, manifest, fingerprint(named), code_files(named), adapter)


def _refuse_bomb(file: Path) -> None:
    """Refuse a manifest that grows when its aliases are followed ("billion laughs")."""
    try:
        text = file.read_text(encoding="utf-8") if file.stat().st_size <= _MAX_MANIFEST else ""
        aliases = sum(isinstance(token, yaml.AliasToken) for token in yaml.scan(text))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return  # read_manifest tells what is wrong
    if not text or aliases > _MAX_ALIASES:
        raise ManifestError(f"{file.name} should be a short list of fields, but it is not; ask its author.")


def _rename_plugin(folder: Path, plugin_id: str) -> None:
    path = folder / FILE_NAME
    data = {**yaml.safe_load(path.read_text(encoding="utf-8")), "id": plugin_id}
    path.write_text(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), encoding="utf-8")


def _is_installed(name: str) -> bool:
    """Whether a package of that name is installed; ``python -m`` also finds what lies in the working folder."""
    spec = importlib.util.find_spec(name)
    return spec is not None and Path(spec.origin or "").resolve().parent != Path.cwd() / name


def _folder_name(manifest: Manifest, staged: Path) -> str:
    """The package that its entry names, for that is imported; the id, for a model without code."""
    if not manifest.entry:
        return manifest.id.replace("-", "_")
    name = manifest.entry.partition(":")[0].partition(".")[0]
    if not (staged / "__init__.py").is_file():
        raise ManifestError(f"A plugin folder needs an __init__.py; that of {manifest.name} has none.")
    if name in sys.stdlib_module_names or name == "medviewer" or _is_installed(name):
        raise PluginError(
            f"{manifest.name} calls its package {name}, as a package of this Python is called, and would take its "
            "place; have its author choose another name."
        )
    return name


def _check_weights(folder: Path, manifest: Manifest) -> None:
    declared = {manifest.weights.file: manifest.weights.sha256} if manifest.weights.file else {}
    for name, sha256 in {**declared, **manifest.weights.also}.items():
        path = folder / name
        if path.suffix.lower() in _PYTHON:
            raise PluginError(f"{manifest.name} declares code, {name}, as weights; ask its author for an explanation.")
        if not path.is_file():
            raise PluginError(f"{manifest.name} should bring its weights {name}, but they are not in it; get it whole.")
        if file_sha256(path) != sha256:
            raise PluginError(
                f"{manifest.name}: {name} is not the file that its manifest names (its SHA-256 differs); get it again."
            )
