#!/usr/bin/env python3
"""Make a text task out of Debian's package lists: to which section does a package belong, by its one-line description?

    python3 benches/make_debian_text.py OUT [--classes 20] [--each 250] [--seed 1]

On Debian. Downloads the package lists with their long descriptions and four packages of documentation (70 MB) to a temporary folder, and
installs nothing. A minute.

OUT/descriptions.txt  one sentence per line, a blank line after each document. A document is what the descriptions of the packages built from
                      one source say: mostly two to nine sentences. No source of the two .tsv files is in it
OUT/prose.txt         likewise, the running text of manual pages (manpages, manpages-dev), Perl's documentation (perl-doc) and the kernel's
                      (linux-doc)
OUT/sections.tsv      `label<TAB>sentence`: the task, as many one-line descriptions of each section, one per source
OUT/held.tsv          the same from other sources: to be used once, at the end
OUT/README.txt        numbers and licences
"""
import argparse, collections, gzip, random, re, subprocess, tempfile
from pathlib import Path

DEBS = ["manpages", "manpages-dev", "perl-doc", "linux-doc"]
NO_TOPIC = {"debug", "metapackages", "oldlibs", "tasks", "misc", "localization", "embedded", "universe"}  # what a package is for, not about


def apt(root, command, *arguments):
    """The output of one of apt's commands on lists of its own, below `root`."""
    options = {"Dir::State::lists": root / "lists", "Dir::Cache": root / "cache", "Acquire::Languages": "en"}
    flags = [flag for key, value in options.items() for flag in ("-o", f"{key}={value}")]
    return subprocess.run([command, *flags, *arguments], cwd=root, capture_output=True, text=True, check=True).stdout


def fields(text):
    """The fields of every paragraph of a package list."""
    for block in text.split("\n\n"):
        yield dict(re.findall(r"^([A-Z][\w-]*): *(.*(?:\n .*)*)", block, re.M))


def packages(root):
    """(source, section, short description, long description) of every package."""
    for folder in ("lists/partial", "cache/archives/partial"):
        (root / folder).mkdir(parents=True)
    apt(root, "apt-get", "update", "-q")
    said = {}
    for path in sorted((root / "lists").glob("*_Translation-en*")):
        for package in fields(apt(root, "/usr/lib/apt/apt-helper", "cat-file", path)):
            if "Description-en" in package:
                said[package["Description-md5"]] = package["Description-en"].split("\n", 1)
    for package in fields(apt(root, "apt-cache", "dumpavail")):
        if package.get("Description-md5") in said and "Section" in package:
            short, *more = said[package["Description-md5"]]
            source = package.get("Source", package["Package"]).split(" ")[0]
            yield source, package["Section"].split("/")[-1], " ".join(short.split()), "\n".join(more)


def description(long):
    """The sentences of a long description, without lists and what is set as it is."""
    for paragraph in re.split(r"\n \.(?=\n|$)", long):
        if not re.search(r"^ (  |[ ]?[-*+o] )", paragraph, re.M):
            yield from sentences(paragraph)


def downloaded(root):
    apt(root, "apt-get", "download", "-q", *real_names(root))
    for deb in sorted(root.glob("*.deb")):
        subprocess.run(["dpkg-deb", "-x", deb, root], check=True)


def real_names(root):
    """linux-doc is empty and depends on the one of the current kernel."""
    for name in DEBS:
        of = re.findall(r"Depends: (linux-doc-\S+)", apt(root, "apt-cache", "depends", name))
        yield of[0] if of else name


FONTS = {"B", "I", "BR", "IR", "RB", "RI", "BI", "IB", "SM"}  # roff's requests that set their words in fonts


# ---- paragraphs of three kinds of source --------------------------------------------------------------------------------

def man(text):
    """Filled paragraphs of a manual page."""
    here, filled = [], True
    for line in text.splitlines():
        if line.startswith((".", "'")):
            name = (line[1:].split() or [""])[0]
            if name in FONTS:
                words = [quoted or bare for quoted, bare in re.findall(r'"([^"]*)"|(\S+)', line[len(name) + 1:])]
                line = (" " if len(name) == 1 else "").join(words)
            else:
                filled = filled and name not in ("nf", "EX", "TS") or name in ("fi", "EE", "TE")
                yield " ".join(here)
                here = []
                continue
        if filled:
            here.append(re.sub(r"\\f.|\\&|\\[|,/]|\\s[-+]?\d", "", line).replace("\\-", "-").replace("\\e", "\\"))
    yield " ".join(here)


def pod(text):
    """Paragraphs of Perl's documentation that are neither commands nor code."""
    for paragraph in re.split(r"\n\s*\n", text):
        if not paragraph.startswith(("=", " ", "\t")):
            for _ in range(3):
                paragraph = re.sub(r"[A-Z]<+\s*([^<>]*?)\s*>+", lambda m: m.group(1).split("|")[0], paragraph)
            yield paragraph


