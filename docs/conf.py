"""How Sphinx makes the site: `cargo xtask docs`.

Why Sphinx with furo, and not MkDocs with Material: MkDocs had its last release in 2024, and
Material for MkDocs is only repaired; both Sphinx and furo are developed. The docstrings are in
Sphinx's markup already, which `help()` shows well, too. `nitpicky` makes every name that leads
nowhere a warning, and warnings are errors. autodoc imports the package, the native module included,
so that the reference is of what users have. The site needs no other host: fonts are the system's,
and search is a script and an index in it.
"""

from __future__ import annotations

import ast
import inspect
from importlib.metadata import version as version_of
from pathlib import Path
from types import MethodDescriptorType
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.pycode import ModuleAnalyzer
from sphinx.util import logging

import thrasks

if TYPE_CHECKING:
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

LOGGER = logging.getLogger(__name__)

project = "thrasks"
version = release = version_of("thrasks")
project_copyright = "the thrasks authors"

extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["programs"]
nitpicky = True
# In a docstring a name in backticks is one of ours, of asyncio's, or a parameter.
default_role = "py:obj"
rst_prolog = ".. currentmodule:: thrasks"
highlight_language = "python"
add_module_names = False
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80
toc_object_entries_show_parents = "hide"

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
# How to make one is in `__init__`'s docstring.
autoclass_content = "both"
napoleon_numpy_docstring = False

