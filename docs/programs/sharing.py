"""What tasks on several loops share, and what each loop needs for itself."""

import asyncio
import queue
import textwrap
import threading

from thrasks import FromThreadChannel, ThreadedTaskGroup


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve one connection: a word for a word, in capitals."""
    while line := await reader.readline():
        writer.write(line.upper())
        await writer.drain()
    writer.close()
    await writer.wait_closed()


class Answers:
    """Shared by all: guarded by a lock of threads."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.words: list[str] = []

    def add(self, word: str) -> None:
        with self.lock:  # For a moment, and never over an await.
            self.words.append(word)


async def ask(port: int, questions: queue.SimpleQueue[str], answers: Answers) -> None:
    """Ask with a connection of this loop's own, as long as there are questions."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while True:
            try:
                word = questions.get_nowait()  # It never blocks the loop.
            except queue.Empty:
                return
            writer.write(f"{word}\n".encode())
            answers.add((await reader.readline()).decode().strip())
    finally:
        writer.close()
        await writer.wait_closed()


async def main() -> None:
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        questions: queue.SimpleQueue[str] = queue.SimpleQueue()
        for word in ("futures", "locks", "sessions", "connections"):
            questions.put(word)
        answers = Answers()
        # One task for each worker, each with a connection of its own.
        async with ThreadedTaskGroup(2) as group:
            for _ in range(2):
                group.create_task(ask(port, questions, answers))
    print(sorted(answers.words))


async def wait(event: asyncio.Event, ready: FromThreadChannel[str]) -> None:
    # In the loop's next turn: by then this task waits.
    asyncio.get_running_loop().call_soon(ready.put, "it waits")
    await event.wait()


async def set_from_elsewhere(event: asyncio.Event) -> None:
    event.set()


async def misuse() -> None:
    event = asyncio.Event()  # For the tasks of one loop. Here two of them have it.
    ready = FromThreadChannel[str]()
    try:
        async with ThreadedTaskGroup(2) as group:
            group.create_task(wait(event, ready))
            await ready
            group.create_task(set_from_elsewhere(event))
    except RuntimeError as error:
        print(error)
        print(textwrap.fill(error.__notes__[1], 80))


asyncio.run(main())
asyncio.run(misuse(), debug=True)  # Debug mode finds such mistakes.
