"""Write the reference pages on settings, hooks and migration rules from what they describe.

``python docs/generate_reference.py`` writes them, with ``--check`` it only says whether they are up
to date. The built-in plugins are asked as any plugin is, by their entry points.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from digitalmodel_optimizer.config.enabling import BLOCK
from digitalmodel_optimizer.config.misplaced import LEVELS, SYNONYMS, WITHOUT_EFFECT
from digitalmodel_optimizer.config.settings import BLOCK_OPTIONS, CEILING_KEYS, ENABLED
from digitalmodel_optimizer.plugin import Option, PluginOptions, hookspecs
from digitalmodel_optimizer.plugin.manager import (
    BUILT_IN,
    Manager,
    build_manager,
    installed_plugins,
)
from digitalmodel_optimizer_migration import RULES

FOLDER = Path(__file__).parent / "reference"
NOTE = "<!-- Written by docs/generate_reference.py; change the code that it describes instead. -->"
KINDS = {
    bool: "`True` or `False`",
    int: "whole number",
    float: "number",
    str: "string",
    dict: "mapping",
}

SETTINGS = """\
# Settings

{note}

All settings stand in the batch's own YAML file, or in the arguments behind it on the command line.
Only `orcaflex.parallel.enabled` switches anything on. A whole number of workers is a limit, not a
target. A setting that cannot be used ends the run before any file is opened, with a list of all
faults, each with its key and line. 1 MB is 1,000,000 bytes, 1 kB is 1,000 bytes.

## The block `orcaflex.parallel`

{block}

Keys of this block that are somebody else's are left alone; one that looks like a typo (`thread`)
ends the run like any other fault. A text that says `yes`, `on` or `true` enables as `True` does.

## Mistakes that end a run

What would change what runs ends the run with status 2 before any file is opened: one line says
the key, its line and what to write. What changes nothing is a warning.

- A block that was meant to enable the plugins and does not: `parallel: True`, `enabled` indented
  too far or not far enough, a typo in `enabled` or `parallel`, a value that is neither `True` nor
  `False`. Only files that ask for post-processing are looked at. `enabled: False`, or no block,
  is off: nothing is looked at, and nothing is said. A block `parallel` at the top of the file that
  holds nothing but keys of the host's may be the host's: the batch runs without plugins, and one
  line says so. So it does where `enabled` has no value.
- A key on the way to the block, or in it, that stands twice with two values: YAML takes the last,
  and the first is lost. Any other repeated key is a warning, and so is one that stands in your
  file and in the one that it names as `default_yaml`: the host reads that text as if it stood
  below yours.
- A key of this project where nobody reads it:

{misplaced}

A key that is set in its right place as well is a warning: that one counts. Of the top-level block
`parallel` {others} are warnings, since another reader of the host takes them, and `chunk_size` is
one everywhere: {without_effect}.

## Keys that are read as well

The limit of workers is the first of these that is there: {ceilings}. The top-level `workers` is
what `--workers 15` leaves on the host's command line.

Numbers of workers in `parallel_processing` are taken as the host takes them, with a warning where
that is not what they say: 0 and less is 1 worker, and any text but `auto` is no limit. Only a
number in quotes is taken for the number: the host would use all cores for `"30"`.

`parallel_processing.save_error_reports: False` means that no `<stem>_error.log` is written.
`parallel_processing.timeout_per_file`, which stands in many base configurations and which no
version of the host reads, is not read here either: it would end files that nobody ever meant to
limit. Set it in the block.

## The block `orcaflex.parallel.plugins`

One block per plugin, by the plugin's name. `gc: False` is short for `gc: {{enabled: False}}`.
Unknown plugins and unknown options are errors. A file can switch plugins on and off and set their
options; it can never name code to import.

Every plugin has `enabled` ({enabled}; default `{enabled_default}`): {enabled_help}
"""

HOOKS = """\
# Hooks

{note}

A plugin implements the hooks that it needs, with the arguments that it needs. *firstresult* means
that the first answer other than `None` counts; plugins installed by others are asked before
the built-in ones, the core's own defaults last. *each* means that every plugin is called. In the
parent, all hooks are called on one thread, one after the other.
[Write a plugin](../how-to/write-a-plugin.md) has a whole example, and says what a plugin's fault
costs; [write an executor](../how-to/write-an-executor.md) has the classes that
`optimizer_executor` needs.
"""

MIGRATION_RULES = """\
# Migration rules

{note}