html_theme = "furo"
pygments_dark_style = "github-dark"
html_title = "thrasks"
html_static_path = ["static"]
html_favicon = "static/icon.svg"
html_css_files = ["thrasks.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False

# Where Python's documentation has what the docstrings and signatures name. Sphinx could fetch a
# list of all names there; then the build would need the network, and change with what is there.
PYTHON = {
    "library/asyncio-eventloop": [
        "asyncio.AbstractEventLoop",
    ],
    "library/asyncio-exceptions": ["asyncio.CancelledError"],
    "library/asyncio-future": ["asyncio.Future"],
    "library/asyncio-graph": ["asyncio.print_call_graph"],
    "library/asyncio-queue": ["asyncio.Queue"],
    "library/asyncio-runner": ["asyncio.Runner", "asyncio.run"],
    "library/asyncio-sync": ["asyncio.Event", "asyncio.Lock", "asyncio.Semaphore"],
    "library/asyncio-task": [
        "asyncio.Task",
        "asyncio.Task.cancel",
        "asyncio.Task.cancelling",
        "asyncio.Task.get_stack",
        "asyncio.Task.print_stack",
        "asyncio.TaskGroup",
        "asyncio.TaskGroup.create_task",
        "asyncio.as_completed",
        "asyncio.create_task",
        "asyncio.gather",
        "asyncio.run_coroutine_threadsafe",
        "asyncio.shield",
        "asyncio.timeout",
        "asyncio.to_thread",
        "asyncio.wait",
        "asyncio.wait_for",
    ],
    "library/collections.abc": [
        "collections.abc.AsyncGenerator",
        "collections.abc.AsyncIterable",
        "collections.abc.AsyncIterator",
        "collections.abc.Awaitable",
        "collections.abc.Callable",
        "collections.abc.Coroutine",
        "collections.abc.Generator",
        "collections.abc.Iterable",
        "collections.abc.Iterator",
        "collections.abc.Sequence",
    ],
    "library/concurrent.futures": [
        "concurrent.futures.Executor",
        "concurrent.futures.ThreadPoolExecutor",
    ],
    "library/constants": ["None"],
    "library/contextvars": ["contextvars.Context"],
    "library/exceptions": [
        "BaseException",
        "Exception",
        "ExceptionGroup",
        "ImportError",
        "KeyboardInterrupt",
        "OSError",
        "ResourceWarning",
        "RuntimeError",
        "RuntimeWarning",
        "StopAsyncIteration",
        "SystemExit",
        "TimeoutError",
        "TypeError",
        "ValueError",
    ],
    "library/functions": ["bool", "float", "int", "object"],
    "library/os": ["os.PathLike"],
    "library/queue": ["queue.SimpleQueue"],
    "library/stdtypes": ["list", "str", "tuple"],
    "library/threading": ["threading.Lock"],
    "library/types": ["types.FrameType", "types.TracebackType"],
    "library/typing": ["typing.Any"],
}
PAGE_OF = {name: page for page, names in PYTHON.items() for name in names}
MODULES = {"concurrent.futures", "threading"}

# Code and signatures have classes without their modules.
ELSEWHERE = {
    last: name for name in PAGE_OF if (last := name.rpartition(".")[2]) and last[0].isupper()
}

# As docstrings call our own.
OURS = {
    "QUEUE": "thrasks.SchedulingMode.QUEUE",
    "ROUND_ROBIN": "thrasks.SchedulingMode.ROUND_ROBIN",
}

# What leads nowhere, and need not: type variables, and what a docstring names of another's.
PLAIN = {"A", "B", "C", "P", "P.args", "P.kwargs", "Q", "S", "SendT", "T", "YieldT"}
PLAIN |= {"__anext__", "eager_start"}


def parameters() -> set[str]:
    """Return the names of all parameters of everything public: docstrings name them, too."""
    names: set[str] = set()
    for name in thrasks.__all__:
        one = getattr(thrasks, name)
        for function in [one, *vars(one).values()] if inspect.isclass(one) else [one]:
            try:
                names.update(inspect.signature(function).parameters)
            except (TypeError, ValueError):
                continue  # It cannot be called, or has none.
    return names


PARAMETERS = parameters()


def resolve(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.Element | None:
    """Say what a name is that is none of the package's."""
    target = node["reftarget"]
    if ours := OURS.get(target):
        python = env.domains.python_domain
        return python.resolve_xref(env, node["refdoc"], app.builder, "obj", ours, node, content)
    name = target if target in PAGE_OF else ELSEWHERE.get(target.rpartition(".")[2], target)
    page = f"library/{name}" if name in MODULES else PAGE_OF.get(name)
    if page:
        anchor = f"module-{name}" if name in MODULES else name
        uri = f"https://docs.python.org/3/{page}.html#{anchor}"
        return nodes.reference("", "", content, refuri=uri)
    if target in PARAMETERS or not PLAIN.isdisjoint({target, target.rpartition(".")[2]}):
        return content
    return None


def signature_of(
    app: Sphinx,
    what: str,
    name: str,
    obj: Any,
    options: Any,
    signature: str | None,
    returns: str | None,
) -> tuple[str, str] | None:
    """Have one signature for everything, and types in all of them."""
    if isinstance(obj, MethodDescriptorType):
        return STUB.get(obj.__qualname__)
    # Overloads are for type checkers. People read one line, which is in `api.rst` where the code
    # has `Any` in it.
    if module := getattr(obj, "__module__", None):
        analyzer = ModuleAnalyzer.for_module(module)
        analyzer.analyze()
        analyzer.overloads.pop(getattr(obj, "__qualname__", ""), None)
    if signature is None:
        return None
    # autodoc does not know how such parameters are written.
    signature = signature.replace(
        "*args: ~typing.~P, **kwargs: ~typing.~P", "*args: P.args, **kwargs: P.kwargs"
    ).replace("[[~P]", "[P")
    if what == "function":
        written = names_in(signature)
        if written != (actual := list(inspect.signature(obj).parameters)):
            LOGGER.warning("%s: its parameters are %s, not %s", name, actual, written)
    return signature, returns or ""


def names_in(signature: str) -> list[str]:
    """Return the names of the parameters of a signature that is written out."""
    (function,) = ast.parse(f"def _{signature.replace('~', '')}: ...").body
    return [node.arg for node in ast.walk(function) if isinstance(node, ast.arg)]


def stub_signatures() -> dict[str, tuple[str, str]]:
    """Return what the native module's stub says of its methods: their parameters and result."""
    stub = Path(thrasks.__file__).with_name("_thrasks.pyi")
    found = {}
    for one in ast.parse(stub.read_text("utf-8")).body:
        for method in one.body if isinstance(one, ast.ClassDef) else ():
            if isinstance(method, ast.FunctionDef):
                del method.args.args[:1]
                returns = ast.unparse(method.returns) if method.returns else ""
                # `_T` is private to the stub.
                found[f"{one.name}.{method.name}"] = (
                    f"({ast.unparse(method.args)})".replace("_T", "T"),
                    returns.replace("_T", "T"),
                )
    return found


STUB = stub_signatures()


def setup(app: Sphinx) -> None:
    """Connect the above."""
    app.connect("missing-reference", resolve)
    app.connect("autodoc-process-signature", signature_of)
