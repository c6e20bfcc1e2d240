#!/usr/bin/env python3
"""Checks the crates that the workspace depends on, in a second and with nothing installed: licences, sources and banned crates by deny.toml;
that `rust-version` is true; that every dependency is used.

`just deny` and `just machete` do the same more thoroughly. Known vulnerabilities are not checked here: `just advisories` does, and needs
the network.
"""
import json
import pathlib
import re
import subprocess
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
# The crates of ZeroMQ, by where their authors keep them, and the one file that may name them.
ZEROMQ, ZEROMQ_MODULE = "github.com/paddor/", "dynfw/src/zeromq.rs"
CRATES_IO = "registry+https://github.com/rust-lang/crates.io-index"


def allowed(expression, licences):
    """Whether a licence expression can be met by these licences. `/` is an old form of OR."""
    tokens = re.findall(r"\(|\)|[^\s()/]+(?: WITH [^\s()/]+)?|/", expression)

    def either():
        met = both()
        while tokens and tokens[0] in ("OR", "/"):
            tokens.pop(0)
            met = both() or met
        return met

    def both():
        met = one()
        while tokens and tokens[0] == "AND":
            tokens.pop(0)
            met = one() and met
        return met

    def one():
        token = tokens.pop(0)
        if token != "(":
            return token in licences
        met = either()
        tokens.pop(0)  # its closing bracket
        return met

    return either() and not tokens


def version(text):
    return tuple(int(part) for part in (text.split(".") + ["0", "0"])[:3])


def code_of(package, kind):
    """The text of a package's own code that a dependency of this kind may be used in."""
    kinds = {None: ("lib", "bin"), "build": ("custom-build",), "dev": ("lib", "bin", "test", "bench", "example")}[kind]
    text = []
    for target in package["targets"]:
        if any(kind in kinds for kind in target["kind"]):
            main = pathlib.Path(target["src_path"])
            # A file beside Cargo.toml, tests/ or benches/ shares its directory with others, which cannot hurt: this looks for a name.
            text += [file.read_text() for file in (main.parent.rglob("*.rs") if main.parent != ROOT else [main])]
    return "\n".join(text)


def zeromq_faults(packages, own):
    """Whether all crates of ZeroMQ are pinned by an exact version, and named by one module."""
    pinned = {d["name"] for p in packages if p["id"] in own for d in p["dependencies"] if d["req"].startswith("=")}
    family = {package["name"] for package in packages if ZEROMQ in (package["repository"] or "")}
    for name in sorted(family - pinned):
        yield f"{name} is not pinned; give it an exact version beside omq-tokio in Cargo.toml"
    names = re.compile(rf"\b(?:{'|'.join(name.replace('-', '_') for name in sorted(family))})::")
    for path in sorted(ROOT.rglob("*.rs")):
        file = str(path.relative_to(ROOT))
        if not file.startswith("target/") and file != ZEROMQ_MODULE and names.search(path.read_text()):
            yield f"{file} names a crate of ZeroMQ, which only {ZEROMQ_MODULE} may"


def main():
    command = ["cargo", "metadata", "--format-version", "1", "--all-features", "--locked"]
    ran = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE)
    if ran.returncode != 0:
        sys.exit("dependencies: cargo metadata failed; if it names Cargo.lock, run cargo check and commit the file")
    metadata = json.loads(ran.stdout)
    rules = tomllib.loads((ROOT / "deny.toml").read_text())
    licences = set(rules["licenses"]["allow"])
    exceptions = {entry["crate"]: set(entry["allow"]) for entry in rules["licenses"]["exceptions"]}
    banned = {entry["crate"]: entry["reason"] for entry in rules["bans"]["deny"]}
    own = set(metadata["workspace_members"])
    wrong, packages = [], metadata["packages"]
    newest = ((0, 0, 0), "nothing")
    for package in packages:
        name = f"{package['name']} {package['version']}"
        if package["id"] in own:
            continue
        if package["source"] != CRATES_IO:
            wrong.append(f"{name} is not from crates.io but from {package['source']}")
        if not package["license"] or not allowed(package["license"], licences | exceptions.get(package["name"], set())):
            wrong.append(f"{name} has the licence {package['license']}, which deny.toml does not allow")
        if package["name"] in banned:
            wrong.append(f"{name} is banned by deny.toml: {banned[package['name']]}")
        if package["rust_version"]:
            newest = max(newest, (version(package["rust_version"]), name))
    wrong += zeromq_faults(packages, own)
    seen = {package["name"] for package in packages}
    for crate in sorted(exceptions.keys() - seen):
        wrong.append(f"deny.toml has an exception for {crate}, which nothing depends on")
    for package in packages:
        if package["id"] not in own:
            continue
        if not package["rust_version"] or version(package["rust_version"]) < newest[0]:
            needs = ".".join(map(str, newest[0]))
            wrong.append(f"{package['name']} states Rust {package['rust_version']}, but {newest[1]} needs {needs}")
        ignored = ((package["metadata"] or {}).get("cargo-machete") or {}).get("ignored", [])
        code = {}
        for dependency in package["dependencies"]:
            name, kind = dependency["rename"] or dependency["name"], dependency["kind"]
            if name in ignored:
                continue
            if kind not in code:
                code[kind] = code_of(package, kind)
            if not re.search(rf"\b{name.replace('-', '_')}\b", code[kind]):
                wrong.append(f"{package['name']} does not use {name} ({kind or 'normal'} dependency)")
    for line in wrong:
        print(f"dependencies: {line}")
    if wrong:
        sys.exit(1)
    print(f"dependencies: {len(packages) - len(own)} crates looked at; known vulnerabilities were not, see just advisories")


if __name__ == "__main__":
    main()
