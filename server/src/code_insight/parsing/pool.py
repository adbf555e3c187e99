"""`ParserPool`: worker processes that parse and may die; limited in time and memory, thrown away, replaced."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar, overload

from code_insight.languages import Language, by_name
from code_insight.model import Facts, SkipReason
from code_insight.parsing.facts import parse

if TYPE_CHECKING:
    from concurrent.futures import Future

    from pebble import ProcessPool

_log = logging.getLogger(__name__)
_SECONDS_BETWEEN_LOOKS = 0.05  # at whether a worker takes too long, or is gone
_IDLE_BYTES = 96 << 20  # of memory that a worker may have while it waits: twice what it needs to start
Key = TypeVar("Key")
Result = TypeVar("Result")
_Then = Callable[[Facts], Any] | None


@dataclass(frozen=True, slots=True)
class ParseLimits:
    """What one run of the parsers may cost."""

    workers: int = 1
    wall_seconds: float = 10.0  # for one file, and for one batch of small files
    memory_bytes: int = 400 << 20  # that a worker may take on top of what it needs to start
    batch_bytes: int = 256 << 10
    batch_files: int = 64
    bytes_in_flight: int = 1 << 20  # handed to workers and not answered yet
    failures_per_language: int = 20  # after so many in one run, the rest of that language is PARSE_SKIPPED
    batches_per_worker: int = 500  # a worker is then replaced, so that nothing it leaks grows


class _Item(NamedTuple):
    key: Any
    language: str
    text: bytes


@dataclass(slots=True)
class _Sent:
    to: ProcessPool
    batch: list[_Item]
    began: float | None = None  # when a worker was first seen at it


class ParserPool:
    """Worker processes that parse; a context manager. What kills a worker costs the guilty file its facts, no more."""

    def __init__(self, limits: ParseLimits) -> None:
        self.limits = limits
        self._pools: dict[str, ProcessPool] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """No process of the pool is left; it may be used again."""
        for pool in self._pools.values():
            pool.stop()  # type: ignore[no-untyped-call]
        for pool in self._pools.values():
            pool.join()
        self._pools.clear()

    @overload
    def parse_many(self, items: Iterable[tuple[Key, str, bytes]]) -> Iterator[tuple[Key, Facts | SkipReason]]: ...

    @overload
    def parse_many(
        self, items: Iterable[tuple[Key, str, bytes]], then: Callable[[Facts], Result]
    ) -> Iterator[tuple[Key, Result | SkipReason]]: ...

    def parse_many(
        self, items: Iterable[tuple[Key, str, bytes]], then: Callable[[Facts], Any] | None = None
    ) -> Iterator[tuple[Key, Any]]:
        """The facts of each (key, language name, text), or why there are none, as they become known.

        `then` makes something of the facts in the worker: what is smaller is sent faster. Closing the iterator ends the
        work on what was not answered yet.
        """
        return _Run(self, then).results(items)

    def workers(self) -> ProcessPool:
        """The processes that parse batches; they start when they are first needed."""
        return self._pool("workers", self.limits.workers)

    def quarantine(self) -> ProcessPool:
        """One process, where suspects are parsed alone."""
        return self._pool("quarantine", 1)

    def is_clean(self) -> bool:
        """Whether its one worker may go on: no text was suspected of anything, and none left it large."""
        if self._pools.keys() != {"workers"} or not self._pools["workers"].active:
            return False
        try:
            return bool(self._pools["workers"].schedule(_resident_bytes).result(1) < _IDLE_BYTES)
        except Exception:  # whatever it is: a worker that does not answer is not kept
            return False

    def _pool(self, role: str, workers: int) -> ProcessPool:
        """The pool of this role; a new one when the system has killed an idle worker, which pebble does not survive."""
        pool = self._pools.get(role)
        if pool is not None and not pool.active:
            pool.stop()  # type: ignore[no-untyped-call]
            pool.join()
            pool = None
        if pool is None:
            pool = self._pools[role] = _new_pool(self.limits, workers)
        return pool


class IdlePool:
    """One worker that waits for the next few texts: to start it takes far longer than to parse them."""

    def __init__(self, limits: ParseLimits, seconds: float) -> None:
        """The worker ends when nobody has had work for it for so many seconds; with 0, after each work."""
        self._limits, self._seconds = replace(limits, workers=1), seconds
        self._lock = threading.Lock()
        self._idle: ParserPool | None = None
        self._end: threading.Timer | None = None
        self._is_closed = False

    @contextlib.contextmanager
    def taken(self) -> Iterator[ParserPool]:
        """A pool of one worker, for the caller alone; it waits afterwards if it is clean and no other does."""
        with contextlib.ExitStack() as ended:
            pool = ended.enter_context(self._take() or ParserPool(self._limits))
            yield pool
            if self._seconds and pool.is_clean() and self._put(pool):
                ended.pop_all()

    def close(self) -> None:
        """No worker waits any more, and none will."""
        self._is_closed = True
        if pool := self._take():
            pool.close()

    def _take(self) -> ParserPool | None:
        with self._lock:
            pool, self._idle = self._idle, None
            if self._end:
                self._end.cancel()
            return pool

    def _put(self, pool: ParserPool) -> bool:
        with self._lock:
            if self._idle or self._is_closed:
                return False
            self._idle = pool
            self._end = threading.Timer(self._seconds, self._end_of, (pool,))
            self._end.daemon = True
            self._end.start()
            return True

    def _end_of(self, pool: ParserPool) -> None:
        with self._lock:
            if self._idle is not pool:
                return
            self._idle = None
        pool.close()


def _new_pool(limits: ParseLimits, workers: int) -> ProcessPool:
    import multiprocessing

    from pebble import ProcessPool

    return ProcessPool(
        max_workers=workers,
        max_tasks=limits.batches_per_worker,
        initializer=_limit_worker,
        initargs=(limits.memory_bytes,),
        context=multiprocessing.get_context("spawn"),
    )


class _Run:
    """One call of `parse_many`."""

    def __init__(self, pool: ParserPool, then: _Then) -> None:
        self._pool, self._limits, self._then = pool, pool.limits, then
        self._failures: Counter[str] = Counter()
        self._in_flight: dict[Future[list[Any]], _Sent] = {}

    def results(self, items: Iterable[tuple[Any, str, bytes]]) -> Iterator[tuple[Any, Any]]:
        batches = self._batches(items)
        try:
            while self._fill(batches):
                for future in _settled({future: sent.to for future, sent in self._in_flight.items()}, self._is_late):
                    yield from self._settle(future, self._in_flight.pop(future).batch)
        finally:
            for future in self._in_flight:
                future.cancel()

    def _is_late(self, future: Future[list[Any]]) -> bool:
        """Whether a batch has had its time; pebble's own limit goes by the time of day, which can be set."""
        sent = self._in_flight[future]
        if sent.began is None and future.running():
            sent.began = time.monotonic()
        return sent.began is not None and time.monotonic() - sent.began > self._limits.wall_seconds

    def _fill(self, batches: Iterator[list[_Item]]) -> bool:
        """Whether there is anything to wait for, after as much as allowed was handed out."""
        flying = sum(len(item.text) for sent in self._in_flight.values() for item in sent.batch)
        while flying < self._limits.bytes_in_flight and (batch := next(batches, None)) is not None:
            workers = self._pool.workers()
            self._in_flight[self._schedule(workers, batch)] = _Sent(workers, batch)
            flying += sum(len(item.text) for item in batch)
        return bool(self._in_flight)

    def _batches(self, items: Iterable[tuple[Any, str, bytes]]) -> Iterator[list[_Item]]:
        batch: list[_Item] = []
        size = 0
        for item in map(_Item._make, items):
            if batch and (size + len(item.text) > self._limits.batch_bytes or len(batch) >= self._limits.batch_files):
                yield batch
                batch, size = [], 0
            batch.append(item)
            size += len(item.text)
        if batch:
            yield batch

    def _schedule(self, pool: ProcessPool, batch: list[_Item]) -> Future[list[Any]]:
        skipped = frozenset(name for name, count in self._failures.items() if self._is_given_up(name))
        work = [(item.language, b"" if item.language in skipped else item.text) for item in batch]
        return pool.schedule(_parse_batch, args=(work, self._then, skipped, math.ceil(self._limits.wall_seconds) + 1))

    def _is_given_up(self, language: str) -> bool:
        return self._failures[language] >= self._limits.failures_per_language

    def _settle(self, future: Future[list[Any]], batch: list[_Item]) -> Iterator[tuple[Any, Any]]:
        from concurrent.futures import CancelledError
        from concurrent.futures.process import BrokenProcessPool

        from pebble import ProcessExpired

        try:
            results = future.result()
        except (CancelledError, ProcessExpired, BrokenProcessPool) as error:
            if isinstance(error, CancelledError) and len(batch) == 1:
                yield batch[0].key, self._counted(batch[0].language, SkipReason.PARSE_TIMEOUT)
                return
            for item in batch:
                yield item.key, self._parse_alone(item)
        else:
            for item, result in zip(batch, results, strict=True):
                yield item.key, self._counted(item.language, result)

    def _counted(self, language: str, result: Any) -> Any:
        """The result; a failure is remembered."""
        if isinstance(result, SkipReason) and result is not SkipReason.PARSE_SKIPPED:
            self._failures[language] += 1
        return result

    def _parse_alone(self, item: _Item) -> Any:
        """The facts of a file from a batch that failed, or why it is the one that made it fail."""
        from concurrent.futures.process import BrokenProcessPool

        from pebble import ProcessExpired

        if self._is_given_up(item.language):
            return SkipReason.PARSE_SKIPPED
        quarantine = self._pool.quarantine()
        future: Future[Any] = quarantine.schedule(os.getpid)
        before = peak = 0
        try:
            _settled({future: quarantine})
            worker = future.result()
            before = _address_space_bytes(worker)
            future = self._schedule(quarantine, [item])
            peak = _watch(future, worker, self._limits.wall_seconds)
            return self._counted(item.language, future.result()[0])
        except TimeoutError:
            return self._counted(item.language, SkipReason.PARSE_TIMEOUT)
        except ProcessExpired as error:
            return self._counted(item.language, _cause_of_death(error.exitcode, peak - before, self._limits))
        except BrokenProcessPool:
            return self._counted(item.language, SkipReason.PARSE_CRASHED)
        finally:
            future.cancel()


