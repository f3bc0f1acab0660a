"""How do I use a blocking API that calls back in async code? Iterate over its callbacks.

`xml.parsers.expat` reads a file and calls a function for each element that it finds, until the
file ends. With `iterate_callback` this becomes an asynchronous iterator: the parser runs on a
thread, and waits when its consumer is too slow. Leaving the block ends it in its next callback.

    python callback_elements.py [--books N]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from xml.parsers import expat

from command_line import at_least_one, run

from thrasks import iterate_callback, single_callback


@dataclass(frozen=True)
class Element:
    """An element of a document."""

    name: str
    attributes: dict[str, str]


@iterate_callback
def elements(callback: Callable[[Element], None], path: Path) -> None:
    """Parse a file, and call back for each element that begins in it."""
    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda name, attributes: callback(Element(name, attributes))
    with path.open("rb") as file:
        parser.ParseFile(file)


@single_callback
def root(callback: Callable[[str], None], path: Path) -> None:
    """Parse a file, and call back for its outermost element: only the first call counts."""
    parser = expat.ParserCreate()

    def first(name: str, _: dict[str, str]) -> None:
        # Nobody stops the parser once it has called back.
        parser.StartElementHandler = None
        callback(name)

    parser.StartElementHandler = first
    with path.open("rb") as file:
        parser.ParseFile(file)


async def main(books: int) -> None:
    """Parse a whole file, a part of one, and a broken one."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "books.xml"
        titles = "".join(f'<book title="volume {i}"/>' for i in range(books))
        path.write_text(f"<library>{titles}</library>")
        broken = Path(folder) / "broken.xml"
        broken.write_text("<library><book title='one'/><book")

        print("the root is a", await root(path))

        # However the block is left (also by Ctrl-C), the parser has ended by then.
        count = 0
        async with elements(path) as found:
            async for element in found:
                count += element.name == "book"
        print("books:", count)

        async with elements(path) as found:
            async for element in found:
                if element.attributes.get("title") == "volume 10":
                    break
        print("found volume 10, and the parser has ended")

        # What goes wrong on the thread is raised here, after the elements before it.
        try:
            async with elements(broken) as found:
                async for element in found:
                    print("in the broken file:", element)
        except expat.ExpatError as error:
            print("and then:", error)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--books", type=at_least_one, default=20_000, help="%(default)s by default")
    sys.exit(run(main(parser.parse_args().books)))
