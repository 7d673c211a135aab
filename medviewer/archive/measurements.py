"""Saved measurements and key images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.orm import Session

from medviewer.archive.database import BUSY_S, Database
from medviewer.archive.tables import KeyImageRow, KeyPictureRow, MeasurementRow
from medviewer.domain.measure.key_image import KeyImage
from medviewer.domain.measure.measurement import Measurement
from medviewer.domain.measure.values import Value


@dataclass(frozen=True)
class Kept:
    """A saved measurement, and what it came to when it was saved: its image need not be open.

    Parameters
    ----------
    measurement
        What was measured.
    values
        What it came to.
    study_uid
        The study that it belongs to.
    """

    measurement: Measurement
    values: tuple[Value, ...]
    study_uid: str


class MeasurementStore:
    """The measurements and key images of an archive, by study.

    Parameters
    ----------
    database
        The archive's open database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, measurement: Measurement, values: Sequence[Value], study_uid: str, wait_s: float = BUSY_S) -> None:
        """Keep a measurement, in place of the one of its UID; it is on the disk when this returns.

        Raises
        ------
        StoreError
            If it cannot be kept, or another program keeps the database for longer than `wait_s` seconds.
        """
        changing = {
            "study_uid": study_uid,
            "series_uid": measurement.series_uid,
            "content": measurement.to_json(),
            "measured": [asdict(value) for value in values],
        }
        made = insert(MeasurementRow).values(uid=measurement.uid, **changing)
        with self._database.write(wait_s) as session:
            session.execute(made.on_conflict_do_update(index_elements=["uid"], set_=changing))

    def remove(self, uid: str, wait_s: float = BUSY_S) -> None:
        """Forget a measurement; one that is not there is no error. Raises StoreError as `save` does."""
        with self._database.write(wait_s) as session:
            session.execute(delete(MeasurementRow).where(MeasurementRow.uid == uid))

    def of_studies(self, study_uids: Iterable[str]) -> list[Kept]:
        """The measurements of some studies, in the order that they were made."""
        query = select(MeasurementRow).where(MeasurementRow.study_uid.in_(list(study_uids)))
        with self._database.read() as session:
            return [
                Kept(
                    Measurement.from_json(row.content),
                    tuple(Value(**value) for value in row.measured),
                    row.study_uid,
                )
                for row in session.scalars(query.order_by(MeasurementRow.number))
            ]

    def save_key_image(self, image: KeyImage, study_uid: str, wait_s: float = BUSY_S, png: bytes | None = None) -> None:
        """Keep a key image, in place of the one of its UID, and what it looks like where that is given.

        A picture of another look than it has now is no longer kept. Raises StoreError as `save` does.
        """
        changing = {"study_uid": study_uid, "series_uid": image.series_uid, "content": image.to_json()}
        made = insert(KeyImageRow).values(uid=image.uid, **changing)
        with self._database.write(wait_s) as session:
            content = session.scalar(select(KeyImageRow.content).where(KeyImageRow.uid == image.uid))
            session.execute(made.on_conflict_do_update(index_elements=["uid"], set_=changing))
            if png is not None:
                _keep_picture(session, image.uid, png)
            elif content is not None and not _looks_as(content, image):
                session.execute(delete(KeyPictureRow).where(KeyPictureRow.uid == image.uid))

    def set_key_picture(self, image: KeyImage, png: bytes) -> bool:
        """Keep what a key image looks like; False where it is gone by now, or has another look.

        Raises StoreError as `save` does.
        """
        with self._database.write() as session:
            content = session.scalar(select(KeyImageRow.content).where(KeyImageRow.uid == image.uid))
            same = content is not None and _looks_as(content, image)
            if same:
                _keep_picture(session, image.uid, png)
        return same

    def key_picture(self, uid: str) -> bytes | None:
        """What a key image looks like, as PNG; None where that is not known."""
        with self._database.read() as session:
            return session.scalar(select(KeyPictureRow.png).where(KeyPictureRow.uid == uid))

    def pictured(self, study_uid: str) -> frozenset[str]:
        """UIDs of a study's key images of which a picture is kept."""
        query = select(KeyPictureRow.uid).join(KeyImageRow, KeyImageRow.uid == KeyPictureRow.uid)
        with self._database.read() as session:
            return frozenset(session.scalars(query.where(KeyImageRow.study_uid == study_uid)))

    def remove_key_image(self, uid: str, wait_s: float = BUSY_S) -> None:
        """Forget a key image and its picture; one that is not there is no error. Raises StoreError as `save` does."""
        with self._database.write(wait_s) as session:
            session.execute(delete(KeyImageRow).where(KeyImageRow.uid == uid))
            session.execute(delete(KeyPictureRow).where(KeyPictureRow.uid == uid))

    def key_images_of(self, study_uid: str) -> list[KeyImage]:
        """The key images of a study, in the order that they were marked."""
        query = select(KeyImageRow).where(KeyImageRow.study_uid == study_uid).order_by(KeyImageRow.number)
        with self._database.read() as session:
            return [KeyImage.from_json(row.content) for row in session.scalars(query)]


def _looks_as(content: Mapping[str, Any], image: KeyImage) -> bool:
    """Whether a key image that is kept has the look of another."""
    kept = KeyImage.from_json(content)
    return kept.looked_at_as(image) == kept


def _keep_picture(session: Session, uid: str, png: bytes) -> None:
    made = insert(KeyPictureRow).values(uid=uid, png=png)
    session.execute(made.on_conflict_do_update(index_elements=["uid"], set_={"png": png}))
