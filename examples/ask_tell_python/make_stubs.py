"""Generates the Python stubs of tuner's API from its proto files into ./generated, by grpcio-tools."""

import pathlib
import sys

from grpc_tools import protoc

HERE = pathlib.Path(__file__).resolve().parent
PROTO = HERE.parents[1] / "proto"


def make_stubs(out=HERE / "generated"):
    """Returns the folder that goes into sys.path. Does nothing when the stubs are newer than the proto files."""
    protos = sorted(PROTO.glob("tuner/v1/*.proto"))
    last = out / "tuner" / "v1" / "tuning_service_pb2_grpc.py"
    if not last.exists() or last.stat().st_mtime < max(p.stat().st_mtime for p in protos):
        out.mkdir(parents=True, exist_ok=True)
        well_known = pathlib.Path(protoc.__file__).parent / "_proto"
        arguments = [f"-I{PROTO}", f"-I{well_known}", f"--python_out={out}", f"--grpc_python_out={out}", *map(str, protos)]
        if protoc.main(["protoc", *arguments]) != 0:
            sys.exit("protoc failed")
    return str(out)


if __name__ == "__main__":
    print(make_stubs())
