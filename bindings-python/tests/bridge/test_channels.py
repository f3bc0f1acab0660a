"""The channel from threads into async code."""

from __future__ import annotations

import asyncio
import gc
import itertools
import threading
import weakref
from typing import Any

import pytest
from support import PATIENCE, Blocking, Signal, eventually, eventually_async

from thrasks import ChannelClosed, ChannelTimeout, FromThreadChannel, threaded, threaded_separate

from .support import Thing, new_loop, run


async def drain(channel: FromThreadChannel[Any]) -> list[Any]:
    items: list[Any] = []
    try:
        while True:
            items.append(await channel.get())
    except ChannelClosed:
        return items


class TestPutAndGet:
    async def test_items_come_out_in_the_order_they_went_in(self) -> None:
        channel = FromThreadChannel[int]()

        @threaded
        def fill() -> None:
            with channel:
                for i in range(1000):
                    channel.put(i)

        filling = fill()
        assert await drain(channel) == [*range(1000)]
        await filling

    async def test_await_is_get(self) -> None:
        channel = FromThreadChannel[int]()
        channel.put(1)
        channel.put(2)
        assert await channel == 1
        assert await channel.get() == 2

    async def test_none_is_an_item(self) -> None:
        channel = FromThreadChannel[Any]()
        channel.put(None)
        assert [await channel.get()] == [None]

    async def test_get_waits_for_a_put(self) -> None:
        channel = FromThreadChannel[str]()
        getting = asyncio.create_task(channel.get())
        await asyncio.sleep(0)
        assert not getting.done()
        await threaded(channel.put)("late")
        assert await getting == "late"

    async def test_many_threads_and_many_tasks(self) -> None:
        channel = FromThreadChannel[int](maxsize=5)

        @threaded_separate
        def fill(start: int) -> None:
            for i in range(start, start + 200):
                channel.put(i)

        async def take() -> list[int]:
            return await drain(channel)

        takers = [asyncio.create_task(take()) for _ in range(4)]
        await asyncio.gather(*(fill(start) for start in range(0, 2000, 200)))
        channel.close()
        taken = await asyncio.gather(*takers)
        assert sorted(itertools.chain(*taken)) == [*range(2000)]

    async def test_who_waits_first_gets_first(self) -> None:
        channel = FromThreadChannel[int]()
        got: list[tuple[int, int]] = []

        async def take(who: int) -> None:
            got.append((who, await channel.get()))

        tasks = [asyncio.create_task(take(who)) for who in range(5)]
        await asyncio.sleep(0)
        for i in range(5):
            channel.put(i)
        # One who comes later does not overtake them.
        late = asyncio.create_task(take(5))
        await asyncio.gather(*tasks)
        channel.put(5)
        await late
        assert got == [(i, i) for i in range(6)]

    async def test_qsize_tells_how_many_are_inside(self) -> None:
        channel = FromThreadChannel[int](maxsize=3)
        assert channel.qsize() == 0
        channel.put(1)
        channel.put(2)
        assert channel.qsize() == 2
        await channel.get()
        assert channel.qsize() == 1

    async def test_a_cancelled_get_has_taken_nothing(self) -> None:
        channel = FromThreadChannel[int]()
        taken: list[int] = []
        for i in range(200):
            getting = asyncio.create_task(channel.get())
            await asyncio.sleep(0)
            channel.put(i)
            if i % 3:
                # The news of the item is on its way.
                await asyncio.sleep(0)
            getting.cancel()
            try:
                taken.append(await getting)
            except asyncio.CancelledError:
                taken.append(await channel.get())
        assert taken == [*range(200)]
        assert channel.qsize() == 0


