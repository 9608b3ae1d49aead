"""Every error the API answers with: a stable code, an HTTP status, and words that say what to do.

Raised for callers' mistakes and broken infrastructure; a wrong answer or a failed program is data, never one of these.
"""

from __future__ import annotations

from collections.abc import Sequence


class EscaladeError(Exception):
    """Base of all errors that reach a caller; `code` is stable, `detail` names the fault and the remedy."""

    code, status, title = "error", 500, "Error"

    def __init__(self, detail: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after_s = retry_after_s


class InvalidRequest(EscaladeError):
    """A field of the request is missing, unknown, or out of its range."""

    code, status, title = "invalid_request", 422, "Invalid request"


class MalformedBody(EscaladeError):
    """The body is not JSON."""

    code, status, title = "malformed_body", 400, "Malformed body"


class BodyTooLarge(EscaladeError):
    """The body is longer than this server takes."""

    code, status, title = "body_too_large", 413, "Body too large"


class Unauthenticated(EscaladeError):
    """No key, or one that is not known."""

    code, status, title = "unauthenticated", 401, "A key is needed"


class ScopeMissing(EscaladeError):
    """The key may not do this."""

    code, status, title = "scope_missing", 403, "The key lacks a scope"


class NotFound(EscaladeError):
    """Nothing at this address."""

    code, status, title = "not_found", 404, "Not found"


class MethodNotAllowed(EscaladeError):
    """The address knows other methods."""

    code, status, title = "method_not_allowed", 405, "Method not allowed"


class EnvironmentNotFound(NotFound):
    """No environment has this name."""

    code, title = "environment_not_found", "Environment not found"


class VersionNotFound(NotFound):
    """The environment has no such version."""

    code, title = "version_not_found", "Version not found"


class InstanceNotFound(NotFound):
    """This server never made such an instance."""

    code, title = "instance_not_found", "Instance not found"


class RunNotFound(NotFound):
    """No such run, or it belongs to another key."""

    code, title = "run_not_found", "Run not found"


class GroupNotFound(NotFound):
    """The run has no such group."""

    code, title = "group_not_found", "Group not found"


class BatchNotFound(NotFound):
    """This cursor has not been issued."""

    code, title = "batch_not_found", "Batch not found"


class CheckpointNotFound(NotFound):
    """The run's history has no checkpoint with this label."""

    code, title = "checkpoint_not_found", "Checkpoint not found"


class ProblemNotFound(NotFound):
    """There is no problem of this name."""

    code, title = "problem_not_found", "Problem not found"


class ReportNotFound(NotFound):
    """The environment was never verified."""

    code, title = "report_not_found", "Report not found"


class NothingToDo(EscaladeError):
    """What was asked for finds nothing to work on."""

    code, status, title = "nothing_to_do", 409, "Nothing to do"


class JobConflict(EscaladeError):
    """The job is in another state than the request needs."""

    code, status, title = "job_conflict", 409, "The job's state does not allow this"


class JobNotFound(NotFound):
    """No such job."""

    code, title = "job_not_found", "Job not found"


class KeyNotFound(NotFound):
    """No such key."""

    code, title = "key_not_found", "Key not found"


class LevelOutOfRange(InvalidRequest):
    """The ladder has no such level, or a parameter is outside its range."""

    code, title = "level_out_of_range", "Level out of range"


class RolloutOutOfRange(InvalidRequest):
    """The group has fewer rollouts."""

    code, title = "rollout_out_of_range", "Rollout out of range"


class ArchiveUnreadable(InvalidRequest):
    """The archive as a whole is not of the named format."""

    code, title = "archive_unreadable", "Archive unreadable"


class PolicyUnknown(InvalidRequest):
    """No such curriculum policy, or one of its constants is wrong."""

    code, title = "curriculum_invalid", "Curriculum invalid"


class PoolEmpty(InvalidRequest):
    """The pool filter leaves nothing."""

    code, title = "pool_empty", "The pool is empty"


class BatchConflict(EscaladeError):
    """This cursor was issued for another request."""

    code, status, title = "batch_conflict", 409, "The cursor has another batch"


class AttemptConflict(EscaladeError):
    """This rollout was already reported with other content."""

    code, status, title = "attempt_conflict", 409, "Already reported with other content"


class GroupFull(EscaladeError):
    """Every rollout of the group has been reported."""

    code, status, title = "group_full", 409, "The group has all its rollouts"


class GroupClosed(EscaladeError):
    """The group is closed; nothing about it changes any more."""

    code, status, title = "group_closed", 409, "The group is closed"


class CheckpointConflict(EscaladeError):
    """This label names another step in this generation."""

    code, status, title = "checkpoint_conflict", 409, "The label names another step"


class IdempotencyConflict(EscaladeError):
    """This Idempotency-Key was used for another request."""

    code, status, title = "idempotency_conflict", 409, "Idempotency-Key used for another request"


class LevelUnavailable(EscaladeError):
    """The generator or the oracle gives no usable instance at this level."""

    code, status, title = "level_unavailable", 409, "No instance can be made"


class ProgramUnfit(LevelUnavailable):
    """A program of the environment is one that no sandbox could run, however often it is tried."""

    code, title = "program_unfit", "A program cannot be run as it is"


class PoolExhausted(EscaladeError):
    """Every environment of the run's pool has been retired."""

    code, status, title = "pool_exhausted", 409, "The run's pool is exhausted"


class NotServable(EscaladeError):
    """This environment's status forbids serving it, or this server cannot score its answers yet."""

    code, status, title = "not_servable", 409, "Environment not servable"


class SandboxFailed(EscaladeError):
    """The sandbox cannot be reached or failed twice."""

    code, status, title = "sandbox_unavailable", 503, "Sandbox unavailable"


class SandboxQueueFull(EscaladeError):
    """The sandbox has more work than it can queue."""

    code, status, title = "sandbox_busy", 503, "Sandbox busy"


class LlmUnavailable(EscaladeError):
    """The LLM's endpoint cannot be reached, is overloaded, or answers with something else."""

    code, status, title = "llm_unavailable", 503, "LLM unavailable"


class LlmRefused(EscaladeError):
    """The LLM's endpoint refuses the request for good: a wrong key, model or address."""

    code, status, title = "llm_refused", 502, "The LLM's endpoint refuses"


class LlmReplyUnusable(EscaladeError):
    """None of the LLM's replies to one question can be used; `faults` says why of the last."""

    code, status, title = "llm_reply_unusable", 502, "The LLM's reply cannot be used"

    def __init__(self, detail: str, *, faults: Sequence[str] = ()) -> None:
        super().__init__(detail)
        self.faults = tuple(faults)


class LlmBudgetSpent(EscaladeError):
    """The job has spent its tokens. Every reply paid for is kept, so that going on later repeats none."""

    code, status, title = "llm_budget_spent", 409, "The LLM budget is spent"


class ProblemUnsuited(EscaladeError):
    """The LLM finds that a problem cannot become an environment, and says why."""

    code, status, title = "problem_unsuited", 409, "The problem cannot become an environment"


class DatabaseUnavailable(EscaladeError):
    """The database cannot be reached."""

    code, status, title = "database_unavailable", 503, "Database unavailable"


class DatabaseBehind(EscaladeError):
    """The database's schema is not the one this version needs."""

    code, status, title = "database_behind", 503, "Database behind its migrations"


class ReplayDiverged(EscaladeError):
    """A recorded event does not follow from those before it: the log was changed, or the policy's code was."""

    code, status, title = "replay_diverged", 500, "Event log does not replay"
