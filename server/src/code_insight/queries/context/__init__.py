"""What matters for a task: code, tests, documents and commits, each with the reasons why."""

from code_insight.queries.context.pieces import Context, Piece, context
from code_insight.queries.context.task import Task, task_of
from code_insight.queries.context.weighing import Ranked, Reason, ReasonKind, ranked_paths

__all__ = ["Context", "Piece", "Ranked", "Reason", "ReasonKind", "Task", "context", "ranked_paths", "task_of"]
