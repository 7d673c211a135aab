"""What a plugin's folder is, in one number: the same as long as none of its code changes."""

from __future__ import annotations

import hashlib
from pathlib import Path

from medviewer.errors import ManifestError
from medviewer.plugin_api.manifest import Manifest, file_sha256, read_manifest

_PASSED_BY = frozenset({"__pycache__", ".git", ".mypy_cache", ".pytest_cache", ".ruff_cache"})
_MOST_FILES = 20_000


def fingerprint(folder: Path) -> str:
    """SHA-256 over the names and contents of a plugin's files, as lower-case hexadecimal.

    Declared weights are left out: the manifest, which is in, names their SHA-256, and they are checked when loaded.

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


def _declared(folder: Path) -> frozenset[str]:
    try:
        manifest: Manifest = read_manifest(folder)
    except ManifestError:
        return frozenset()  # a broken plugin has no code that could run; every file counts
    return frozenset(name for name in (manifest.weights.file, *manifest.weights.also) if name)
