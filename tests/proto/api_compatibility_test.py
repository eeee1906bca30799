"""The API and the stored records only grow: compares proto/ with every released version in proto/released/.

    api_compatibility_test.py             the test; planted changes prove that it can fail
    api_compatibility_test.py --release   writes proto/released/<version of CMakeLists.txt>.binpb; with each release

Needs the protobuf package of .venv, and protoc.
"""

import copy
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

from google.protobuf import descriptor_pb2

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROTO = ROOT / "proto"
RELEASED = PROTO / "released"
FIELD = descriptor_pb2.FieldDescriptorProto


def described():
    """The FileDescriptorSet of all proto files of ours, without comments."""
    files = sorted(str(path.relative_to(PROTO)) for path in (PROTO / "tuner").rglob("*.proto"))
    with tempfile.NamedTemporaryFile() as out:
        subprocess.run(["protoc", f"-I{PROTO}", f"--descriptor_set_out={out.name}", *files], check=True)
        return descriptor_pb2.FileDescriptorSet.FromString(pathlib.Path(out.name).read_bytes())


def promises(files):
    """What clients and stored data rely on, as a flat dictionary: name of the thing -> how it is."""
    found = {}

    def enum(prefix, described_enum):
        for value in described_enum.value:
            found[f"enum {prefix}{described_enum.name}.{value.name}"] = value.number

    def message(prefix, described_message):
        name = f"{prefix}{described_message.name}"
        found[f"message {name}"] = ""
        for field in described_message.field:
            oneof = described_message.oneof_decl[field.oneof_index].name if field.HasField("oneof_index") else ""
            kind = FIELD.Type.Name(field.type).removeprefix("TYPE_").lower()
            how = "repeated " if field.label == FIELD.LABEL_REPEATED else "optional " if field.proto3_optional else ""
            where = f" in oneof {oneof}" if oneof and not field.proto3_optional else ""
            found[f"field {name}.{field.name}"] = f"{how}{kind} {field.type_name}".strip() + f" = {field.number}{where}"
        for inner in described_message.nested_type:
            message(f"{name}.", inner)
        for inner in described_message.enum_type:
            enum(f"{name}.", inner)

    for file in files.file:
        for top in file.message_type:
            message(f"{file.package}.", top)
        for top in file.enum_type:
            enum(f"{file.package}.", top)
        for service in file.service:
            for method in service.method:
                streams = ("stream " if method.client_streaming else "", "stream " if method.server_streaming else "")
                found[f"method {file.package}.{service.name}.{method.name}"] = (
                    f"({streams[0]}{method.input_type}) returns ({streams[1]}{method.output_type})")
    return found


def broken(released, now):
    """Every promise of `released` that `now` does not keep, as a sentence."""
    before, after = promises(released), promises(now)
    return [f"{name} was {how!r}, is {after[name]!r}" if name in after else f"{name} is gone"
            for name, how in before.items() if after.get(name) != how]


class ApiCompatibility(unittest.TestCase):
    def test_every_release_is_kept(self):
        now = described()
        for path in sorted(RELEASED.glob("*.binpb")):
            with self.subTest(path.name):
                self.assertEqual([], broken(descriptor_pb2.FileDescriptorSet.FromString(path.read_bytes()), now))

    def test_planted_changes(self):
        released = described()

        def message(files, name):
            return next(m for f in files.file for m in f.message_type if m.name == name)

        def field(files, message_name, field_name):
            return next(f for f in message(files, message_name).field if f.name == field_name)

        def renamed(files):
            field(files, "Trial", "reason").name = "why"

        def renumbered(files):
            field(files, "Trial", "reason").number = 99

        def retyped(files):
            field(files, "Trial", "number").type = FIELD.TYPE_INT64

        def made_repeated(files):
            field(files, "Trial", "reason").label = FIELD.LABEL_REPEATED

        def without_presence(files):
            target = field(files, "Trial", "objective")
            target.ClearField("proto3_optional")
            target.ClearField("oneof_index")

        def message_gone(files):
            for file in files.file:
                for index, candidate in enumerate(file.message_type):
                    if candidate.name == "Basis":
                        del file.message_type[index]
                        return

        def state_renumbered(files):
            message(files, "Trial").enum_type[0].value[1].number = 77

        def method_streams(files):
            service = next(s for f in files.file for s in f.service)
            service.method[0].server_streaming = True

        def left_its_oneof(files):
            field(files, "Strategy", "grid").ClearField("oneof_index")

        for change in (renamed, renumbered, retyped, made_repeated, without_presence, message_gone, state_renumbered,
                       method_streams, left_its_oneof):
            with self.subTest(change.__name__):
                now = copy.deepcopy(released)
                change(now)
                self.assertNotEqual([], broken(released, now))

    def test_growth_is_allowed(self):
        released = described()
        now = copy.deepcopy(released)
        target = next(m for f in now.file for m in f.message_type if m.name == "Trial")
        target.field.add(name="added", number=500, type=FIELD.TYPE_STRING, label=FIELD.LABEL_OPTIONAL)
        target.enum_type[0].value.add(name="ADDED", number=500)
        self.assertEqual([], broken(released, now))


def release():
    version = re.search(r"project\(tuner VERSION ([0-9.]+)", (ROOT / "CMakeLists.txt").read_text())[1]
    RELEASED.mkdir(exist_ok=True)
    path = RELEASED / f"{version}.binpb"
    if path.exists():
        sys.exit(f"{path} is there: a released version never changes")
    path.write_bytes(described().SerializeToString(deterministic=True))
    print(path)


if __name__ == "__main__":
    if sys.argv[1:] == ["--release"]:
        release()
    else:
        unittest.main()
