"""A call is bounded; what was only missed is asked again, and a change that may have been heard is not."""

import socket

import pytest
from code_insight_deploy import calls
from code_insight_deploy.calls import Answer, NoAnswer

from tests.deploy.standin import CANARY, Reply, Service, serving

pytestmark = pytest.mark.usefixtures("no_pauses")


def once(service: Service, method: str = "GET", most_bytes: int = calls.MOST_BYTES) -> Answer:
    with calls.client(service.url, {"Authorization": f"Bearer {CANARY}"}) as client:
        return calls.ask(client, client.build_request(method, "/"), most_bytes=most_bytes)


@pytest.mark.parametrize("passing", [Reply(429), Reply(500), Reply(502), Reply(503), Reply(504), Reply(cut="at once")])
def test_reading_is_repeated_while_a_service_is_busy(passing: Reply) -> None:
    with serving(script=[passing, passing, Reply(200, b"at last")]) as service:
        assert calls.read(lambda: once(service)).body == b"at last"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 409, 422])
def test_an_answer_that_settles_it_is_not_asked_for_again(status: int) -> None:
    with serving(script=[Reply(status)]) as service:
        assert calls.read(lambda: once(service)).status == status
        assert len(service.asked) == 1


def test_a_service_that_stays_busy_is_asked_a_few_times_and_its_last_answer_is_told() -> None:
    with serving(lambda _: Reply(503, b"down")) as service:
        assert calls.read(lambda: once(service)).body == b"down"
        assert len(service.asked) == calls.ATTEMPTS


@pytest.mark.parametrize("reply", [Reply(cut="at once"), Reply(200, b"ok", cut="in the body")])
def test_a_change_whose_answer_was_lost_is_not_repeated(reply: Reply) -> None:
    with serving(lambda _: reply) as service:
        with pytest.raises(NoAnswer) as lost:
            calls.change(lambda: once(service, "POST"))
        assert lost.value.heard
        assert len(service.asked) == 1


def test_a_change_that_was_turned_away_for_its_rate_is_repeated() -> None:
    with serving(script=[Reply(429), Reply(200)]) as service:
        assert calls.change(lambda: once(service, "POST")).status == 200


def test_a_change_that_failed_within_the_service_is_not_repeated() -> None:
    with serving(lambda _: Reply(500)) as service:
        assert calls.change(lambda: once(service, "POST")).status == 500
        assert len(service.asked) == 1


def test_a_change_that_nobody_can_have_heard_is_said_to_be_unheard() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = Service(host=f"127.0.0.1:{closed.getsockname()[1]}")
    with pytest.raises(NoAnswer) as refused:
        calls.change(lambda: once(nobody, "POST"))
    assert not refused.value.heard


def test_a_pause_that_the_service_asks_for_is_made_but_not_for_longer_than_we_like() -> None:
    assert calls._pause(calls._Passing(Answer(429, {"retry-after": "7"}, b""))) == 7
    assert calls._pause(calls._Passing(Answer(429, {"retry-after": "86400"}, b""))) == calls.LONGEST_PAUSE_SECONDS


def test_an_answer_without_end_is_cut_off() -> None:
    with (
        serving(lambda _: Reply(200, b"x" * 100_000)) as service,
        pytest.raises(NoAnswer, match="more than 1000 bytes"),
    ):
        once(service, most_bytes=1000)


def test_a_redirection_is_not_followed_with_our_token() -> None:
    with serving() as other, serving(lambda _: Reply(302, headers={"Location": f"{other.url}/"})) as service:
        assert once(service).status == 302
        assert other.asked == []


def test_what_a_service_says_is_quoted_short_and_without_tokens() -> None:
    said = Answer(403, {}, f'{{"error": "no rights for {CANARY}\\n{"x" * 1000}"}}'.encode()).quoted()
    assert said.startswith("403 no rights for [redacted] xxx")
    assert len(said) < 320
