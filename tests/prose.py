#!/usr/bin/env python3
"""Checks the words that people read, by the rules in tests/prose.toml.

    tests/prose.py            checks; prints file:line of what is over the counts in tests/prose_baseline.json
    tests/prose.py --all      prints every violation
    tests/prose.py --update   lowers the counts to what is left; it never raises one

Three things are checked: banned words in Markdown, doc comments and texts of the program; sentences that are too long in Markdown and doc
comments; the subjects of all commits since the one that added this file.

What was there before is counted by file in the baseline. A part of the tree (a crate, the documentation) may have as many violations of a
rule as its files had, so text can move from file to file.
"""
import collections
import json
import pathlib
import re
import subprocess
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
RULES = tomllib.loads((ROOT / "tests/prose.toml").read_text())
BASELINE = ROOT / "tests/prose_baseline.json"
BANNED = [(re.compile(rf"\b(?:{word})\b", re.I), write) for word, write in RULES["banned"].items()]
# Words that end like a participle and are none.
IMPERATIVE = {"bring", "embed", "exceed", "feed", "need", "ping", "proceed", "seed", "shed", "speed", "spring", "string"}

Found = collections.namedtuple("Found", "file line rule text")


def git(*arguments):
    ran = subprocess.run(["git", *arguments], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return ran.stdout if ran.returncode == 0 else None


def files():
    """Markdown and Rust files. Without git, all that lie here."""
    listed = git("ls-files", "--cached", "--others", "--exclude-standard", "--", "*.md", "*.rs")
    if listed is None:
        names = [path.relative_to(ROOT) for ending in ("md", "rs") for path in ROOT.rglob(f"*.{ending}")]
        names = [str(name) for name in names if not {"target", "node_modules"} & set(name.parts)]
    else:
        names = [name for name in listed.splitlines() if (ROOT / name).exists()]
    return sorted(name for name in names if not name.startswith("tests/cases/inputs/"))


def without_code(text):
    """Text without inline code, addresses of links and pictures, and markup."""
    text = re.sub(r"(`+).+?\1", "CODE", text)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"<https?://[^>]*>|https?://\S+", "LINK", text)
    return re.sub(r"<[^<>]*>|[*_#]+", " ", text)


def paragraphs(lines):
    """The paragraphs of Markdown lines, each a list of (line number, text). A list item, heading or cell of a table is one."""
    fence, paragraph = None, []
    for number, line in lines:
        stripped = line.strip().removeprefix("> ")
        mark = re.match(r"(`{3,}|~{3,})", stripped)
        if fence or mark:
            fence = None if fence and mark and mark[1].startswith(fence) else fence or mark[1]
            yield paragraph
            paragraph = []
            continue
        cells = stripped.startswith("|")
        item = re.match(r"(?:[-*+]|\d+[.)])\s+|#{1,6}\s|\|", stripped)
        if not stripped or item:
            yield paragraph
            paragraph = []
        if cells:
            for cell in stripped.strip("|").split("|"):
                yield [(number, cell)]
        elif stripped:
            paragraph.append((number, stripped[item.end() :] if item else stripped))
            if stripped.startswith("#"):
                yield paragraph
                paragraph = []
    yield paragraph


def sentences(paragraph):
    """The sentences of a paragraph, each with the number of its first line."""
    words = []
    # Code and links may span lines, so they go before the text is cut into words; a mark keeps the line of each word.
    text = without_code(" ".join(f"\x00{number}\x00 {text}" for number, text in paragraph))
    line = paragraph[0][0] if paragraph else 0
    start = line
    for token in re.split(r"(\x00\d+\x00)|\s+", text):
        if not token:
            continue
        if token.startswith("\x00"):
            line = int(token.strip("\x00"))
            continue
        if not words:
            start = line
        words.append(token)
        ends = re.search(r"[.!?:;][\"')\]”’]*$", token) and not re.match(r"^(e\.g\.|i\.e\.|etc\.|vs\.|[A-Z]\.)$", token)
        if ends and token[-1] not in ";:":
            yield start, words
            words = []
    if words:
        yield start, words


def doc_comments(lines):
    """The lines of doc comments, without their slashes; a gap between two comments is an empty line."""
    for number, line in lines:
        comment = re.match(r"\s*//[/!](?!/) ?(.*)", line)
        yield number, comment[1] if comment else ""


LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"', re.S)
# Statements and scripts for machines, which have words of their own.
FOR_MACHINES = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH|CREATE|ALTER|LOCK|SET|FROM|AND|local|redis)\b")


def texts(lines):
    """String literals of two words and more, outside unit tests: what the program says. One may have several lines."""
    kept = []
    for (_, line), (_, following) in zip(lines, lines[1:] + [(0, "")]):
        if re.match(r"\s*#\[cfg\(test\)\]", line) and re.match(r"\s*mod \w+ \{", following):
            break
        # A quotation mark as a character begins no text, and neither does one in a comment.
        kept.append("" if re.match(r"\s*//", line) else re.sub(r"b?'\\?\"'|(?<=[;{,]) // .*$", "", line))
    whole = "\n".join(kept)
    for literal in LITERAL.finditer(whole):
        if " " not in literal[1].strip() or FOR_MACHINES.match(literal[1]):
            continue
        first = whole.count("\n", 0, literal.start(1)) + 1
        for offset, text in enumerate(literal[1].split("\n")):
            yield first + offset, text


