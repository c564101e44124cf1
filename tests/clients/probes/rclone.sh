# rclone: Go SDK v2, ListObjects version 1. Its settings are environment variables; so are the SDK's.
. "$(dirname "$0")/probe.sh"
export RCLONE_S3_PROVIDER=Other RCLONE_S3_ENV_AUTH=true RCLONE_S3_ENDPOINT=$ENDPOINT RCLONE_S3_REGION=tracegate
export RCLONE_CONFIG=/dev/null

version() { rclone version | sed -n '1s/^rclone v//p'; }
list() { rclone lsf --files-only --recursive --format sp --separator '	' ":s3:traces/$PAGES" | sed "s|	|	$PAGES|"; }
get() { rclone cat ":s3:traces/$KEY"; }
range() { rclone cat --offset "$FIRST" --count $((LAST - FIRST + 1)) ":s3:traces/$KEY"; }
big() {
  rclone copyto --multi-thread-streams 4 --multi-thread-cutoff 8M --multi-thread-chunk-size 5M ":s3:traces/$BIG" "$OUT/big.part" && cat "$OUT/big.part"
}
put() { rclone copyto "$SIX" ":s3:plain/$TO/six.jsonl"; }
multipart() { rclone copyto --s3-upload-cutoff 8M --s3-chunk-size 5M "$LARGE" ":s3:plain/$TO/large.jsonl"; }

step version version
step list list
step get get
step range range
step big big
step_sync rclone sync ":s3:traces/$TREE" "$OUT/tree"
step 'put 6 MiB' put
step multipart multipart
