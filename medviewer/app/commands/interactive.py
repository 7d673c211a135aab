"""Segment by clicks: what is pointed at goes to an interactive plugin, and its answer into the mask as one stroke."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from medviewer.app.click_plugins import plugins_of
from medviewer.app.clicks import NOTHING, Clicks, Mark
from medviewer.app.commands import masks
from medviewer.app.commands.arriving import check_complete
from medviewer.app.commands.predict import active_weights, weights_present
from medviewer.app.commands.weights import check_read
from medviewer.app.mask_store import MaskStore
from medviewer.app.run_choice import RunChoice
from medviewer.domain.image import Image
from medviewer.errors import InputError, MedviewerError
from medviewer.inference.clicking.interactive import submit_prompts
from medviewer.inference.clicking.part import Answer, Part
from medviewer.inference.suitability import check_suitable
from medviewer.jobs import Job
from medviewer.plugin_api import Manifest, Prompt, Prompts
from medviewer.plugin_api.discovery import DiscoverResult

if TYPE_CHECKING:
    from medviewer.app.services import Services

NONE_YET = (
    "Click segment needs a plugin that answers clicks, and none is installed and enabled; see Segment by clicks in the "
    "manual for how to get one."
)
_ANSWERED = "Clicks answered by "


def chosen(services: Services) -> DiscoverResult:
    """The plugin that answers: the one that was chosen, else the first that takes the open image.

    Raises
    ------
    InputError
        If there is none.
    """
    known = plugins_of(services)
    named = [plugin for plugin in known if plugin.id == services.session.click_plugin]
    if named:
        return named[0]
    if not known:
        raise InputError(NONE_YET)
    return next((plugin for plugin in known if _takes(services, plugin)), known[0])


def choose(services: Services, plugin_id: str) -> None:
    """Let a plugin answer clicks from now on."""
    services.session.click_plugin = services.plugin(plugin_id).id
    get_ready(services)


def understands(services: Services, kind: str) -> bool:
    """Whether the plugin that answers knows a kind of prompt: ``point``, ``box`` or ``scribble``."""
    try:
        manifest = chosen(services).manifest
    except InputError:
        return False
    return manifest is not None and kind in manifest.inputs.prompts


def get_ready(services: Services) -> Job[Answer] | None:
    """Load the network and prepare the image, so that the first click is answered as fast as the next."""
    session = services.session
    if session.image is None or session.arrival is not None or services.clicks.job is not None:
        return None
    try:
        return _ask(services, chosen(services), (), NOTHING)
    except MedviewerError:
        return None  # the click itself will say why


def point_at(services: Services, prompt: Prompt) -> Job[Answer] | None:
    """Ask for the structure at a prompt, in voxel indices of the open image, and put the answer into the mask.

    A click while another is looked at takes its place: both prompts go together.

    Raises
    ------
    InputError
        If no image is open, or no plugin answers clicks.
    UnsuitableImageError, WeightsMissingError, UntrustedError
        As `submit_prompts` does.
    """
    session = services.session
    image = session.image
    if image is None:
        raise InputError("There is no open image to click on; open a study first.")
    check_complete(session)
    plugin = chosen(services)
    store = session.mask or masks.new(services)
    store.claim()
    clicks = _clicks(services, store, image, prompt)
    clicks.forget_undone()
    mark = Mark(prompt)
    clicks.marks.append(mark)
    previous, phase = clicks.previous(), session.view.phase
    try:
        job = _ask(services, plugin, clicks.shown, previous)
    except MedviewerError:
        clicks.marks.remove(mark)  # the one before is still looked at
        _show(services)
        raise
    assert job is not None  # an image is open
    former, clicks.job = clicks.job, job
    clicks.sent, clicks.phase, clicks.waiting = previous, phase, None
    if former is not None:
        former.cancel()
    _show(services)
    services.when_done(job, lambda answer: _answered(services, clicks, answer), None, lambda: clicks.job is job)
    job.finished.connect(lambda: _over(services, clicks, job))
    return job


def clear(services: Services) -> None:
    """Be done with this structure: its marks go, its mask stays, and the next click begins another."""
    clicks, services.clicks = services.clicks, Clicks()
    _leave(clicks)
    _show(services)


def refresh(services: Services) -> None:
    """Another mask or segment is worked on, or a stroke was undone: show the marks that belong to it."""
    session, clicks = services.session, services.clicks
    if clicks.store is not None and (clicks.store is not session.mask or clicks.label != session.active_label):
        clear(services)
        return
    clicks.follow()
    _show(services)
    if clicks.waiting is not None and clicks.store is not None and not clicks.store.in_stroke:
        answer, clicks.waiting = clicks.waiting, None
        services.attempt(lambda: _paste(services, clicks, answer))


def _clicks(services: Services, store: MaskStore, image: Image, prompt: Prompt) -> Clicks:
    """The clicks that a new one belongs to."""
    session, clicks = services.session, services.clicks
    if clicks.store is store and clicks.label == session.active_label and clicks.shown:
        return clicks
    clear(services)
    low, high = prompt.bounds()
    on = store.labels[image.grid.clamp((low + high) / 2)] == session.active_label
    clicks = services.clicks = Clicks(store, session.active_label, all_of_it=bool(on) or not prompt.positive)
    for signal in (store.edited, session.events.mask, session.events.active_label):
        clicks.links.append((signal, signal.connect(lambda *_: refresh(services))))
    return clicks


def _ask(services: Services, plugin: DiscoverResult, prompts: tuple[Prompt, ...], previous: Part) -> Job[Answer] | None:
    session = services.session
    image, series = session.shown, session.series
    if image is None or series is None:
        return None
    check_read(services, plugin.id)
    version, weights = active_weights(services, plugin)
    chosen = services.choices.get(plugin.id, RunChoice()).parameters
    return submit_prompts(
        services.runner, image, series, plugin, weights, version, Prompts(prompts), previous, parameters=chosen
    )


def _answered(services: Services, clicks: Clicks, answer: Answer) -> None:
    if clicks is not services.clicks or clicks.store is not services.session.mask:
        return  # the mask or the structure was left meanwhile
    if clicks.store is not None and clicks.store.in_stroke:
        clicks.waiting = answer  # a hand is painting: the answer comes when it is done
        return
    _paste(services, clicks, answer)


def _paste(services: Services, clicks: Clicks, answer: Answer) -> None:
    """Put an answer into the mask as one stroke."""
    store, session = clicks.store, services.session
    assert store is not None  # it has been clicked in
    gained, lost = clicks.paste(answer.part)
    if gained.size + lost.size == 0:
        session.say("The plugin would change nothing there; click on another place, or use the brush.")
        return
    store.begin()
    if session.image is not None and session.image.dynamic is not None:
        store.note_phase(clicks.phase)
    store.paint(gained, clicks.label)
    store.paint(lost, 0)
    _sign(store, answer)
    store.end()
    for mark in clicks.marks:
        mark.stroke = mark.stroke or store.last
    notes = answer.provenance.notes
    if notes and len(clicks.shown) == 1:
        session.say(" ".join(notes), "warning")


def _sign(store: MaskStore, answer: Answer) -> None:
    """Say in the mask's provenance which model answered."""
    made = store.base.provenance
    said = f"{_ANSWERED}{answer.provenance.label}."
    if said not in made.steps:
        store.base = replace(store.base, provenance=replace(made, steps=(*made.steps, said)))


def _over(services: Services, clicks: Clicks, job: Job[Answer]) -> None:
    """However a job ended: a mark without an answer goes, for nothing came of it."""
    if clicks.job is not job:
        return  # a newer one took it over
    clicks.job = None
    if job.error is not None:
        clicks.marks = [mark for mark in clicks.marks if mark.stroke is not None]
    if clicks is services.clicks:
        _show(services)


def _leave(clicks: Clicks) -> None:
    for signal, slot in clicks.links:
        signal.disconnect(slot)
    clicks.links.clear()
    job, clicks.job = clicks.job, None
    if job is not None:
        job.cancel()


def _show(services: Services) -> None:
    services.session.clicks = services.clicks.shown
    services.session.click_busy = services.clicks.job is not None


def _takes(services: Services, plugin: DiscoverResult) -> bool:
    image, series = services.session.image, services.session.series
    manifest: Manifest | None = plugin.manifest
    if image is None or series is None or manifest is None:
        return False
    try:
        check_suitable(manifest, image, series)
        return weights_present(services, plugin)  # what is wrong with them is told when they are asked
    except MedviewerError:
        return False
