"""Imports at the top of the host's modules wait until somebody uses what they bind."""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from digitalmodel_optimizer.host.lean_imports import defer_imports

Write = Callable[[str, str], None]
PACKAGES = ("lean_host", "lean_library")
LIBRARY = "lean_library"


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Writes a module by its dotted name, its packages included; `lean_host` is the lean one."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))

    def write_module(name: str, text: str) -> None:
        path = tmp_path.joinpath(*name.split("."))
        path.parent.mkdir(parents=True, exist_ok=True)
        for folder in path.relative_to(tmp_path).parents:
            if folder.name:
                (tmp_path / folder / "__init__.py").touch()
        path.with_suffix(".py").write_text(text)

    write_module(
        "lean_library.tools",
        "class Tool:\n    size = 3\ndef use(): return 'used'\n__version__ = '7'",
    )
    write_module("lean_library.inner.deep", "DEPTH = 2")
    defer_imports(["lean_host"], loud=["lean_host.loud"])
    yield write_module
    for name in [name for name in sys.modules if name.partition(".")[0] in PACKAGES]:
        del sys.modules[name]


def loaded(name: str) -> bool:
    return name in sys.modules


def import_host(name: str = "lean_host.a") -> ModuleType:
    return importlib.import_module(name)


@pytest.mark.parametrize(
    ("statement", "use"),
    [
        ("from lean_library.tools import use", "use()"),
        ("from lean_library.tools import use as other", "other()"),
        ("from lean_library import tools", "tools.use()"),
        ("import lean_library.tools", "lean_library.tools.use()"),
        ("import lean_library.tools as t", "t.use()"),
        ("import lean_library.inner.deep as d, lean_library.tools", "lean_library.tools.use()"),
        ("from lean_library.tools import (__version__ as v,\n  use)", "use() if v == '7' else v"),
    ],
)
@pytest.mark.parametrize(
    "code",
    [
        "def f(): return {use}",
        "f = lambda: {use}",
        "class C:\n    def f(self):\n        return [{use} for _ in 'x'][0]\nf = C().f",
        "def f():\n    class C:\n        value = {use}\n    return C.value",
        "def f(): return eval({use!r})",
    ],
)
def test_an_import_is_done_when_the_name_is_used(
    write: Write, statement: str, use: str, code: str
) -> None:
    write("lean_host.a", f"{statement}\n{code.format(use=use)}\n")
    module = import_host()
    assert not loaded("lean_library.tools")
    assert module.f() == "used"
    assert loaded("lean_library.tools")


@pytest.mark.parametrize(
    "code",
    [
        "class Mine(Tool): pass\nsize = Mine().size",
        "size = Tool.size",
        "def f(size=Tool.size): return size\nsize = f()",
        "class C:\n    size = Tool.size\nsize = C.size",
        "sizes: list = [Tool.size for _ in range(1)]\nsize = sizes[0]",
        "other = Tool\nsize = other.size",
        "table = {'tool': Tool}\nsize = table['tool'].size",
    ],
)
def test_what_the_top_level_uses_is_imported_there(write: Write, code: str) -> None:
    write("lean_host.a", f"from lean_library.tools import Tool\n{code}\n")
    assert import_host().size == 3


def test_an_attribute_of_the_module_is_the_object_itself(write: Write) -> None:
    write("lean_host.a", "from lean_library.tools import Tool\nimport lean_library.inner.deep\n")
    write("lean_host.b", "from lean_host.a import Tool\ndef tool(): return Tool\n")
    module = import_host()
    assert not loaded("lean_library.tools")
    assert "Tool" in dir(module)
    assert not loaded("lean_library.tools")
    assert hasattr(module, "Tool")
    tools = importlib.import_module("lean_library.tools")
    assert module.Tool is tools.Tool
    assert import_host("lean_host.b").tool() is tools.Tool
    assert module.lean_library is sys.modules[LIBRARY]
    with pytest.raises(AttributeError, match=r"module 'lean_host\.a' has no attribute 'Tol'"):
        _ = module.Tol


def test_a_star_takes_every_name(write: Write) -> None:
    write(
        "lean_host.a",
        "from lean_library.tools import Tool\nfrom lean_library.inner.deep import *\n",
    )
    write("lean_host.b", "from lean_host.a import *\nboth = Tool.size, DEPTH\n")
    assert import_host("lean_host.b").both == (3, 2)


