#!/usr/bin/env python3
"""Do the kernels still take as many instructions as they are allowed? Counts, unlike times, are the same on a busy machine.

    scripts/instructions.py [KERNEL ...]     counts, and compares with benches/instructions.json: more than 3 % over a limit is an error
    scripts/instructions.py --write          sets the limits to what is counted now; their difference is read like code

Each kernel of benches/instructions.rs runs under callgrind twice, with it and without; the difference is what it takes. Limits are of one compiler and one kind of
processor: set them anew with a new one. Needs valgrind.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIMITS = ROOT / "benches" / "instructions.json"
# Hash tables are seeded anew in every process, which moves counts by some tenths of a per cent.
TOLERANCE = 0.03


def program() -> str:
    command = ["cargo", "bench", "--locked", "--bench", "instructions", "--no-run", "--message-format=json"]
    build = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    found = [m["executable"] for m in map(json.loads, build.stdout.splitlines()) if m.get("target", {}).get("name") == "instructions" and m.get("executable")]
    return found[-1]


def counted(path: str, kernel: str, times: int) -> int:
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", path, kernel, str(times)]
    run = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "POLARS_MAX_THREADS": "1"})
    found = re.search(r"Collected : (\d+)", run.stderr)
    if run.returncode or not found:
        sys.exit(f"{kernel}: callgrind failed\n{run.stderr[-2000:]}")
    return int(found.group(1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kernels", nargs="*")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    path = program()
    known = subprocess.run([path], check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    if strangers := [kernel for kernel in arguments.kernels if kernel not in known]:
        sys.exit(f"no kernel {', '.join(strangers)}; there are {', '.join(known)}")
    limits = json.loads(LIMITS.read_text()) if LIMITS.exists() else {}
    if missing := [kernel for kernel in known if kernel not in limits and not arguments.write]:
        sys.exit(f"no limit for {', '.join(missing)}: run with --write")
    over = 0
    for kernel in arguments.kernels or known:
        count = counted(path, kernel, 1) - counted(path, kernel, 0)
        if arguments.write:
            limits[kernel] = count
            print(f"{kernel:20} {count:>15,}")
            continue
        share = count / limits[kernel] - 1
        over += share > TOLERANCE
        verdict = "OVER" if share > TOLERANCE else "lower the limit" if share < -TOLERANCE else "ok"
        print(f"{kernel:20} {count:>15,} {limits[kernel]:>15,} {100 * share:+6.1f} %  {verdict}")
    if arguments.write:
        LIMITS.write_text(json.dumps({kernel: limits[kernel] for kernel in known}, indent=2) + "\n")
    sys.exit(over > 0)


if __name__ == "__main__":
    main()
