#!/usr/bin/env python3
"""Tests of the checks themselves: that tests/prose.py and tests/dependencies.py fail when they ought to."""
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE))
import dependencies  # noqa: E402

LONG = "This sentence goes on " + "and on " * 12 + "until nobody knows how it began.\n"
CLEAN = "# Title\n\nA short sentence. Another one.\n"


class Prose(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = pathlib.Path(directory.name)
        (self.root / "tests").mkdir()
        for name in ("prose.py", "prose.toml"):
            shutil.copy(HERE / name, self.root / "tests" / name)
        self.git("init", "-q", "-b", "main")
        self.write("README.md", CLEAN)
        self.commit("WIP whatever it was before the check, with a subject that is much longer than any subject may be")
        self.assertIn("0 subjects", self.passes())

    def git(self, *arguments):
        who = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
        subprocess.run(["git", *who, *arguments], cwd=self.root, check=True, stdout=subprocess.DEVNULL)

    def commit(self, subject):
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", subject)

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def run_check(self, *arguments):
        ran = subprocess.run([sys.executable, "tests/prose.py", *arguments], cwd=self.root, capture_output=True, text=True)
        return ran.returncode, ran.stdout + ran.stderr

    def passes(self, *arguments):
        code, said = self.run_check(*arguments)
        self.assertEqual(code, 0, said)
        return said

    def fails(self, *arguments):
        code, said = self.run_check(*arguments)
        self.assertEqual(code, 1, said)
        return said

    def test_long_sentences_in_markdown_and_doc_comments(self):
        self.write("README.md", CLEAN + "\n" + LONG)
        self.assertIn("README.md:5: a sentence of 34 words", self.fails())
        self.write("README.md", CLEAN)
        self.write("src/lib.rs", f"//! A crate.\n\n/// {LONG}pub fn f() {{}}\n")
        self.assertIn("src/lib.rs:3: a sentence of 34 words", self.fails())

    def test_code_and_cells_are_no_long_sentences(self):
        self.write("README.md", f"{CLEAN}\n```\n{LONG}```\n\n`{LONG.strip()}`\n\n| a b c d e f g h i | {'j ' * 20}|\n|---|---|\n")
        self.write("src/lib.rs", f"// {LONG}fn f() {{ g(\"{LONG.strip()}\") }}\n")
        self.passes()

    def test_banned_words_in_prose_and_in_what_the_program_says(self):
        self.write("docs/a.md", "The sieve `let go` of it.\n")
        self.write("src/lib.rs", '/// It is told.\nfn f() { g("the job was robbed", "robbed") }\n#[cfg(test)]\nmod tests {\n    // died\n    const A: &str = "it died";\n}\n')
        self.write("src/help.rs", 'const HELP: &str = "\\\nExample:\n  sview up\n\nA job that was \\\nrobbed is dead.";\nconst SQL: &str = "\n    SELECT forgotten FROM it";\nconst MARK: char = \'"\';\n')
        said = self.fails()
        for where in ("src/help.rs:6: “robbed”", "docs/a.md:1: “sieve”; write: filter", "src/lib.rs:1: “is told”", "src/lib.rs:2: “robbed”"):
            self.assertIn(where, said)
        self.assertEqual(said.count("; write: "), 4, said)

    def test_counts_only_fall_and_text_may_move_within_a_part(self):
        self.write("src/a.rs", "//! The sieve.\n")
        self.write("src/b.rs", "//! The sieve sifts.\n")
        self.passes("--update")
        self.passes()
        self.write("src/a.rs", "//! The filter.\n")
        self.write("src/b.rs", "//! The filter sifts.\n")
        self.write("src/c.rs", "//! The sieve.\n")
        self.assertIn("1 fewer", self.passes())
        self.passes("--update")
        self.write("src/c.rs", "//! The sieve sifts.\n")
        said = self.fails("--update")
        self.assertIn("src/c.rs:1", said)
        self.assertNotIn("src/b.rs:1", said)
        self.write("src/c.rs", "//! Nothing.\n")
        self.write("queue/a.rs", "//! The sieve.\n")
        self.assertIn("queue/a.rs:1", self.fails())

    def test_subjects_since_the_check_was_added(self):
        for subject in ("store: read tallies once", "store, jobs: embed what `x` needs", "tests/prose: look again"):
            self.commit(subject)
        self.assertIn("3 subjects", self.passes())
        for subject, fault in (
            ("Read tallies once", "no area"),
            ("store: reading tallies once", "not imperative"),
            ("store: read tallies once.", "a full stop"),
            (f"store: {'x' * 66}", "73 characters"),
        ):
            self.commit(subject)
            self.assertIn(fault, self.fails())
            self.git("reset", "-q", "--hard", "HEAD~1")

    def test_missing_history_is_said(self):
        self.commit("store: read tallies once")
        with tempfile.TemporaryDirectory() as directory:
            url = self.root.as_uri()
            subprocess.run(["git", "clone", "-q", "--depth", "1", url, directory], check=True)
            self.root = pathlib.Path(directory)
            self.assertIn("shallow", self.passes())
            shutil.rmtree(self.root / ".git")
            self.assertIn("no git history", self.passes())
            self.write("README.md", LONG)
            self.fails()


class Licences(unittest.TestCase):
    def test_expressions(self):
        allow = {"MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "Unicode-3.0"}
        for expression, met in (
            ("MIT", True),
            ("GPL-3.0", False),
            ("MIT OR GPL-3.0", True),
            ("GPL-3.0/MIT", True),
            ("MIT AND GPL-3.0", False),
            ("(MIT OR GPL-3.0) AND Unicode-3.0", True),
            ("(GPL-3.0 OR LGPL-3.0) AND MIT", False),
            ("GPL-3.0 OR MIT AND Unicode-3.0", True),
            ("Apache-2.0 WITH LLVM-exception OR GPL-3.0", True),
            ("MIT WITH Other-exception", False),
        ):
            self.assertEqual(dependencies.allowed(expression, allow), met, expression)


if __name__ == "__main__":
    unittest.main()
