#!/usr/bin/env python3
"""Breaks the code on purpose, one promise at a time, and sees that the ordinary tests notice.

Each file beside this one is a mutant: the promise that it breaks, what it changes as exact text, and the tests that must
go red. The changes are made in a copy of the working tree, which is kept with what was built of it, so that the next run
builds little. A text that is not there exactly once stops the run: the code moved on, and the mutant must too.

    tests/mutants/run.py [--list] [name ..]

First all the tests named must pass without any mutant: what is red anyway proves nothing. Exits with 1 if a mutant
survives, with 2 if one is of no use as it stands.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
PROFILE = os.environ.get("PROFILE", "ci")
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
SCRATCH = TARGET / "mutants"
TREE, BUILT = SCRATCH / "tree", SCRATCH / "target"
PROMISES = [f"P{n}" for n in range(1, 11)]
# Longer than any test waits for anything: what is still not done hangs.
PATIENCE_S = 900


class Useless(Exception):
    """A mutant that proves nothing as it stands."""


class Mutant:
    def __init__(self, path):
        with path.open("rb") as file:
            it = tomllib.load(file)
        self.name, self.promise, self.what = path.stem, it["promise"], it["what"]
        self.changes, self.package = it["change"], it["test"]["package"]
        self.target, self.tests = it["test"].get("target", "--lib"), it["test"]["names"]
        if self.promise not in PROMISES:
            raise Useless(f"{self.name}: {self.promise} is no promise")

    def apply(self):
        """Changes the copy; gives the text of each file as it was."""
        before = {}
        for change in self.changes:
            path = TREE / change["file"]
            text = path.read_text()
            found = text.count(change["find"])
            if found != 1:
                restore(before)
                raise Useless(f"{self.name}: what it looks for is {found} times in {change['file']}")
            before.setdefault(path, text)
            path.write_text(text.replace(change["find"], change["replace"]))
        return before


def restore(before):
    for path, text in before.items():
        path.write_text(text)


def copy_tree():
    """Brings the copy up to date. Files that are the same keep their times, so that nothing of them is built again."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True).stdout.decode().split("\0")
    wanted = {name for name in names if name and (ROOT / name).is_file()}
    for name in wanted:
        source, copy = ROOT / name, TREE / name
        if not copy.exists() or source.read_bytes() != copy.read_bytes():
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.unlink(missing_ok=True)
            shutil.copy(source, copy)
    for copy in TREE.rglob("*"):
        if copy.is_file() and str(copy.relative_to(TREE)) not in wanted:
            copy.unlink()
    if not BUILT.exists() and (TARGET / PROFILE).exists():
        say("copies what is built already")
        subprocess.run(["cp", "-a", "--reflink=auto", TARGET / PROFILE, made(BUILT) / PROFILE], check=True)


def made(folder):
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def cargo(package, target, *more):
    command = ["cargo", "test", "--profile", PROFILE, "-p", package, *target.split(), *more]
    environment = os.environ | {"CARGO_TARGET_DIR": str(BUILT)}
    try:
        done = subprocess.run(command, cwd=TREE, env=environment, capture_output=True, text=True,
                              timeout=None if "--no-run" in more else PATIENCE_S)
    except subprocess.TimeoutExpired:
        return None, "it hangs"
    return done.returncode, done.stdout + done.stderr


def red(mutant):
    """The tests of the mutant's that fail; the tree as it is."""
    code, told = cargo(mutant.package, mutant.target, "--no-run")
    if code != 0:
        raise Useless(f"{mutant.name}: it does not compile\n{told[-3000:]}")
    code, told = cargo(mutant.package, mutant.target, "--", *mutant.tests)
    if code is None:
        raise Useless(f"{mutant.name}: {told}")
    if not any(int(count) for count in re.findall(r"^running (\d+) tests?$", told, re.M)):
        raise Useless(f"{mutant.name}: no test has such a name")
    failed = re.findall(r"^test (\S+)(?: - .*)? \.\.\. FAILED$", told, re.M)
    if code != 0 and not failed:
        raise Useless(f"{mutant.name}: the tests ended otherwise\n{told[-3000:]}")
    return failed


def say(text):
    print(text, flush=True)


def judge(mutant):
    before = mutant.apply()
    try:
        return red(mutant)
    finally:
        restore(before)


def check_green(mutants):
    # Several are caught by the same tests, which are run once.
    for mutant in {(it.package, it.target, *it.tests): it for it in mutants}.values():
        failed = red(mutant)
        if failed:
            raise Useless(f"{mutant.name}: {', '.join(failed)} fails without it")


def main(names):
    # Those of one package together: what was broken before is built once.
    mutants = sorted(map(Mutant, HERE.glob("*.toml")), key=lambda it: (it.package, it.changes[0]["file"]))
    if names == ["--list"]:
        for mutant in sorted(mutants, key=lambda it: (PROMISES.index(it.promise), it.name)):
            say(f"{mutant.promise:4} {mutant.name}: {mutant.what}")
        return 0
    if unknown := set(names) - {mutant.name for mutant in mutants}:
        raise Useless(f"no mutant is called {', '.join(sorted(unknown))}")
    missing = set(PROMISES) - {mutant.promise for mutant in mutants}
    if missing:
        raise Useless(f"no mutant breaks {', '.join(sorted(missing))}")
    mutants = [mutant for mutant in mutants if not names or mutant.name in names]
    copy_tree()
    say(f"{len(mutants)} mutants; first their tests as they are")
    check_green(mutants)
    survived = []
    for mutant in mutants:
        failed = judge(mutant)
        if failed:
            verdict = "caught by " + failed[0].rsplit("::", 1)[-1] + (f" and {len(failed) - 1} more" if failed[1:] else "")
        else:
            verdict = "NOT CAUGHT"
            survived.append(mutant.name)
        say(f"{mutant.promise:4} {mutant.name:44} {verdict}")
    say(f"{len(mutants) - len(survived)} of {len(mutants)} caught")
    return 1 if survived else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Useless as error:
        say(str(error))
        sys.exit(2)
