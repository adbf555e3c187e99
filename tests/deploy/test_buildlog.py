"""BuildKit's messages become one line for each step, and a failure keeps what the step had printed."""

from code_insight_deploy.buildlog import BuildLog, fields


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def data(field: int, value: bytes | str) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(raw)) + raw


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def vertex(name: str, *more: bytes) -> bytes:
    return data(1, data(1, f"sha256:{name}") + data(3, name) + b"".join(more))


STARTED = data(5, number(1, 1_800_000_000))
COMPLETED = data(6, number(1, 1_800_000_002) + number(2, 500_000_000))


def test_a_step_is_told_once_when_it_has_ended() -> None:
    log = BuildLog()
    assert list(log.read(vertex("RUN a", STARTED))) == []
    assert list(log.read(vertex("RUN a", STARTED, COMPLETED))) == ["  2.5 s  RUN a"]
    assert list(log.read(vertex("RUN a", STARTED, COMPLETED))) == []


def test_a_step_that_was_not_run_is_told_as_cached() -> None:
    assert list(BuildLog().read(vertex("RUN a", number(4, 1), STARTED, COMPLETED))) == ["cached  RUN a"]


def test_what_only_the_engine_does_is_not_told() -> None:
    assert list(BuildLog().read(vertex("[internal] load metadata", STARTED, COMPLETED))) == []


def test_a_failure_keeps_the_last_lines_of_its_step() -> None:
    log = BuildLog()
    printed = data(3, data(1, "sha256:RUN a") + data(4, "first\nlast words\n"))
    list(log.read(printed))
    list(log.read(vertex("RUN a", STARTED, data(7, "exit code: 1"))))
    assert log.failure == "RUN a\nfirst\nlast words\nexit code: 1"


def test_fields_that_are_not_known_are_passed_over() -> None:
    unknown = varint(9 << 3 | 1) + bytes(8) + varint(10 << 3 | 5) + bytes(4)
    assert [found for found, _ in fields(unknown + number(3, 300))] == [9, 10, 3]
