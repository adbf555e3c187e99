"""An app's releases: rows that flyctl writes before and after it changes machines. They say nothing of what runs."""

from code_insight_deploy.flysim.answers import NoError
from code_insight_deploy.flysim.world import App, Json, Token, World, now_text, ulid

IN_PROGRESS = frozenset({"pending", "running"})
STATUSES = frozenset({"pending", "running", "complete", "failed", "interrupted"})


def create(app: App, token: Token, image: str, definition: object, strategy: str) -> Json:
    """A new row, the highest version yet, `pending`."""
    release: Json = {
        "id": ulid().lower(),
        "version": len(app.releases) + 1,
        "status": "pending",
        "image_ref": image,
        "definition": definition,
        "strategy": strategy.upper(),
        "description": "Release",
        "reason": "flyctl deploy",
        "user": token.name,
        "created_at": now_text(),
        "metadata": {},
    }
    app.releases.insert(0, release)
    return release


def update(world: World, number: str, status: str, metadata: Json | None) -> tuple[App, Json]:
    """The row with that id in another status. Raises NoError when there is none, or no such status."""
    if status not in STATUSES:
        raise NoError(422, f"status must be one of {', '.join(sorted(STATUSES))}")
    for app in world.apps.values():
        for release in app.releases:
            if release["id"] == number:
                release["status"] = status
                release["metadata"].update(metadata or {})
                return app, release
    raise NoError(404, "release not found")


def shown(release: Json) -> Json:
    """As /api/v1 shows it."""
    return {
        "id": release["id"],
        "version": release["version"],
        "status": release["status"],
        "stable": release["status"] == "complete",
        "in_progress": release["status"] in IN_PROGRESS,
        "strategy": release["strategy"],
        "image_ref": release["image_ref"],
        "user": f"{release['user']}@tokens.fly.io",
        "created_at": release["created_at"],
    }
