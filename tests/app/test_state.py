"""The session tells what changed."""

from __future__ import annotations

from medviewer.app import context
from medviewer.app.state import EDIT_TOOLS, TOOLS, Message, Session


def test_each_field_is_told_once_and_only_when_it_changed() -> None:
    session = Session()
    heard: list[tuple[str, object]] = []
    session.events.message.connect(lambda message: heard.append(("message", message)))
    session.view.events.tool.connect(lambda tool: heard.append(("tool", tool)))
    session.say("The study is open.", "ok")
    session.view.tool = "pan"
    session.view.tool = "pan"
    assert heard == [("message", Message("The study is open.", "ok")), ("tool", "pan")]


def test_sessions_share_nothing() -> None:
    first, second = Session(), Session()
    first.view.tool = "pan"
    first.say("One")
    assert second.view.tool == "crosshair"
    assert second.message is None


def test_edit_tools_are_tools() -> None:
    assert set(EDIT_TOOLS) < set(TOOLS)


def test_context_of_a_session_with_an_image(session: Session) -> None:
    values = context.current(session)
    assert set(values) == set(context.KEYS)
    assert (values["image_open"], values["volume_open"], values["mask_open"]) == (True, True, False)
    assert (values["can_undo"], values["layout"]) == (False, "mpr")


def test_a_radiograph_is_no_volume(radiograph: Session) -> None:
    values = context.current(radiograph)
    assert (values["image_open"], values["volume_open"], values["layout"]) == (True, False, "single")
