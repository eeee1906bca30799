"""Fails when a folder includes or links what it may not; docs/architecture.md has the picture.

    layering_test.py CHECKOUT [TARGET_LINKS]     TARGET_LINKS: <build>/target_links.txt, written by CMake

Planted mistakes prove that it can fail.
"""

import pathlib
import re
import sys
import tempfile
import unittest

# What each folder may include beside itself and the standard library: folders of ours, then libraries by their first path component.
# A folder that is not named here is an error, so that a new one gets its rule.
GENERATED = "generated"  # tuner/v1/*.pb.h and the like, messages without services
GRPC = "grpc"  # grpcpp/ and *.grpc.pb.h
BACK_ENDS = {"strategies", "executors", "storage"}
RULES = {
    "core": (set(), {"absl", "re2"}),
    "proto": ({"core", GENERATED}, {"absl", "google", "yaml-cpp"}),
    "strategies": ({"core", "proto", GENERATED}, {"absl", "google", "re2", "Eigen", "boost", "nlopt.hpp"}),
    "executors": ({"core", "proto", GENERATED}, {"absl", "google", "re2", "boost", "openssl", "curl", "nlohmann", "pugixml.hpp"}),
    "storage": ({"core", "proto", GENERATED}, {"absl", "google", "re2", "sqlite3.h"}),
    "tuner/engine": ({"core", "proto", GENERATED} | BACK_ENDS, {"absl", "google", "re2"}),
    "tuner/requests": ({"core", "proto", GENERATED, "strategies", "executors"}, {"absl", "google", "openssl", "boost"}),
    "tuner/notify": ({"core", "proto", GENERATED, "executors", "tuner/engine"}, {"absl", "google", "openssl", "curl"}),
    "tuner/embed": ({"core", "proto", GENERATED, "tuner/engine", "tuner/requests", "tuner/notify"} | BACK_ENDS, {"absl", "google", "re2", "yaml-cpp"}),
    "tuner/server": ({"core", "proto", GENERATED, GRPC, "tuner/engine", "tuner/requests", "tuner/notify", "tuner/embed"} | BACK_ENDS,
                     {"absl", "google", "re2", "yaml-cpp", "openssl", "boost"}),
    "tuner/cli": ({"core", "proto", GENERATED, GRPC, "tuner/engine", "tuner/requests", "tuner/embed", "tuner/server"} | BACK_ENDS,
                  {"absl", "google", "re2", "yaml-cpp", "CLI", "openssl", "boost"}),
}
# These may see all, and are seen by none.
FREE = ["tests", "bench", "examples"]
# Deciding is pure: no I/O, no threads.
IMPURE = re.compile(r"(thread|future|fstream|iostream|filesystem|condition_variable|unistd\.h|fcntl\.h|pthread\.h|sys/.*)$")
PURE = ["core", "strategies"]

# Targets of ours whose link closure must not hold these libraries.
LINK_BANS = {
    "tuner_aws": re.compile(r"gRPC|grpc|protobuf|SQLite"),
    "tuner_core": re.compile(r"protobuf|gRPC|SQLite|Boost|Threads|tuner"),
    "tuner_embed": re.compile(r"gRPC|grpc"),
    "tuner_engine": re.compile(r"gRPC|grpc|CLI11"),
    "tuner_notify": re.compile(r"gRPC|grpc|CLI11"),
    "tuner_requests": re.compile(r"gRPC|grpc|CLI11|SQLite"),
    "tuner-supervisor": re.compile(r"gRPC|grpc|protobuf|SQLite|absl"),
}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def folder_of(path, root):
    """The rule's folder that a path of ours lies in, or None."""
    parts = pathlib.PurePath(path).parts
    for length in (2, 1):
        name = "/".join(parts[:length])
        if name in RULES or (name in FREE and length == 1):
            return name
    return "/".join(parts[:2]) if (root / parts[0]).is_dir() and len(parts) > 1 and parts[0] in {"tuner", "proto"} else None


def included(header, quoted, root):
    """What an include names: a folder of ours, GENERATED, GRPC, a library, or None for the standard library."""
    if header.endswith(".grpc.pb.h") or re.match(r"(grpcpp|grpc)/", header):
        return GRPC
    if (root / header).is_file():
        return folder_of(header, root) or header.split("/")[0]
    if re.match(r"tuner/.*\.pb\.h$", header):
        return GENERATED
    first = header.split("/")[0]
    return first if quoted or "/" in header or header.endswith((".h", ".hpp")) else None


def system_header(header):
    return re.match(r"(sys|linux|netinet|arpa|bits|gnu)/", header) or re.match(r"[a-z_]+\.h$", header)