def _settled(
    pools: Mapping[Future[Any], ProcessPool], is_late: Callable[[Future[Any]], bool] = lambda _: False
) -> set[Future[Any]]:
    """Those of the futures that are done, or late and cancelled by that, at least one.

    What pebble is handed at the moment at which its last idle worker is killed, it never answers: that is broken too.
    """
    from concurrent.futures import FIRST_COMPLETED, InvalidStateError, wait
    from concurrent.futures.process import BrokenProcessPool

    while True:
        lost = [future for future, pool in pools.items() if not pool.active]
        for _ in range(10):
            done, others = wait(pools, _SECONDS_BETWEEN_LOOKS, FIRST_COMPLETED)
            if done := done | {future for future in others if is_late(future) and future.cancel()}:
                return done
        for future in lost:
            with contextlib.suppress(InvalidStateError):
                future.set_exception(BrokenProcessPool("The worker was killed."))


def _watch(future: Future[Any], worker: int, seconds: float) -> int:
    """The most address space that a worker had, seen every few milliseconds until its work ends.

    Raises TimeoutError when that takes longer.
    """
    from concurrent.futures import wait

    deadline, peak = time.monotonic() + seconds, 0
    while not wait([future], timeout=0.01).done:
        peak = max(peak, _address_space_bytes(worker))
        if time.monotonic() > deadline:
            raise TimeoutError
    return peak