def test_a_name_that_is_bound_again_has_its_last_value(write: Write) -> None:
    write(
        "lean_host.a",
        "from lean_library.tools import use\nuse = use() + ' up'\n"
        "DEPTH = 9\nfrom lean_library.inner.deep import DEPTH\n"
        "from lean_library.tools import Tool\ndel Tool\n"
        "import lean_library.tools\nimport lean_library.inner.deep\n"
        "def depth(): return DEPTH, lean_library.inner.deep.DEPTH, lean_library.tools.use()\n"
        "def tool(): return Tool\n",
    )
    module = import_host()
    assert module.use == "used up"
    assert module.depth() == (2, 2, "used")
    with pytest.raises(NameError):
        module.tool()


def test_a_patched_name_is_the_patched_one(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write("lean_host.a", "from lean_library.tools import use\ndef f(): return use()\n")
    module = import_host()
    with monkeypatch.context() as patch:
        patch.setattr(module, "use", lambda: "patched")
        assert module.f() == "patched"
    assert module.f() == "used"


@pytest.mark.parametrize(
    "code",
    [
        "try:\n    import lean_library.gone as found\nexcept ImportError:\n    found = None",
        "if True:\n    try:\n        from lean_library.tools import gone as found\n"
        "    except ImportError:\n        found = None",
        "import contextlib\nfound = None\nwith contextlib.suppress(ImportError):\n"
        "    import lean_library.gone as found",
    ],
)
def test_an_error_that_may_be_caught_is_raised_there(write: Write, code: str) -> None:
    write("lean_host.a", f"{code}\ndef f(): return found\n")
    assert import_host().f() is None


def test_an_error_on_first_use_names_the_statement(write: Write) -> None:
    write("lean_host.a", "import sys\nfrom lean_library.tools import gone\ndef f(): return gone\n")
    module = import_host()
    with pytest.raises(ImportError, match="cannot import name 'gone'") as caught:
        module.f()
    assert "<deferred import, lean_host.a, line 2>" in [
        str(entry.path) for entry in caught.traceback
    ]
    with pytest.raises(ImportError):  # and again, as often as it is used
        module.f()


def test_a_loud_module_prints_where_it_always_did(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write("lean_host.loud", "import lean_library.tools\nprint('loud')\n")
    write("lean_host.a", "print('before')\nfrom lean_host import loud\nprint('after')\n")
    import_host()
    assert capsys.readouterr().out == "before\nloud\nafter\n"
    assert not loaded("lean_library.tools")


def test_a_package_has_the_modules_that_others_have_imported(write: Write) -> None:
    write("lean_host.a", "import lean_library\ndef f(): return lean_library.inner.deep.DEPTH\n")
    write("lean_host.b", "from lean_library.inner.deep import DEPTH\n")
    module = import_host()
    import_host("lean_host.b")
    assert not loaded("lean_library.inner.deep")
    assert module.f() == 2


def test_imports_may_be_relative_and_of_modules(write: Write) -> None:
    write("lean_host.inner.c", "VALUE = 5\n")
    write(
        "lean_host.inner.a",
        "from . import c\nfrom .c import VALUE\ndef f(): return c.VALUE + VALUE\n",
    )
    module = import_host("lean_host.inner.a")
    assert not loaded("lean_host.inner.c")
    assert module.f() == 10


def test_a_module_that_answers_for_its_names_is_imported_as_ever(write: Write) -> None:
    write(
        "lean_host.a",
        "from lean_library.tools import use\ndef __getattr__(name): return name.upper()\n",
    )
    module = import_host()
    assert module.use() == "used"
    assert module.other == "OTHER"


def test_builtins_and_what_is_added_to_them_later_are_found(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("lean_host.a", "def f(): return len('abc') + added_later\n")
    module = import_host()
    monkeypatch.setattr("builtins.added_later", 4, raising=False)
    assert module.f() == 7


def test_a_module_can_be_loaded_again(write: Write) -> None:
    write("lean_host.a", "from lean_library.tools import use\ndef f(): return use()\n")
    module = import_host()
    assert module.f() == "used"
    assert importlib.reload(module).f() == "used"


def test_threads_that_use_a_name_at_once_all_have_it(write: Write) -> None:
    write(
        "lean_library.slow", "import threading\nGATE = threading.Event()\nGATE.wait(0.05)\nX = 1\n"
    )
    write("lean_host.a", "from lean_library.slow import X\ndef f(): return X\n")
    module = import_host()
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(module.f())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [1] * 8
