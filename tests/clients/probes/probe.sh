# What the probes of command-line clients share. Sourced; ../probe.rs says what is in the environment.
set -u

# step NAME COMMAND…: what the command prints is the file NAME; where it fails, NAME.error says why.
step() {
  local name=$1
  shift
  if ! "$@" >"$OUT/$name" 2>"$OUT/$name.stderr"; then
    cat "$OUT/$name" "$OUT/$name.stderr" >"$OUT/$name.error"
  fi
}

# step_sync COMMAND…: run twice; both must succeed, and the second may not touch a file of $OUT/tree.
step_sync() {
  mkdir "$OUT/tree"
  step sync "$@"
  # %C@ is when a file was last written or replaced, to the nanosecond.
  (cd "$OUT/tree" && find . -type f -printf '%p %i %C@\n' | LC_ALL=C sort) >"$OUT/sync-before"
  [ -e "$OUT/sync.error" ] || step sync "$@"
  (cd "$OUT/tree" && find . -type f -printf '%p %i %C@\n' | LC_ALL=C sort) >"$OUT/sync-after"
}