class TestTheBound:
    async def test_put_waits_while_it_is_full(self) -> None:
        channel = FromThreadChannel[int](maxsize=3)
        put: list[int] = []

        @threaded
        def fill() -> None:
            for i in range(10):
                channel.put(i)
                put.append(i)

        filling = fill()
        assert await eventually_async(lambda: len(put) == 3)
        for _ in range(20):
            await threaded(int)()
        assert put == [0, 1, 2]
        assert [await channel.get() for _ in range(10)] == [*range(10)]
        await filling

    async def test_zero_is_no_bound(self) -> None:
        channel = FromThreadChannel[int]()

        @threaded
        def fill() -> None:
            for i in range(50_000):
                channel.put(i)

        await fill()
        assert channel.qsize() == 50_000
        channel.close()
        assert len(await drain(channel)) == 50_000

    async def test_a_put_that_waits_on_the_loops_own_thread_is_refused(self) -> None:
        channel = FromThreadChannel[int](maxsize=1)
        channel.put(1)
        assert await channel.get() == 1
        channel.put(2)
        with pytest.raises(RuntimeError, match="would wait for itself: call this on another"):
            channel.put(3)
        assert await channel.get() == 2

    async def test_puts_that_wait_leave_their_places_to_others(self) -> None:
        channel = FromThreadChannel[int](maxsize=1)
        puts = [threaded(channel.put)(i) for i in range(40)]
        assert await threaded(int)() == 0
        channel_items = sorted([await channel.get() for _ in range(40)])
        assert channel_items == [*range(40)]
        await asyncio.gather(*puts)


class TestClosing:
    async def test_what_is_inside_can_still_be_taken(self) -> None:
        channel = FromThreadChannel[int]()
        channel.put(1)
        channel.put(2)
        closed = channel.is_closed
        assert not closed
        channel.close()
        channel.close()
        assert channel.is_closed
        assert await drain(channel) == [1, 2]
        with pytest.raises(ChannelClosed, match="the channel is closed"):
            await channel.get()
        with pytest.raises(ChannelClosed):
            channel.put(3)

    async def test_who_waits_for_an_item_is_told(self) -> None:
        channel = FromThreadChannel[int]()
        getting = [asyncio.create_task(channel.get()) for _ in range(3)]
        await asyncio.sleep(0)
        await threaded(channel.close)()
        for task in getting:
            with pytest.raises(ChannelClosed):
                await asyncio.wait_for(task, PATIENCE)

    async def test_who_waits_for_room_is_told(self) -> None:
        channel = FromThreadChannel[int](maxsize=1)
        channel.put(0)
        puts = [threaded(channel.put)(i) for i in range(3)]
        assert await eventually_async(lambda: Blocking.now().at_work == 3)
        channel.close()
        for each in puts:
            with pytest.raises(ChannelClosed):
                await each
        assert await drain(channel) == [0]

    async def test_with_closes(self) -> None:
        with FromThreadChannel[int]() as channel:
            channel.put(1)
        assert channel.is_closed
        with pytest.raises(KeyError), channel:
            raise KeyError

    async def test_a_put_whose_loop_is_closed_does_not_wait(self) -> None:
        channel = FromThreadChannel[int](maxsize=1)

        def use() -> None:
            async def main() -> None:
                channel.put(1)
                await channel.get()

            run(main())

        await threaded(use)()
        channel.put(2)
        with pytest.raises(ChannelClosed):
            await asyncio.wait_for(threaded(channel.put)(3), PATIENCE)

    def test_errors_are_what_people_catch(self) -> None:
        assert issubclass(ChannelTimeout, TimeoutError)
        assert issubclass(ChannelClosed, Exception)