def rst(text):
    """Paragraphs of reStructuredText without markup lines, lists of fields and code."""
    for paragraph in re.split(r"\n\s*\n", text):
        lines = paragraph.splitlines()
        if lines and not any(re.match(r"\s|\.\.|[-=~^*#+|`:]{1,}", line) for line in lines):
            yield re.sub(r":\w+:`([^`<]*)[^`]*`", r"\1", paragraph).replace("``", "").replace("*", "")


def sentences(paragraph):
    """The sentences of a paragraph of prose; none of what is mostly not words."""
    paragraph = " ".join(paragraph.split())
    for sentence in re.split(r"(?<=[.!?])\s+(?=[A-Z\"'(])", paragraph):
        words = sentence.split()
        if 4 <= len(words) <= 80 and sum(bool(re.fullmatch(r"[A-Za-z'\-]+[.,;:!?)]*", w)) for w in words) >= 0.7 * len(words):
            yield sentence


def running_text(root):
    """The kind and the sentences of every file that is not a copy of another."""
    seen = set()
    for path in sorted(p for p in root.rglob("*") if p.is_file() and not p.is_symlink()):
        name = str(path)
        if re.search(r"/usr/share/man/man\d/", name):
            kind = man
        elif name.endswith(".pod"):
            kind = pod
        elif re.search(r"\.rst(\.txt)?(\.gz)?$", name) and "translations" not in name:
            kind = rst
        else:
            continue
        data = gzip.open(path).read() if name.endswith(".gz") else path.read_bytes()
        found = [s for paragraph in kind(data.decode("utf-8", "replace")) for s in sentences(paragraph)]
        if found and "\n".join(found) not in seen:
            seen.add("\n".join(found))
            yield kind.__name__, found


def descriptions(by_source, used):
    """What the descriptions of each source's packages say, every sentence once."""
    for source, all in sorted(by_source.items()):
        if source not in used:
            found = dict.fromkeys(sentence for _, short, long in all for sentence in (short, *description(long)))
            yield "packages", list(found)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--classes", type=int, default=20, help="the most frequent sections that name a topic")
    parser.add_argument("--each", type=int, default=250, help="descriptions of each section in each file")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as tmp:
        make(args, Path(tmp), parser.error)


def make(args, root, refuse):
    rng = random.Random(args.seed)
    by_source = collections.defaultdict(list)
    for source, section, short, long in sorted(set(packages(root))):
        by_source[source].append((section, short, long))
    one = {source: rng.choice(all)[:2] for source, all in sorted(by_source.items())}
    by_section = collections.defaultdict(list)
    seen = set()
    for source, (section, said) in one.items():
        if section not in NO_TOPIC and said.lower() not in seen and len(said.split()) >= 3:
            seen.add(said.lower())
            by_section[section].append((source, said))
    chosen = sorted(by_section, key=lambda s: (-len(by_section[s]), s))[:args.classes]
    used = set()
    for section in chosen:
        if len(by_section[section]) < 2 * args.each:
            refuse(f"the section {section} has {len(by_section[section])} sources, fewer than twice --each: choose fewer --classes")
        rng.shuffle(by_section[section])
    for name, at in (("sections.tsv", 0), ("held.tsv", 1)):
        rows = [(section, source, said) for section in chosen for source, said in by_section[section][at * args.each:(at + 1) * args.each]]
        used.update(source for _, source, _ in rows)
        rng.shuffle(rows)
        (args.out / name).write_text("".join(f"{section}\t{said}\n" for section, _, said in rows), encoding="utf-8")

    numbers = collections.Counter()
    downloaded(root)
    for name, documents in (("descriptions.txt", descriptions(by_source, used)), ("prose.txt", running_text(root))):
        with open(args.out / name, "w", encoding="utf-8") as out:
            for kind, found in documents:
                out.write("\n".join(found) + "\n\n")
                numbers[f"{name}, {kind}", "documents"] += 1
                numbers[f"{name}, {kind}", "sentences"] += len(found)
    lines = [f"{kind}: {numbers[kind, 'sentences']} sentences in {numbers[kind, 'documents']} documents"
             for kind in dict.fromkeys(k for k, _ in numbers)]
    lines += [f"sections.tsv, held.tsv: {args.each} descriptions of each of {len(chosen)} sections: {', '.join(chosen)}", "",
              "Package descriptions: the licences of the packages. manpages: GPL, BSD and others; perl-doc: Artistic or GPL;",
              "linux-doc: GPL 2. See each package's copyright file. Nothing here is to be redistributed with the project."]
    (args.out / "README.txt").write_text("\n".join(lines) + "\n")
    print("\n".join(lines[:-4]))


if __name__ == "__main__":
    main()