def check_includes(root):
    """Every include that the rules forbid, as "file:line: what is wrong"."""
    problems = []
    folders = [*RULES, *(f"tuner/{p.name}" for p in sorted((root / "tuner").glob("*")) if p.is_dir() and f"tuner/{p.name}" not in RULES)]
    for folder in folders:
        files = [p for p in sorted((root / folder).rglob("*")) if p.suffix in {".h", ".cc"}]
        if folder not in RULES:
            problems += [f"{folder}: has no rule in tests/layering_test.py"] if files else []
            continue
        ours, libraries = RULES[folder]
        for path in files:
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
                match = INCLUDE.match(line)
                if not match:
                    continue
                header, quoted = match[2], match[1] == '"'
                where = f"{path.relative_to(root)}:{number}"
                if folder in PURE and IMPURE.match(header):
                    problems.append(f"{where}: {folder} is pure and may not include {header}")
                    continue
                seen = included(header, quoted, root)
                if seen is None or seen == folder or seen in ours or seen in libraries:
                    continue
                if not quoted and system_header(header) and header not in libraries:
                    continue  # of the C library or the kernel; PURE is checked above
                problems.append(f"{where}: {folder} may not include {header}")
    return problems


def check_links(path):
    """Every forbidden library in a target's link closure, with the way to it."""
    links = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        target, _, rest = line.partition(":")
        links[target] = [re.sub(r"^\$<LINK_ONLY:(.*)>$", r"\1", item).replace("tuner::", "tuner_") for item in rest.split()]
    problems = []
    for start, ban in LINK_BANS.items():
        todo, seen = [(start,)], {start}
        while todo:
            way = todo.pop()
            for item in links.get(way[-1], []):
                if item in seen:
                    continue
                seen.add(item)
                if ban.search(item):
                    problems.append(" -> ".join((*way, item)) + f": {start} may not link {item}")
                else:
                    todo.append((*way, item))
    return problems


class Tree(unittest.TestCase):
    root = None
    links = None
    maxDiff = None

    def test_includes(self):
        self.assertEqual([], check_includes(self.root))

    def test_links(self):
        if self.links:
            self.assertEqual([], check_links(self.links))


class PlantedMistakes(unittest.TestCase):
    def plant(self, files):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        root = pathlib.Path(folder.name)
        headers = ["core/trial.h", "storage/storage.h", "executors/executor.h", "proto/convert.h", "tests/fake.h",
                   "tuner/server/wiring.h", "tuner/engine/engine.h"]
        for path, text in {**{h: "#pragma once\n" for h in headers}, **files}.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        return root

    def test_what_is_allowed(self):
        self.assertEqual([], check_includes(self.plant({
            "core/a.cc": '#include <vector>\n#include "absl/time/time.h"\n#include "re2/re2.h"\n#include "core/trial.h"\n',
            "storage/a.cc": '#include <sqlite3.h>\n#include <unistd.h>\n#include "core/trial.h"\n#include "tuner/v1/trial.pb.h"\n',
            "executors/a.cc": '#include "boost/process/child.hpp"\n#include <sys/wait.h>\n#include "proto/convert.h"\n',
            "tuner/server/a.cc": '#include "grpcpp/grpcpp.h"\n#include "tuner/v1/x.grpc.pb.h"\n#include "tuner/engine/engine.h"\n',
        })))

    def test_each_mistake_is_found(self):
        for path, include in [
            ("core/a.cc", '"tuner/v1/trial.pb.h"'),
            ("core/a.h", '"storage/storage.h"'),
            ("core/a.cc", '"google/protobuf/message.h"'),
            ("core/a.cc", "<google/protobuf/message.h>"),
            ("core/a.cc", '"grpcpp/grpcpp.h"'),
            ("core/a.cc", "<fstream>"),
            ("core/a.cc", "<unistd.h>"),
            ("strategies/a.cc", '"executors/executor.h"'),
            ("strategies/a.cc", "<thread>"),
            ("executors/a.cc", '"storage/storage.h"'),
            ("executors/a.cc", '"tuner/v1/tuning_service.grpc.pb.h"'),
            ("executors/a.cc", "<sqlite3.h>"),
            ("storage/a.cc", '"executors/executor.h"'),
            ("storage/a.cc", '"tuner/engine/engine.h"'),
            ("storage/a.cc", '"tests/fake.h"'),
            ("tuner/engine/a.cc", '"grpcpp/channel.h"'),
            ("tuner/engine/a.cc", '"tuner/server/wiring.h"'),
            ("tuner/engine/a.cc", "<grpcpp/channel.h>"),
            ("tuner/embed/a.cc", '"tuner/server/wiring.h"'),
            ("tuner/server/a.cc", '"tests/fake.h"'),
            ("proto/a.cc", '"storage/storage.h"'),
        ]:
            with self.subTest(f"{path} {include}"):
                problems = check_includes(self.plant({path: f"#include {include}\n"}))
                self.assertEqual(1, len(problems), problems)
                self.assertTrue(problems[0].startswith(f"{path}:1:"), problems)

    def test_a_folder_without_a_rule(self):
        self.assertEqual(1, len(check_includes(self.plant({"tuner/new/a.cc": "\n"}))))

    def test_a_forbidden_library_behind_another(self):
        path = self.plant({"links.txt": "tuner_embed: tuner::engine\ntuner_engine: $<LINK_ONLY:tuner_extra>\ntuner_extra: gRPC::grpc++\n"})
        problems = check_links(path / "links.txt")
        self.assertTrue(any(p.startswith("tuner_embed -> tuner_engine -> tuner_extra -> gRPC::grpc++") for p in problems), problems)


if __name__ == "__main__":
    Tree.root = pathlib.Path(sys.argv[1]).resolve()
    Tree.links = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else None
    unittest.main(argv=sys.argv[:1])
