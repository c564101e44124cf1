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

# step_sync COMMAND…: run twice, into $OUT/tree. sync-files has the files that the first run brought, sync-again those that
# the second wrote or replaced: ctime tells, since clients set the other times to what they please.
step_sync() {
  mkdir "$OUT/tree"
  step sync "$@"
  (cd "$OUT/tree" && find . -type f) >"$OUT/sync-files"
  touch "$OUT/synced"
  [ -e "$OUT/sync.error" ] || step sync "$@"
  find "$OUT/tree" -type f -cnewer "$OUT/synced" >"$OUT/sync-again"
}