def is_test(name):
    return "/tests/" in f"/{name}" or name.endswith("/tests.rs") or name.startswith("benches/")


def look(name):
    """All violations in a file."""
    lines = list(enumerate((ROOT / name).read_text(errors="replace").splitlines(), 1))
    prose = lines if name.endswith(".md") else list(doc_comments(lines))
    for paragraph in paragraphs(prose):
        for number, text in paragraph:
            yield from banned(name, number, without_code(text))
        for number, words in sentences(paragraph):
            count = sum(bool(re.search(r"\w", word)) for word in words)
            if count > RULES["longest_sentence"]:
                beginning = " ".join(words[:8])
                yield Found(name, number, "long sentence", f"a sentence of {count} words: {beginning} …")
    if name.endswith(".rs") and not is_test(name):
        for number, text in texts(lines):
            yield from banned(name, number, text)


def banned(name, number, text):
    for pattern, write in BANNED:
        for hit in pattern.finditer(text):
            yield Found(name, number, "banned word", f"“{hit[0]}”; write: {write}")


def part(name):
    """The part of the tree that shares its counts: a crate, or all of the documentation."""
    return "docs" if "/" not in name or name.startswith("docs/") else name.split("/")[0]


def subjects():
    """Violations in the subjects of commits since the one that added this file, and what to say about it."""
    if git("rev-parse", "--git-dir") is None:
        return [], "no git history here: subjects of commits were not checked"
    added = git("log", "--diff-filter=A", "--format=%H", "--", "tests/prose.py")
    shallow = (git("rev-parse", "--is-shallow-repository") or "").strip() == "true"
    since = added.split()[-1] if added and added.split() else None
    if since is None and not shallow:
        return [], "tests/prose.py is not committed yet: subjects of commits were not checked"
    # A shallow clone may end after that commit; then all that it has is younger.
    commits = git("log", "--no-merges", "--format=%h %s", f"{since}..HEAD" if since else "HEAD") or ""
    wrong = []
    for commit in commits.splitlines():
        hash_, _, subject = commit.partition(" ")
        wrong += [Found(f"commit {hash_}", 0, "subject", f"{fault}: {subject}") for fault in faults_of(subject)]
    depth = "; this clone is shallow, so older ones were not" if shallow else ""
    return wrong, f"{len(commits.splitlines())} subjects of commits were checked{depth}"


def faults_of(subject):
    if len(subject) > RULES["longest_subject"]:
        yield f"{len(subject)} characters instead of {RULES['longest_subject']}"
    found = re.match(r"[a-z0-9][\w./-]*(?:, [a-z0-9][\w./-]*)*: (\S+)", subject)
    if not found:
        yield "no area in front, as in “store: read tallies once”"
        return
    first = found[1].lower()
    if first not in IMPERATIVE and re.search(r"(?:ed|ing)$", first):
        yield f"not imperative: “{first}”"
    if subject.endswith("."):
        yield "a full stop at the end"


def main():
    arguments = set(sys.argv[1:])
    if arguments - {"--all", "--update"}:
        sys.exit(__doc__)
    found = [violation for name in files() for violation in look(name)]
    counts = collections.Counter((violation.rule, violation.file) for violation in found)
    wrong, told = subjects()
    if "--all" in arguments:
        for violation in found:
            print(f"{violation.file}:{violation.line}: {violation.text}")
        return
    before = collections.Counter()
    if BASELINE.exists():
        for rule, by_file in json.loads(BASELINE.read_text()).items():
            before.update({(rule, file): count for file, count in by_file.items()})
    elif "--update" in arguments:
        before = counts  # the first time
    sums = [collections.Counter(), collections.Counter()]
    for total, counted in zip(sums, (before, counts)):
        for (rule, file), count in counted.items():
            total[rule, part(file)] += count
    over = [key for key, count in sums[1].items() if count > sums[0][key]]
    for rule, where in over:
        print(f"prose: {where} has more of “{rule}”: {sums[1][rule, where]} instead of {sums[0][rule, where]}")
        for violation in found:
            key = (violation.rule, violation.file)
            if violation.rule == rule and part(violation.file) == where and counts[key] > before[key]:
                print(f"{violation.file}:{violation.line}: {violation.text}")
    for violation in wrong:
        print(f"{violation.file}: {violation.text}")
    if "--update" in arguments and not over:
        # Within a part, what one file lost another may have gained; the sums fall or stay.
        written = {rule: {f: c for (r, f), c in sorted(counts.items()) if r == rule} for rule in sorted({r for r, _ in counts})}
        BASELINE.write_text(json.dumps(written, indent=1, ensure_ascii=False) + "\n")
    if over or wrong:
        sys.exit(1)
    total = collections.Counter()
    for (rule, _), count in counts.items():
        total[rule] += count
    left = sum(before.values()) - sum(counts.values())
    lower = f"; {left} fewer than counted before: run tests/prose.py --update" if left > 0 and "--update" not in arguments else ""
    print(f"prose: {', '.join(f'{count} of “{rule}”' for rule, count in sorted(total.items()))} left{lower}; {told}")


if __name__ == "__main__":
    main()