class TestTimeouts:
    async def test_nothing_in_time(self) -> None:
        channel = FromThreadChannel[int]()
        with pytest.raises(ChannelTimeout, match=r"nothing came through the channel in 0\.01 s"):
            await channel.get(timeout=0.01)
        channel.put(1)
        assert await channel.get(timeout=0.01) == 1

    async def test_the_channels_own(self) -> None:
        channel = FromThreadChannel[int](timeout=0.01)
        with pytest.raises(TimeoutError):
            await channel
        with pytest.raises(ChannelTimeout):
            await channel.get()
        # Zero is none.
        getting = asyncio.create_task(channel.get(0))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(getting), 0.05)
        channel.put(1)
        assert await getting == 1

    async def test_a_closed_one_is_not_late(self) -> None:
        channel = FromThreadChannel[int]()
        channel.close()
        with pytest.raises(ChannelClosed):
            await channel.get(timeout=0.01)

    async def test_no_item_is_lost_by_one(self) -> None:
        channel = FromThreadChannel[int](maxsize=1)
        count = 200

        @threaded_separate
        def fill() -> None:
            with channel:
                for i in range(count):
                    channel.put(i)

        filling = fill()
        taken: list[int] = []
        while len(taken) < count:
            try:
                taken.append(await channel.get(timeout=0.0001))
            except ChannelTimeout:
                continue
        assert taken == [*range(count)]
        await filling

    async def test_one_who_was_late_holds_up_nobody(self) -> None:
        channel = FromThreadChannel[int]()
        late = asyncio.create_task(channel.get(timeout=0.01))
        waiting = asyncio.create_task(channel.get())
        with pytest.raises(ChannelTimeout):
            await late
        channel.put(1)
        assert await asyncio.wait_for(waiting, PATIENCE) == 1

    async def test_a_timeout_around_it_is_the_users(self) -> None:
        channel = FromThreadChannel[int]()
        with pytest.raises(TimeoutError) as caught:
            async with asyncio.timeout(0.01):
                await channel.get(timeout=60)
        assert not isinstance(caught.value, ChannelTimeout)


class TestLoops:
    async def test_a_second_loop_is_refused(self) -> None:
        channel = FromThreadChannel[int]()
        channel.put(1)
        assert await channel.get() == 1

        async def take() -> int:
            return await channel.get()

        with pytest.raises(RuntimeError, match="the channel is used by another event loop"):
            await threaded(run)(take())

    def test_get_outside_of_a_loop_is_refused(self) -> None:
        channel = FromThreadChannel[int]()
        getting = channel.get()
        with pytest.raises(RuntimeError, match=r"no running event loop.*asyncio\.run"):
            getting.send(None)

    def test_it_is_made_anywhere(self) -> None:
        channel = FromThreadChannel[int]()
        thread = threading.Thread(target=channel.put, args=(1,))
        thread.start()
        thread.join()

        async def take() -> int:
            return await channel.get()

        assert run(take()) == 1


class TestMemory:
    async def test_an_item_dies_when_it_was_taken(self) -> None:
        channel = FromThreadChannel[Thing]()
        thing = Thing()
        dead = weakref.ref(thing)
        channel.put(thing)
        del thing
        assert await channel.get() is dead()
        assert await eventually_async(lambda: dead() is None)

    async def test_items_die_with_the_channel(self) -> None:
        channel = FromThreadChannel[Thing]()
        thing = Thing()
        dead = weakref.ref(thing)
        channel.put(thing)
        del thing, channel
        assert dead() is None

    def test_one_for_which_tasks_wait_in_vain_is_collected(self) -> None:
        loop = new_loop()
        channel = FromThreadChannel[Thing]()
        dead = weakref.ref(channel)
        task = loop.create_task(channel.get())
        loop.run_until_complete(asyncio.sleep(0))
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        del task, channel, loop
        assert eventually(lambda: gc.collect() >= 0 and dead() is None)

    async def test_a_waiting_put_ends_before_the_interpreter_does(self) -> None:
        # The check of every test sees that nobody is left inside.
        channel = FromThreadChannel[int](maxsize=1)
        channel.put(1)
        inside = Signal()

        @threaded
        def fill() -> None:
            inside.set()
            with pytest.raises(ChannelClosed):
                channel.put(2)

        filling = fill()
        await asyncio.wait_for(inside.wait(), PATIENCE)
        channel.close()
        await filling
