"""Who observed what a report tells (PS3.16 TID 1002): this program, and the person at it."""

from __future__ import annotations

from typing import Any

from pydicom.uid import generate_uid


def device_observer() -> Any:
    """The program as a device, always by the same UID."""
    import highdicom as hd

    return hd.sr.ObserverContext(
        observer_type=hd.sr.CodedConcept("121007", "DCM", "Device"),
        observer_identifying_attributes=hd.sr.DeviceObserverIdentifyingAttributes(
            uid=generate_uid(entropy_srcs=["medviewer", "device observer"]), name="medviewer"
        ),
    )


def person_observer(author: str) -> Any | None:
    """A person as the observer; None where nobody is named."""
    if not author:
        return None
    import highdicom as hd

    return hd.sr.ObserverContext(
        observer_type=hd.sr.CodedConcept("121006", "DCM", "Person"),
        observer_identifying_attributes=hd.sr.PersonObserverIdentifyingAttributes(name=person_name(author)),
    )


def person_name(author: str) -> str:
    """A name as DICOM has it (PS3.5 6.2): a single word is a family name."""
    name = author.replace("=", " ").replace("\\", " ")[:63]
    return name if "^" in name else f"{name}^"
