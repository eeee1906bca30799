"""isolation_test.py OBJECT...: code for instructions that not every processor has stays where it was meant to be.

Fails when an object of dense_avx*.cc defines a symbol that the linker could take for other code's (a template or inline function
outside of its renamed Eigen), or runs anything when the program is loaded.
"""

import re
import subprocess
import sys

problems = []
objects = [path for path in sys.argv[1:] if re.search(r"dense_avx\w+\.cc", path)]
for path in objects:
    for line in subprocess.run(["nm", path], capture_output=True, text=True, check=True).stdout.splitlines():
        match = re.search(r" ([WVu]) (\S+)$", line)
        defined = match and line.strip()[0] in "0123456789abcdef"
        if defined and not re.search(r"EigenAvx|^DW\.ref", match[2]):
            problems.append(f"{path}: defines {match[2]} for everybody")
    if ".init_array" in subprocess.run(["objdump", "-h", path], capture_output=True, text=True, check=True).stdout:
        problems.append(f"{path}: runs when the program is loaded")
if len(objects) != 2:
    problems.append(f"two objects expected: {objects}")
print("\n".join(problems) or "nothing leaks")
sys.exit(1 if problems else 0)
