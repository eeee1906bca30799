# Shared by the scripts of this folder; sourced, not run.
# After it: the working directory is the checkout, `root` its path, errors end the script.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$root"
export DEBIAN_FRONTEND=noninteractive
export GIT_TERMINAL_PROMPT=0

# Debian's own Python: another one earlier in PATH may lack venv.
system_python=/usr/bin/python3
[ -x "$system_python" ] || system_python=python3

say() { printf '\033[1m==> %s\033[0m\n' "$*" | if [ -t 1 ]; then cat; else sed 's/\x1b\[[0-9;]*m//g'; fi; }
die() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }

# quietly LOG COMMAND...: the output goes to LOG and is shown only when the command fails.
quietly() {
  local log="$1" status=0
  shift
  mkdir -p "$(dirname "$log")"
  "$@" >"$log" 2>&1 || status=$?
  if [ "$status" -ne 0 ]; then
    tail -n 60 "$log" >&2
    die "'$*' failed with exit code $status; the whole output is in $log"
  fi
}

# configure PRESET [ARGUMENT...]: runs CMake, quietly.
configure() {
  local preset="$1"
  shift
  local -a werror=()
  if [ -n "${TUNER_WERROR:-}" ]; then werror=("-DTUNER_WERROR=$TUNER_WERROR"); fi
  quietly "$root/.cache/configure-$preset.log" cmake --preset "$preset" ${werror[@]+"${werror[@]}"} "$@"
}

# build PRESET [TARGET...]: shows ninja's progress on a terminal, and its end otherwise.
build() {
  local preset="$1"
  shift
  local -a targets=()
  if [ "$#" -gt 0 ]; then targets=(--target "$@"); fi
  if [ -t 1 ]; then
    cmake --build --preset "$preset" ${targets[@]+"${targets[@]}"}
  else
    quietly "$root/.cache/build-$preset.log" cmake --build --preset "$preset" ${targets[@]+"${targets[@]}"}
  fi
}
