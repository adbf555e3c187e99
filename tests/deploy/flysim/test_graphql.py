"""GraphQL and its REST neighbour: what flyctl asks beside the Machines API."""

from typing import Any

import pytest
from code_insight_deploy.flysim import Sim

from tests.deploy.flysim.places import Fly, Json, Pushed


def ask(fly: Fly, query: str, token: str = "", **variables: Any) -> Json:
    headers = {"Authorization": f"Bearer {token or fly.token}"}
    answer = fly.client.post("/graphql", json={"query": query, "variables": variables}, headers=headers)
    said: Json = {"status": answer.status_code, **answer.json()}
    return said


def rest(fly: Fly, method: str, path: str, body: Any = None) -> Any:
    answer = fly.client.request(method, f"/api/v1{path}", json=body)
    assert answer.status_code < 300, answer.text
    return answer.json()


def test_it_answers_the_fields_that_were_asked_under_the_names_that_were_asked(fly: Fly) -> None:
    query = "query ($name: String!) { appcompact: app(name: $name) { name hostname organization { slug } } }"
    said = ask(fly, query, name=fly.app)
    address = fly.url().removeprefix("http://")
    expected = {"name": fly.app, "hostname": address, "organization": {"slug": "personal"}}
    assert said["data"] == {"appcompact": expected}


def test_a_field_that_there_is_not_is_refused(fly: Fly) -> None:
    assert "Cannot query field 'colour'" in ask(fly, "{ apps { nodes { colour } } }")["errors"][0]["message"]
    assert "Syntax Error" in ask(fly, "{ apps {")["errors"][0]["message"]


def test_organizations_and_apps_are_those_of_the_token(fly: Fly, sim: Sim) -> None:
    said = ask(fly, "{ organizations(admin: false) { nodes { slug type } } }")
    assert said["data"]["organizations"]["nodes"] == [{"slug": "personal", "type": "PERSONAL"}]
    query = (
        "query ($after: String) { apps(first: 1, after: $after) { pageInfo { hasNextPage endCursor } nodes { name } } }"
    )
    names, after = set(), None
    for _ in range(100):
        page = ask(fly, query, after=after)["data"]["apps"]
        names |= {app["name"] for app in page["nodes"]}
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert fly.app in names
    stranger = sim.token(organization="other")
    theirs = ask(fly, "{ apps { nodes { name } } }", stranger)["data"]["apps"]["nodes"]
    assert fly.app not in {app["name"] for app in theirs}


def test_an_app_that_is_not_there_is_an_error_with_its_code(fly: Fly, sim: Sim) -> None:
    for token in (fly.token, sim.token(organization="other")):
        name = fly.app if token != fly.token else "no-such-app"
        said = ask(fly, "query ($name: String!) { app(name: $name) { id } }", token, name=name)
        assert said["errors"][0]["message"] == f'Could not find App "{name}"'
        assert said["errors"][0]["extensions"]["code"] == "NOT_FOUND"


def test_a_token_that_is_not_known_is_401(fly: Fly) -> None:
    assert ask(fly, "{ viewer { ... on User { email } } }", "fo1_unknown")["status"] == 401
    assert ask(fly, "{ viewer { ... on User { email } } }")["data"]["viewer"]["email"].endswith("@tokens.fly.io")


def test_an_image_is_told_by_the_reference_that_was_asked(fly: Fly, pushed: tuple[Pushed, Pushed]) -> None:
    query = """query ($app: String!, $ref: String!) { app(name: $app) { image(ref: $ref) {
      digest ref compressedSize: compressedSizeFull manifest } } }"""
    for reference in (pushed[0].by_tag, pushed[0].by_digest):
        image = ask(fly, query, app=fly.app, ref=reference)["data"]["app"]["image"]
        assert (image["digest"], image["ref"]) == (pushed[0].digest, reference)
        assert int(image["compressedSize"]) > 1_000_000
        assert image["manifest"]["schemaVersion"] == 2
    assert ask(fly, query, app=fly.app, ref=f"{pushed[0].by_tag}-none")["data"]["app"]["image"] is None


CREATE = """mutation ($input: CreateReleaseInput!) { createRelease(input: $input) { release { id version } } }"""
UPDATE = """mutation ($input: UpdateReleaseInput!) { updateRelease(input: $input) { release { status } } }"""


