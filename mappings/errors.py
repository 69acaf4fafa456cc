"""Every error that Crosshatch raises on purpose, and what each becomes at the door.

Each message says what came, what was expected and what to do.

    CrosshatchError                                            CLI exit   HTTP
    ├── RequestError          the caller must change it            2       400
    │   ├── UnknownEncoderError    no such bundle                  2       404
    │   ├── UnknownIndexError      no such index                   2       404
    │   ├── NotAttachedError       attach comes first              2       409
    │   ├── AlreadyAttachedError   with another encoder            2       409
    │   ├── FollowedAlready        by another process              2       409
    │   ├── ProfileError           target profile is wrong         2       400
    │   └── SettingsError          CROSSHATCH_* or crosshatch.toml 2       400
    ├── DataError             the data is at fault                 1       409
    │   ├── CodeLengthError        data and model disagree         1       409
    │   ├── BundleError            damaged or foreign bundle       1       409
    │   ├── AttachRefused          a check refused                 1       409
    │   ├── RecordError            one record, with a reason       1       422
    │   ├── WriteRefused           the engine blocks writes        1       409
    │   ├── WorkerGaveUp           time limit, unknown error       1       409
    │   └── EngineRefused          any other refusal of the engine 1       (the engine's)
    └── Unavailable           try again later                     75       503
        ├── EngineUnavailable      OpenSearch does not answer     75       503
        ├── BrokerUnavailable      Redis does not answer          75       503
        ├── WorkerUnavailable      no worker answers              75       503
        ├── SwitchedOff            by `crosshatch off`            75       503
        └── HeldBack               rate, quiet hours, heap, disk  75       503
"""


class CrosshatchError(Exception):
    """Root of the tree; never raised itself."""

    exit_code = 1
    status = 500


class RequestError(CrosshatchError):
    """The caller must change the request."""

    exit_code = 2
    status = 400


class UnknownEncoderError(RequestError):
    """No bundle or encoder has this name."""

    status = 404


class UnknownIndexError(RequestError):
    """The cluster has no index of this name."""

    status = 404


class NotAttachedError(RequestError):
    """The index exists, but Crosshatch is not attached to it."""

    status = 409


class AlreadyAttachedError(RequestError):
    """The index is attached with another encoder."""

    status = 409


class FollowedAlready(RequestError):
    """Another process follows the index."""

    status = 409


class ProfileError(RequestError):
    """A target profile is missing or wrong."""


class SettingsError(RequestError):
    """A setting, in the environment or in crosshatch.toml, is wrong."""


class DataError(CrosshatchError):
    """The data, not the request, is at fault."""

    exit_code = 1
    status = 409


class CodeLengthError(DataError):
    """Two codes of different length meet, or a length is not supported."""


class BundleError(DataError):
    """An encoder bundle is damaged, tampered with or of another schema."""


class AttachRefused(DataError):
    """A check of `attach` refused; the message lists each with what to do."""


class WriteRefused(DataError):
    """The engine refuses a write that retrying does not cure (read-only index, strict mapping, full disk)."""


class WorkerGaveUp(DataError):
    """A worker stopped at a batch again and again, by its time limit or by an error that nobody foresaw."""


class RecordError(DataError):
    """One record, or one part of it, cannot be encoded.

    `reason` is one of `REASONS`: it is what `status` counts and `problems` explains.
    """

    status = 422

    def __init__(self, reason: str, message: str) -> None:
        if reason not in REASONS:
            raise ValueError(f"unknown reason {reason!r}; there are: {', '.join(REASONS)}")
        super().__init__(reason, message)  # all of it, so that it can leave a worker and be made again
        self.reason = reason

    def __str__(self) -> str:
        return str(self.args[1])


# what each reason means, and what to do; `crosshatch problems` prints it
EXPLANATIONS = {
    "no-content": "The profile's fields hold neither text nor pictures: fill the record, or name other fields in the "
    "target profile.",
    "picture-missing": "The address or file of a picture is not there (404, no such file): mend the reference.",
    "picture-unreadable": "What came is no picture, or a damaged one: replace the file.",
    "picture-too-large": "A picture is larger than CROSSHATCH_PICTURE_MAX_BYTES or CROSSHATCH_PICTURE_MAX_PIXELS: "
    "raise the limit, or offer a smaller one.",
    "picture-forbidden": "A picture lies where we may not look: see CROSSHATCH_PICTURE_HOSTS and "
    "CROSSHATCH_PICTURE_ROOTS, or the server's own refusal.",
    "picture-timeout": "The picture's server was too slow: retry later, or raise CROSSHATCH_PICTURE_TIMEOUT.",
    "text-unreadable": "The text cannot be read or encoded: look at the record's own data (JSON, MARC, encoding).",
    "write-refused": "The engine refused the record with its codes: its own words say why; lift the block or limit.",
    "gave-up": "The work stopped at this record (a process died, ran out of time, or met an unforeseen error): "
    "retry; if it comes again, see the worker's log and report it.",
    "maybe-overwritten": "The library system may have written the record in the instant of our write, at the same "
    "version: index it again from there; `--retry` drops this notice.",
    "gone": "The record was deleted while it was encoded: nothing to do.",
}
REASONS = tuple(EXPLANATIONS)


class EngineRefused(DataError):
    """OpenSearch answered a request with an error; `kind` is its error type, `reason` its own words."""

    def __init__(self, status: int, kind: str, reason: str, request: str) -> None:
        super().__init__(status, kind, reason, request)  # all of it, so that it can leave a worker and be made again
        self.status, self.kind, self.reason = status, kind, reason

    def __str__(self) -> str:
        return "OpenSearch refused {3}: {0} {1}: {2}".format(*self.args)


class Unavailable(CrosshatchError):
    """Something that should answer does not: try again later."""

    exit_code = 75
    status = 503


class EngineUnavailable(Unavailable):
    """OpenSearch does not answer."""


class BrokerUnavailable(Unavailable):
    """Redis does not answer."""


class WorkerUnavailable(Unavailable):
    """No worker answers."""


class SwitchedOff(Unavailable):
    """An administrator switched writing off; what is left is done after `crosshatch on`."""


class HeldBack(Unavailable):
    """Good manners forbid to write now; `seconds` is when to try again."""

    def __init__(self, message: str, seconds: float = 60.0) -> None:
        super().__init__(message, seconds)  # all of it, so that it can leave a worker and be made again
        self.seconds = seconds

    def __str__(self) -> str:
        return f"writing is held back: {self.args[0]}; what is left is done later"
