"""Every version of every plugin's weights, which one is active, and who decided that. None is ever removed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from sqlalchemy import select

from medviewer.archive import Archive
from medviewer.archive.blobs import write_atomic
from medviewer.archive.tables import ScoreRow, VersionRow
from medviewer.domain.provenance import Provenance, utc_now
from medviewer.errors import GateRefusal, StoreError
from medviewer.inference.client import checked_manifest
from medviewer.inference.doubting.reference import reference_path
from medviewer.learning import hashes
from medviewer.learning.gate import CaseScore, Score, Verdict, VerdictKind, judge
from medviewer.learning.hashes import FileHashes
from medviewer.learning.rows import (
    activate,
    find_active,
    find_version,
    get_active,
    get_version,
    keep_scores,
    keep_sides,
    mark_used,
    read_history,
    read_sides,
)
from medviewer.learning.split import Side, assign
from medviewer.learning.versions import (
    Activation,
    ModelVersion,
    VersionState,
    as_version,
    line_of_activations,
    next_candidate,
)
from medviewer.plugin_api.discovery import DiscoverResult
from medviewer.plugin_api.manifest import file_sha256

_SYSTEM = "medviewer"
"""Who activates a plugin's first version: nobody has to decide that."""


class ModelRegistry:
    """The model versions of an archive. Safe to use from several threads and processes.

    Parameters
    ----------
    archive
        Where they are kept; candidates' weights lie in its ``models`` folder.
    """

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._hashes = FileHashes(archive.home / hashes.FILE)
        self._being_read: set[Path] = set()

    @property
    def archive(self) -> Archive:
        """Where they are kept."""
        return self._archive

    def knows(self, path: Path) -> bool:
        """Whether a file of weights was read already, as it is now; reading large ones takes long."""
        try:
            return self._hashes.knows(path)
        except OSError:
            return False

    def read(self, path: Path, each: Callable[[int], None]) -> None:
        """Read a file of weights, so that looking at its SHA-256 takes no time from then on.

        Parameters
        ----------
        each
            Called with the bytes that were read so far; what it raises ends the reading.

        Raises
        ------
        StoreError
            If it cannot be read.
        """
        self._being_read.add(path)
        try:
            self._sha256(path, each)
        finally:
            self._being_read.discard(path)

    def reads(self, path: Path) -> bool:
        """Whether a file of weights is being read just now."""
        return path in self._being_read

    def ensure_base(self, plugin: DiscoverResult, weights: Path) -> ModelVersion:
        """Register the version that a plugin comes with; it becomes active unless a fine-tuned one is.

        The file is referenced, not copied. Calling this again is cheap and takes note of a plugin that moved.

        Raises
        ------
        StoreError
            If the file cannot be read, or is another than the one first registered as that version.
        ManifestError
            If the plugin is broken.
        """
        manifest = checked_manifest(plugin)
        sha256 = self._sha256(weights)
        with self._archive.session() as session:
            row = find_version(session, manifest.id, manifest.version)
            if row is not None and row.sha256 != sha256:
                raise StoreError(
                    f"The weights of {manifest.id} {manifest.version} changed since they were first used; "
                    "install the plugin again, or have its author raise the version."
                )
            if row is None:
                row = VersionRow(
                    plugin_id=manifest.id,
                    version=manifest.version,
                    state=VersionState.CANDIDATE.value,
                    sha256=sha256,
                    created=utc_now(),
                    author=_SYSTEM,
                    training_cases=[],
                    provenance=Provenance(manifest.id, manifest.version, author=_SYSTEM).to_json(),
                )
                row.weights = str(weights.absolute())
                session.add(row)
                session.flush()
                active = find_active(session, manifest.id)
                if active is None or active.parent is None:
                    activate(session, row, "base", _SYSTEM, "The version that the plugin comes with.")
            row.weights = str(weights.absolute())
            return as_version(row, self._archive.home)

    def versions(self, plugin_id: str | None = None) -> list[ModelVersion]:
        """Every version of a plugin, or of all plugins, oldest first."""
        query = select(VersionRow).order_by(VersionRow.plugin_id, VersionRow.number)
        if plugin_id is not None:
            query = query.where(VersionRow.plugin_id == plugin_id)
        with self._archive.reading() as session:
            return [as_version(row, self._archive.home) for row in session.scalars(query)]

    def get(self, plugin_id: str, version: str) -> ModelVersion:
        """One version. Raises NotFoundError if there is none of that name."""
        with self._archive.reading() as session:
            return as_version(get_version(session, plugin_id, version), self._archive.home)

    def active(self, plugin_id: str) -> ModelVersion:
        """The version that predictions use. Raises NotFoundError if the plugin has not been used yet."""
        with self._archive.reading() as session:
            return as_version(get_active(session, plugin_id), self._archive.home)

    def weights_path(self, plugin_id: str, version: str) -> Path:
        """The weights of a version, after a look at their SHA-256.

        Raises
        ------
        NotFoundError
            If there is no such version.
        StoreError
            If the file is missing or not the one that was registered.
        """
        found = self.get(plugin_id, version)
        if self._sha256(found.weights) != found.sha256:
            raise StoreError(
                f"The weights of {plugin_id} {version} are not the file that was registered; "
                f"restore {found.weights} from a backup, or roll back to another version."
            )
        return found.weights

    def reference_path(self, plugin_id: str, version: str) -> Path | None:
        """Where it says what is known of a version's training set, and its temperature.

        None for one of which nothing is known, or whose plugin brings that along. Raises NotFoundError if there is no
        such version.
        """
        path = reference_path(self.get(plugin_id, version).weights)
        return path if path.is_file() else None

    def history(self, plugin_id: str) -> list[Activation]:
        """Every change of the active version, oldest first."""
        with self._archive.reading() as session:
            return read_history(session, plugin_id)

    def sides(self, plugin_id: str) -> dict[str, Side]:
        """On which side of the split each patient was put when a version was registered."""
        with self._archive.reading() as session:
            return read_sides(session, plugin_id)

    def planned_sides(self, plugin_id: str, patients: Iterable[str]) -> dict[str, Side]:
        """The split with these patients in it; it is kept once it was used."""
        return assign(plugin_id, patients, self.sides(plugin_id))

    def scores(self, plugin_id: str, version: str) -> dict[str, Score]:
        """The scores of a version on held-out cases, by case."""
        query = select(ScoreRow).where(ScoreRow.plugin_id == plugin_id, ScoreRow.version == version)
        with self._archive.reading() as session:
            return {row.case_id: Score(row.dice, row.hd95_mm) for row in session.scalars(query)}

    def add_candidate(
        self,
        plugin_id: str,
        base: str,
        parent: str,
        weights: Path,
        *,
        training_cases: Sequence[str],
        sides: Mapping[str, Side],
        pairs: Sequence[CaseScore],
        provenance: Provenance,
        author: str,
    ) -> ModelVersion:
        """Register a fine-tuned version with the gate's verdict on it: all of it, or nothing.

        Parameters
        ----------
        base
            The plugin's own version, with which the new one's name begins.
        parent
            The version that it was trained from and compared with.
        weights
            A safetensors file, which is copied, as is what is known of the version's training set and its temperature
            if that lies beside it (see `inference.doubting.reference`).
        training_cases
            Ids of the cases that it was trained on; they count as used from now on.
        sides
            The split that was used; patients stay where it puts them.
        pairs
            Scores on the held-out cases.

        Raises
        ------
        NotFoundError
            If the parent is unknown.
        StoreError
            If it cannot be kept, or another run split the patients otherwise meanwhile.
        """
        verdict = judge(pairs)
        with self._archive.session() as session:
            get_version(session, plugin_id, parent)
            names = session.scalars(select(VersionRow.version).where(VersionRow.plugin_id == plugin_id))
            version = next_candidate(base, names)
            relative = Path("models") / plugin_id / version / "weights.safetensors"
            target = self._archive.home / relative
            # While the transaction holds the name; a file without a row is overwritten by the next of that name.
            # What the version knows goes first, so that it is never there without that.
            reference_path(target).unlink(missing_ok=True)
            for original, copy in ((reference_path(weights), reference_path(target)), (weights, target)):
                if original.exists() or original == weights:
                    with original.open("rb") as source:
                        write_atomic(copy, partial(shutil.copyfileobj, source))
            row = VersionRow(
                plugin_id=plugin_id,
                version=version,
                state=_judged(verdict).value,
                parent=parent,
                weights=relative.as_posix(),
                sha256=file_sha256(target),
                created=utc_now(),
                author=author,
                training_cases=list(training_cases),
                provenance=provenance.to_json(),
                compared_with=parent,
                verdict=verdict.to_json(),
            )
            session.add(row)
            session.flush()
            keep_sides(session, plugin_id, sides)
            keep_scores(session, plugin_id, parent, version, pairs)
            mark_used(session, training_cases, version)
            return as_version(row, self._archive.home)

    def record_comparison(
        self, plugin_id: str, present: str, candidate: str, *, sides: Mapping[str, Side], pairs: Sequence[CaseScore]
    ) -> Verdict:
        """Keep the scores of two versions, and the gate's verdict on the second one against the first.

        Parameters
        ----------
        sides
            The split that was used; patients stay where it puts them.

        Raises
        ------
        NotFoundError
            If either version is unknown.
        StoreError
            If another run split the patients otherwise meanwhile.
        """
        verdict = judge(pairs)
        with self._archive.session() as session:
            get_version(session, plugin_id, present)
            row = get_version(session, plugin_id, candidate)
            keep_sides(session, plugin_id, sides)
            keep_scores(session, plugin_id, present, candidate, pairs)
            row.compared_with, row.verdict = present, verdict.to_json()
            if row.state in (VersionState.CANDIDATE, VersionState.REFUSED):
                row.state = _judged(verdict).value
        return verdict

    def promote(self, plugin_id: str, version: str, by: str, reason: str = "", force: bool = False) -> ModelVersion:
        """Make a version the active one, if the gate lets it.

        A better one passes. One on which the gate is undecided passes when a person takes it on themselves: `force`
        with a `reason`. A worse one never passes.

        Raises
        ------
        GateRefusal
            If the gate does not let it; the text says why and what to do.
        NotFoundError
            If there is no such version.
        """
        with self._archive.session() as session:
            row = get_version(session, plugin_id, version)
            active = get_active(session, plugin_id)
            if row.state != VersionState.ACTIVE:
                _check_gate(row, active.version, reason, force)
                activate(session, row, "promote", by, reason)
            return as_version(row, self._archive.home)

    def rollback(self, plugin_id: str, by: str, reason: str = "") -> str:
        """Go back to the version that was active before the present one; again, to the one before that.

        Returns
        -------
        The version that is active now.

        Raises
        ------
        StoreError
            If the present version is the first.
        NotFoundError
            If the plugin has no version yet.
        """
        with self._archive.session() as session:
            active = get_active(session, plugin_id)
            line = line_of_activations(read_history(session, plugin_id))
            if len(line) < 2:
                raise StoreError(
                    f"{plugin_id} {active.version} is the first version that was active; there is none to roll back to."
                )
            activate(session, get_version(session, plugin_id, line[-2]), "rollback", by, reason)
            return line[-2]

    def _sha256(self, path: Path, each: Callable[[int], None] = lambda _: None) -> str:
        """Hash a file, once for as long as its size and time stay the same."""
        try:
            return self._hashes.sha256(path, each)
        except OSError as error:
            raise StoreError(
                f"The weights {path} are missing or cannot be read; install the plugin or restore them again.",
                str(error),
            ) from error


def _judged(verdict: Verdict) -> VersionState:
    return VersionState.REFUSED if verdict.kind is VerdictKind.WORSE else VersionState.CANDIDATE


def _check_gate(row: VersionRow, active: str, reason: str, force: bool) -> None:
    name = f"{row.plugin_id} {row.version}"
    if row.verdict is None or row.compared_with != active:
        with_what = (
            f"was compared with {row.compared_with}" if row.compared_with else "was compared with no other version"
        )
        raise GateRefusal(f"{name} {with_what}, and {active} is active now; compare the two first.")
    verdict = Verdict.from_json(row.verdict)
    if verdict.kind is VerdictKind.WORSE:
        raise GateRefusal(f"{name} is not promoted. {verdict.sentence}")
    if verdict.kind is VerdictKind.UNDECIDED and not (force and reason.strip()):
        raise GateRefusal(f"{name} is not promoted by itself. {verdict.sentence} To take it, say so and give a reason.")
