"""What is registered with a loop: descriptors, servers, connections and subprocesses."""

from __future__ import annotations

__all__: list[str] = []

import asyncio
import weakref
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from typing import Any


def registered_with(loop: asyncio.AbstractEventLoop) -> Selected | Recorded:
    """Begin to take note of what is registered with a loop, which was just made."""
    selector = getattr(loop, "_selector", None)
    return Selected(loop, selector) if hasattr(selector, "get_map") else Recorded(loop)


class Selected:
    """What is registered with a loop that has a selector: that knows all of it."""

    def __init__(self, loop: Any, selector: Any) -> None:
        self._loop = loop
        self._map = selector.get_map()
        #: The same as a dictionary, where it is one.
        self.descriptors: dict[int, Any] | None = getattr(selector, "_fd_to_key", None)
        #: The loop's own: the end of the pipe by which it is woken.
        self._own = frozenset(self._map)

    def count(self) -> int:
        return len(self._map) - len(self._own)

    def _owners(self) -> Iterator[tuple[int, str, Any]]:
        """Yield descriptor, kind and owner of everything but the loop's own."""
        for key in list(self._map.values()):
            if key.fd in self._own:
                continue
            for kind, handle in zip(("reader", "writer"), key.data, strict=True):
                if handle is not None:
                    yield key.fd, kind, _owner(handle)

    def close(self) -> Counter[str]:
        """Begin to close it, and return what there was of each kind."""
        found: Counter[str] = Counter()
        seen: set[int] = set()
        for fd, kind, owner in list(self._owners()):
            if owner is None:
                found[kind] += 1
                self._remove(fd, kind)
            elif id(owner) not in seen:
                seen.add(id(owner))
                found += _close(owner)
        return found

    def drop(self) -> None:
        """Have done with what takes too long to close."""
        for fd, kind, owner in list(self._owners()):
            if isinstance(owner, asyncio.BaseTransport):
                _abort(owner)
            self._remove(fd, kind)

    def _remove(self, fd: int, kind: str) -> None:
        # Not the public method, which refuses what belongs to a transport.
        (self._loop._remove_reader if kind == "reader" else self._loop._remove_writer)(fd)


class Recorded:
    """What is registered with a loop of another make, as far as its methods were called for it."""

    def __init__(self, loop: Any) -> None:
        self._loop = loop
        self._files: dict[str, set[Any]] = {"reader": set(), "writer": set()}
        self._servers: weakref.WeakSet[Any] = weakref.WeakSet()
        self._transports: weakref.WeakSet[Any] = weakref.WeakSet()
        #: Those that run: these transports cannot be referred to weakly.
        self._processes: list[Any] = []
        #: Those of them that were told to end: they say that they are closing only when they have.
        self._closing: list[Any] = []
        for kind in self._files:
            self._record_files(kind)
        for name in ("create_server", "create_unix_server"):
            self._record_results(name, self._servers.add)
        for name in ("create_connection", "create_unix_connection", "create_datagram_endpoint"):
            self._record_results(name, lambda pair: self._transports.add(pair[0]))
        for name in ("subprocess_exec", "subprocess_shell"):
            self._record_results(name, lambda pair: self._add_process(pair[0]))

    def _record_files(self, kind: str) -> None:
        add, remove = f"add_{kind}", f"remove_{kind}"
        really_add, really_remove = getattr(self._loop, add), getattr(self._loop, remove)
        files = self._files[kind]

        def record(fd: Any, callback: Callable[..., object], *args: Any) -> Any:
            result = really_add(fd, callback, *args)
            files.add(fd)
            return result

        def forget(fd: Any) -> Any:
            files.discard(fd)
            return really_remove(fd)

        setattr(self._loop, add, record)
        setattr(self._loop, remove, forget)

    def _record_results(self, name: str, record: Callable[[Any], object]) -> None:
        really_create: Callable[..., Awaitable[Any]] = getattr(self._loop, name)

        async def create(*args: Any, **kwargs: Any) -> Any:
            result = await really_create(*args, **kwargs)
            record(result)
            return result

        setattr(self._loop, name, create)

    def _add_process(self, process: Any) -> None:
        self._forget_ended()
        self._processes.append(process)

    def _forget_ended(self) -> None:
        self._processes = [each for each in self._processes if each.get_returncode() is None]
        self._closing = [each for each in self._closing if each in self._processes]

    def count(self) -> int:
        self._forget_ended()
        files = sum(len(files) for files in self._files.values())
        serving = sum(1 for server in self._servers if server.is_serving())
        return files + serving + len(self._processes) + len(self._transports)

    def close(self) -> Counter[str]:
        """Begin to close it, and return what there was of each kind."""
        found: Counter[str] = Counter()
        for kind, files in self._files.items():
            for fd in list(files):
                found[kind] += 1
                getattr(self._loop, f"remove_{kind}")(fd)
        for server in list(self._servers):
            if server.is_serving():
                found["server"] += 1
                server.close()
        for transport in list(self._transports):
            found += _close(transport)
            self._transports.discard(transport)
        for process in self._processes:
            if process not in self._closing:
                self._closing.append(process)
                found["subprocess"] += 1
                process.close()
        return found

    def drop(self) -> None:
        """Have done with what takes too long to close."""
        self.close()


def _owner(handle: Any) -> Any:
    """Return the transport or server that a handle of asyncio's serves, if it is one's."""
    candidates = [getattr(handle._callback, "__self__", None), *(handle._args or ())]
    for candidate in candidates:
        if isinstance(candidate, (asyncio.BaseTransport, asyncio.AbstractServer)):
            return candidate
        # The exit of a subprocess: the arguments of its callback.
        if isinstance(candidate, tuple):
            for inner in candidate:
                if isinstance(inner, asyncio.BaseTransport):
                    return inner
    return None


def _close(owner: Any) -> Counter[str]:
    if isinstance(owner, asyncio.AbstractServer):
        owner.close()
        return Counter(server=1)
    # One that is closing already may have data to send, and time for that.
    if owner.is_closing():
        return Counter()
    if isinstance(owner, asyncio.SubprocessTransport):
        owner.close()
        return Counter(subprocess=1)
    _abort(owner)
    return Counter(connection=1)


def _abort(transport: Any) -> None:
    getattr(transport, "abort", transport.close)()
