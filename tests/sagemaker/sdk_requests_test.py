"""sdk_requests.json is what the pinned SageMaker SDK sends."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
PYTHON = HERE.parents[1] / ".venv-sagemaker" / "bin" / "python"


def main():
    if not PYTHON.exists():
        print("SKIPPED: no .venv-sagemaker; run scripts/install-dependencies test", flush=True)
        sys.exit(1 if os.environ.get("CI") == "true" else 77)
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "sent.json"  # the SDK itself writes to standard output
        subprocess.run([PYTHON, HERE / "record_sdk_requests.py", file], check=True)
        sent = json.loads(file.read_text())
    stored = json.loads((HERE / "sdk_requests.json").read_text())
    if sent != stored:
        sys.exit(f"the SDK sends\n{json.dumps(sent, indent=1, sort_keys=True)}\nsdk_requests.json has\n{json.dumps(stored, indent=1, sort_keys=True)}")
    print(f"SageMaker SDK {sent['sdk']} sends the {len(sent['requests'])} requests of sdk_requests.json")


if __name__ == "__main__":
    main()