def test_releases_are_rows_that_both_neighbours_write_and_read(fly: Fly) -> None:
    shown = ask(fly, "query ($n: String!) { app(name: $n) { id currentRelease { id } } }", n=fly.app)["data"]["app"]
    assert shown["currentRelease"] is None
    given = {"appId": shown["id"], "definition": {"a": 1}, "image": "i1", "platformVersion": "machines"}
    made = ask(fly, CREATE, input={**given, "strategy": "ROLLING"})["data"]["createRelease"]["release"]
    assert made["version"] == 1
    change = {"releaseId": made["id"], "status": "complete"}
    assert ask(fly, UPDATE, input=change)["data"]["updateRelease"]["release"]["status"] == "complete"
    asked = {"app_name": fly.app, "build_id": "b", "definition": {}, "image": "i2", "strategy": "ROLLING"}
    second = rest(fly, "POST", "/releases", asked)["release"]
    assert (second["version"], second["status"], second["in_progress"]) == (2, "pending", True)
    assert rest(fly, "PATCH", f"/releases/{second['id']}", {"status": "running"})["status"] == "running"
    listed = rest(fly, "GET", f"/apps/{fly.app}/releases?limit=5")["releases"]
    assert [(row["version"], row["status"], row["stable"]) for row in listed] == [
        (2, "running", False),
        (1, "complete", True),
    ]
    assert rest(fly, "GET", f"/apps/{fly.app}/releases/current")["image_ref"] == "i2"
    assert rest(fly, "GET", "/releases/all_current")[fly.app] == second["created_at"]
    query = """query ($n: String!) { app(name: $n) { currentReleaseUnprocessed { version configDefinition }
      releases: releasesUnprocessed(first: 1) { nodes { imageRef } } } }"""
    current = ask(fly, query, n=fly.app)["data"]["app"]
    assert current["currentReleaseUnprocessed"] == {"version": 2, "configDefinition": {}}
    assert current["releases"]["nodes"] == [{"imageRef": "i2"}]
    assert fly.client.patch(f"/api/v1/releases/{second['id']}", json={"status": "fine"}).status_code == 422


def test_a_build_and_the_organization_are_told_as_flyctl_asks_for_them(fly: Fly) -> None:
    assert rest(fly, "GET", "/organizations/personal")["organization"]["slug"] == "personal"
    build = rest(fly, "POST", "/builds", {"app_name": fly.app})
    finished = {"build_id": build["id"], "app_name": fly.app, "status": "completed"}
    assert rest(fly, "POST", "/builds/finish", finished)["id"] == build["id"]
    assert rest(fly, "GET", f"/apps/{fly.app}/logs")["data"] == []


LOCK = "mutation ($input: LockAppInput!) { lockApp(input: $input) { lockId expiration } }"
UNLOCK = "mutation ($input: UnlockAppInput!) { unlockApp(input: $input) { app { currentLock { lockId } } } }"


def test_an_app_is_locked_by_one_at_a_time(fly: Fly) -> None:
    current = "query ($n: String!) { app(name: $n) { id currentLock { lockId expiration } } }"
    app = ask(fly, current, n=fly.app)["data"]["app"]
    assert app["currentLock"] is None
    lock = ask(fly, LOCK, input={"appId": app["id"]})["data"]["lockApp"]
    assert ask(fly, current, n=fly.app)["data"]["app"]["currentLock"] == lock
    assert ask(fly, LOCK, input={"appId": app["id"]})["errors"][0]["extensions"]["code"] == "CONFLICT"
    wrong = {"appId": app["id"], "lockId": "another"}
    assert "errors" in ask(fly, UNLOCK, input=wrong)
    freed = ask(fly, UNLOCK, input={**wrong, "lockId": lock["lockId"]})
    assert freed["data"]["unlockApp"]["app"]["currentLock"] is None


@pytest.mark.parametrize("query", [CREATE, LOCK])
def test_a_token_that_may_only_look_changes_nothing(fly: Fly, sim: Sim, query: str) -> None:
    app = ask(fly, "query ($n: String!) { app(name: $n) { id } }", n=fly.app)["data"]["app"]["id"]
    more = {"definition": {}, "image": "i", "platformVersion": "machines", "strategy": "ROLLING"}
    given = {"appId": app, **(more if query == CREATE else {})}
    said = ask(fly, query, sim.token("read"), input=given)
    assert said["errors"][0]["extensions"]["code"] == "FORBIDDEN"
