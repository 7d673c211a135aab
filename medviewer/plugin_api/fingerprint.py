"""What a plugin's folder is, in one number: the same as long as none of its code changes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from medviewer.errors import ManifestError
from medviewer.plugin_api.manifest import Manifest, file_sha256, read_manifest

_PASSED_BY = frozenset({"__pycache__", ".git", ".mypy_cache", ".pytest_cache", ".ruff_cache"})
_MOST_FILES = 20_000
_DATA = frozenset(
    {".bin", ".ckpt", ".data", ".npy", ".npz", ".onnx", ".onnx_data", ".pt", ".pth", ".safetensors", ".ts"}
)
"""Endings of weights. A manifest that calls ``plugin.py`` or a table of settings weights does not keep it out."""


def fingerprint(folder: Path) -> str:
    """SHA-256 over the names and contents of a plugin's files, as lower-case hexadecimal.

    Declared weights are left out, if their names end as weights do: the manifest, which is in, names their SHA-256, and
    they are checked when loaded. So is ``__pycache__``: plugins are imported from their source (`inference.sources`).

    Raises
    ------
    ManifestError
        If a file cannot be read, lies behind a link that leaves the folder, or there are absurdly many.
    """
    root = folder.resolve()
    weights = _declared(root)
    digest = hashlib.sha256()
    try:
        files = sorted(
            path for path in root.rglob("*") if path.is_file() and not _PASSED_BY & set(path.relative_to(root).parts)
        )
        if len(files) > _MOST_FILES:
            raise ManifestError(
                f"A plugin folder should hold its own files only, but {folder.name} holds {len(files)}."
            )
        for path in files:
            name = path.relative_to(root).as_posix()
            if not path.resolve().is_relative_to(root):
                raise ManifestError(
                    f"{name} of {folder.name} is a link out of the plugin's folder; replace it by a file."
                )
            if name not in weights:
                digest.update(f"{name}\0{file_sha256(path)}\n".encode())
    except OSError as error:
        raise ManifestError(
            f"The files of {folder.name} should be readable, but one is not; install it again."
        ) from error
    return digest.hexdigest()


def stamp(folder: Path, manifest: Manifest) -> str:
    """What a plugin's folder looks like from outside: another text once a file came, went or was written.

    Reads no file and takes less than a millisecond for a small folder; it proves nothing, as `fingerprint` does.
    """
    weights = _data(manifest)
    digest = hashlib.sha256()
    for name, seen in sorted(_entries(folder, "")):
        if name not in weights:
            digest.update(f"{name}\0{seen.st_mtime_ns}\0{seen.st_size}\n".encode())
    return digest.hexdigest()[:16]


def _entries(folder: Path | str, before: str) -> Iterator[tuple[str, os.stat_result]]:
    """Names below a folder and what the system says of them; nothing where it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name in _PASSED_BY:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    yield from _entries(entry.path, f"{before}{entry.name}/")
                else:
                    yield f"{before}{entry.name}", entry.stat()
    except OSError:  # gone meanwhile; the child, which needs the files, says so
        return


def _declared(folder: Path) -> frozenset[str]:
    try:
        manifest: Manifest = read_manifest(folder)
    except ManifestError:
        return frozenset()  # a broken plugin has no code that could run; every file counts
    return _data(manifest)


def _data(manifest: Manifest) -> frozenset[str]:
    """Names of the declared weights that no Python runs or reads settings from, by their endings."""
    names = (manifest.weights.file, *manifest.weights.also)
    return frozenset(name for name in names if PurePosixPath(name).suffix.lower() in _DATA)