def _address_space_bytes(process: int) -> int:
    try:
        return int(Path(f"/proc/{process}/statm").read_bytes().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0  # it ended, or this system has no /proc


def _resident_bytes() -> int:
    """Runs in a worker: what it has in memory."""
    return int(Path("/proc/self/statm").read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _cause_of_death(exit_code: int, taken_bytes: int, limits: ParseLimits) -> SkipReason:
    """Why a worker died. A grammar that gets no memory dies of SIGSEGV too, having had a third of the limit or more."""
    import signal

    if exit_code == -signal.SIGXCPU:
        return SkipReason.PARSE_TIMEOUT
    if exit_code == -signal.SIGKILL or taken_bytes > limits.memory_bytes // 3:
        return SkipReason.PARSE_MEMORY
    return SkipReason.PARSE_CRASHED


def _limit_worker(memory_bytes: int) -> None:
    """Runs first in each worker: what it may take, and that it is the first to go when memory runs out."""
    import gc
    import resource
    import signal

    gc.disable()  # facts have no cycles; looking for some costs a tenth, and a worker is replaced before long
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then ends the workers
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    limit = _address_space_bytes(os.getpid()) + memory_bytes
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    try:
        Path("/proc/self/oom_score_adj").write_text("1000")
    except OSError:
        _log.debug("This system does not let a process offer itself to the out-of-memory killer.")


def _parse_batch(work: list[tuple[str, bytes]], then: _Then, skipped: frozenset[str], cpu_seconds: int) -> list[Any]:
    """Runs in a worker."""
    _limit_cpu(cpu_seconds)
    return [
        SkipReason.PARSE_SKIPPED if name in skipped else _parse_or_reason(by_name()[name], text, then)
        for name, text in work
    ]


def _limit_cpu(seconds: int) -> None:
    """Let this process die when its task takes so much CPU: then it ends even if the parent is gone."""
    import resource

    usage = resource.getrusage(resource.RUSAGE_SELF)
    soft = math.ceil(usage.ru_utime + usage.ru_stime) + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def _parse_or_reason(language: Language, text: bytes, then: _Then) -> Any:
    try:
        facts = parse(language, text)
        return then(facts) if then else facts
    except MemoryError:
        return SkipReason.PARSE_MEMORY
    except Exception:  # a bug of ours must not cost the other files of the batch
        _log.exception("Parsing %d bytes of %s failed.", len(text), language.name)
        return SkipReason.PARSE_CRASHED