What `digitalmodel-optimizer migrate` looks for. A rule without a new value only reports.
`--explain RULE` prints the same. [How a file is migrated](../explanation/migration.md) says what
becomes of each spelling.
"""


def settings_page() -> str:
    """The reference of every key, from the tables that validate them."""
    declared = builtin_manager().options()
    page = SETTINGS.format(
        note=NOTE,
        block=table(BLOCK_OPTIONS, ".".join(BLOCK)),
        misplaced=misplaced_table(),
        others=", ".join(f"`{name}`" for level in LEVELS for name in level.others),
        without_effect="; ".join(WITHOUT_EFFECT.values()),
        ceilings=", ".join(f"`{'.'.join(path)}`" for path in CEILING_KEYS),
        enabled=KINDS[ENABLED.kind],
        enabled_default=ENABLED.default,
        enabled_help=ENABLED.help,
    )
    return page + "".join(plugin_section(name, declared[name]) for name in BUILT_IN)


def misplaced_table() -> str:
    """One row per place where our keys are looked for, with what they should be called."""
    rows = ["| in | keys |", "|---|---|"]
    for level in LEVELS:
        names = [f"`{name}`" for name in level.names]
        if level.plugins:
            names.append("the name of a plugin")
        if level.path == BLOCK:
            names.append("an option of a plugin")
        place = f"`{'.'.join(level.path)}`" if level.path else "the top of the file"
        rows.append(f"| {place} | {', '.join(names)} |")
    said = ", ".join(f"`{name}` for `{right}`" for name, right in SYNONYMS.items())
    return "\n".join([*rows, "", f"These are other names: {said}."])


def builtin_manager() -> Manager:
    """The built-in plugins, loaded; others that happen to be installed are left out."""
    return build_manager([found for found in installed_plugins() if found.name in BUILT_IN])


def plugin_section(name: str, declared: PluginOptions) -> str:
    return f"\n### {name}\n\n{declared.summary}\n\n{table(declared.options, name)}\n"


def table(options: Iterable[Option], block: str) -> str:
    """One row per option; ``block`` names the table for people who cannot see its place."""
    rows = [
        f"| key in `{block}` | takes | unit | default | what it does |",
        "|---|---|---|---|---|",
        *(
            f"| `{option.name}` | {takes(option)} | {option.unit or '-'} "
            f"| {shown(option.default)} | {option.help} |"
            for option in options
        ),
    ]
    return "\n".join(rows)


def takes(option: Option) -> str:
    """What values an option takes, in words."""
    if option.choices:
        said = ", ".join(f"`{choice}`" for choice in option.choices)
        said = f"a list of {said}" if option.kind is list else said
    else:
        said = KINDS[option.kind]
    if option.minimum is not None and option.maximum is not None:
        said += f", {option.minimum:,g} to {option.maximum:,g}"
    elif option.minimum is not None:
        said += f", {option.minimum:,g} or more"
    elif option.maximum is not None:
        said += f", at most {option.maximum:,g}"
    return said + (", or `auto`" if option.auto else "") + (", or empty" if option.optional else "")


def shown(default: Any) -> str:
    return "empty" if default is None or default in ((), {}) else f"`{default}`"


def hooks_page() -> str:
    """The reference of every hook, from its specification."""
    return HOOKS.format(note=NOTE) + "".join(hook_sections())


def hook_sections() -> Iterator[str]:
    banner = ""
    for number, line in enumerate(source := inspect.getsource(hookspecs).splitlines()):
        if line.startswith("# ----") and source[number + 2 : number + 3] == [line]:
            banner = source[number + 1].removeprefix("# ")
        found = re.match(r"def (optimizer_\w+)\(", line)
        if found is None:
            continue
        if banner:
            yield f"\n## {banner}\n"
            banner = ""
        yield hook_section(found[1])


def hook_section(name: str) -> str:
    function = getattr(hookspecs, name)
    first = getattr(function, "digitalmodel_optimizer_spec")["firstresult"]  # noqa: B009 - pluggy's
    kind = "firstresult" if first else "each"
    return f"\n### {heading(name)}\n\n*{kind}*\n\n{docstring(function)}\n"


def heading(name: str) -> str:
    """``optimizer_x(first, second)``, as a hook is called."""
    return f"{name}({', '.join(inspect.signature(getattr(hookspecs, name)).parameters)})"


def docstring(function: Any) -> str:
    """The specification's own words, as Markdown: each labelled line a paragraph."""
    text = re.sub(r":class:`~?(?:[\w.]+\.)?(\w+)`", r"`\1`", inspect.getdoc(function) or "")
    text = text.replace("``", "`")
    return re.sub(r"\n+(Called|Returns|Errors|Example|Added|`[\w.(), ]+`:)", r"\n\n\1", text)


def migration_rules_page() -> str:
    """The reference of every migration rule, from the rules themselves."""
    page = MIGRATION_RULES.format(note=NOTE)
    for rule in RULES:
        rows = "".join(f"| {title} | {text} |\n" for title, text in rule.described())
        page += f"\n## {rule.name}\n\n{rule.summary}\n\n| of the rule | |\n|---|---|\n{rows}"
    return page


PAGES = {
    "settings.md": settings_page,
    "hooks.md": hooks_page,
    "migration-rules.md": migration_rules_page,
}


def main() -> int:
    """Write or check all pages; the exit status is 1 if one is not up to date."""
    stale = []
    for name, page in PAGES.items():
        path, content = FOLDER / name, page()
        if "--check" not in sys.argv[1:]:
            path.write_text(content, encoding="utf-8", newline="\n")
        elif not path.is_file() or path.read_text(encoding="utf-8") != content:
            stale.append(f"docs/reference/{name}")
    if stale:
        print(f"not up to date: {', '.join(stale)}; run python docs/generate_reference.py")
    return int(bool(stale))


if __name__ == "__main__":
    sys.exit(main())
