"""Follow the links of a site, each page in a task, on two threads."""

import asyncio
import threading

from thrasks import ThreadedTaskGroup

LINKS = {
    "index": ["groups", "pools"],
    "groups": ["index", "cancellation"],
    "pools": ["groups", "modes"],
    "cancellation": ["index"],
    "modes": ["pools"],
}


class Crawl:
    def __init__(self) -> None:
        # Tasks on both threads use it: a lock of threads, never held over an await.
        self.lock = threading.Lock()
        self.seen: set[str] = set()

    async def follow(self, page: str, group: ThreadedTaskGroup) -> None:
        await asyncio.sleep(0.001)  # Fetch it.
        for link in LINKS[page]:
            if self.is_new(link):
                # On a worker's thread. The block waits for this task, too.
                group.create_task(self.follow(link, group), name=link)

    def is_new(self, page: str) -> bool:
        with self.lock:
            new = page not in self.seen
            self.seen.add(page)
            return new


async def main() -> None:
    async with ThreadedTaskGroup(2) as group:
        one = group.create_task(asyncio.sleep(0.01, "a result"))
        two = group.create_task(asyncio.sleep(0.01, "another"), name="two")
        print(one.done(), two.get_name())
    print(one.result(), "and", two.result())

    crawl = Crawl()
    async with ThreadedTaskGroup(2) as group:
        group.create_task(crawl.follow("index", group))
    print(sorted(crawl.seen))

    try:
        async with ThreadedTaskGroup(2) as group:
            group.create_task(crawl.follow("design", group), name="design")
            await asyncio.sleep(3600)  # Interrupted, and so would the other tasks be.
    except KeyError as error:
        # As it is. asyncio.TaskGroup would raise an ExceptionGroup of one.
        print("no such page:", error, "-", error.__notes__[0].partition(" on ")[0])


asyncio.run(main())
