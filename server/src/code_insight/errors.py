"""What can go wrong in a way that the caller can mend: what happened, and what to do next."""

from __future__ import annotations


class InsightError(Exception):
    """The root of all errors whose text may be shown to a caller.

    `problem` says what is wrong, `next_step` what the caller can do; both are whole sentences. `code` is stable,
    for programs.
    """

    code = "internal"

    def __init__(self, problem: str, next_step: str = "") -> None:
        self.problem = problem
        self.next_step = next_step
        super().__init__(f"{problem} {next_step}".strip())


class InvalidArgument(InsightError):
    """An argument has no meaning here."""

    code = "invalid_argument"


class NotFound(InsightError):
    """A repository, path, symbol or revision is unknown; the next step names the nearest that exist."""

    code = "not_found"


class UrlRejected(InsightError):
    """A URL is not one that this server clones; refused before any work."""

    code = "repository_url_rejected"


class FetchFailed(InsightError):
    """git could not get the repository: unreachable, refused, not there."""

    code = "fetch_failed"


class RepositoryEmpty(InsightError):
    """The repository has no commit to index."""

    code = "repository_empty"


class RepositoryTooLarge(InsightError):
    """The repository passes a limit of this server."""

    code = "repository_too_large"


class RegexInvalid(InsightError):
    """A pattern is not RE2 syntax, or too costly."""

    code = "regex_invalid"


class TookTooLong(InsightError):
    """The work was ended at its time limit."""

    code = "timeout"


class Cancelled(InsightError):
    """The caller gave up; nothing half-done is visible."""

    code = "cancelled"


class Forbidden(InsightError):
    """The caller may not do this here."""

    code = "forbidden"


class Busy(InsightError):
    """Too many wait already; refused before any work."""

    code = "busy"


class StorageFailed(InsightError):
    """The index could not be written or read: full disk, missing rights, damaged file."""

    code = "storage_failed"


class IndexDamaged(StorageFailed):
    """An index file is not what was written: nothing of it is answered."""
