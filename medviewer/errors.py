"""Every error that medviewer raises on purpose.

    MedviewerError                 the root: one sentence for the user, and a fold of details
    +-- InputError                 what was handed in cannot be used
    |   +-- UnreadableError        a file or folder that no reader understands
    |   +-- GridMismatchError      a mask or heat map that does not lie on the image's grid
    |   +-- UnsuitableImageError   an image that a plugin must refuse (modality, body part, view, dimensions)
    +-- PluginError                a plugin could not do its part
    |   +-- ManifestError          its plugin.yaml is missing, broken or for another API
    |   +-- WeightsMissingError    its weights are not on this machine yet
    |   +-- UntrustedError         its code may not run: nobody trusted it, or it changed since
    |   +-- ContractError          it returned something other than what its manifest declares
    +-- JobError                   work off the window's thread did not finish
    |   +-- JobCancelled           because somebody asked it to stop
    |   +-- WorkerDied             because its process ended
    |   +-- JobTimeout             because it stopped answering
    +-- StoreError                 the archive, the queue or the registry could not do it
        +-- NotFoundError          nothing there has that name
        +-- RemoteError            another archive on the network did not do it
        +-- GateRefusal            a model version that may not be promoted

The text is one sentence that says what was expected, what came and what to do; ``details`` holds what a
developer wants to read. Foreign exceptions are mapped once, at the boundary where they enter.
"""

from __future__ import annotations


class MedviewerError(Exception):
    """The root of the tree.

    Parameters
    ----------
    message
        One sentence for the user: what was expected, what came, what to do. Never a patient's name.
    details
        What a developer wants to read (a traceback, the tail of a log); shown folded.
    """

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.details = details


class InputError(MedviewerError):
    """What was handed in cannot be used."""


class UnreadableError(InputError):
    """A file or folder that no reader understands."""


class GridMismatchError(InputError):
    """A mask or heat map that does not lie on the image's grid."""


class UnsuitableImageError(InputError):
    """An image that a plugin must refuse."""


class PluginError(MedviewerError):
    """A plugin could not do its part."""


class ManifestError(PluginError):
    """A plugin.yaml that is missing, broken or written for another API."""


class WeightsMissingError(PluginError):
    """The weights of a plugin are not on this machine yet."""


class UntrustedError(PluginError):
    """Code of a plugin that its user has not trusted, or that changed since."""


class ContractError(PluginError):
    """A plugin returned something other than what its manifest declares."""


class JobError(MedviewerError):
    """Work off the window's thread did not finish."""


class JobCancelled(JobError):
    """Somebody asked the job to stop."""


class WorkerDied(JobError):
    """The process that ran the job ended before the job did."""


class JobTimeout(JobError):
    """The job stopped answering."""


class StoreError(MedviewerError):
    """The archive, the queue or the registry could not do what was asked."""


class NotFoundError(StoreError):
    """Nothing in the store has that name."""


class RemoteError(StoreError):
    """Another archive on the network could not be reached, or refused, or broke off."""


class GateRefusal(StoreError):
    """A model version that may not be promoted."""
