# s5cmd: Go SDK v1. It has no command for a range.
. "$(dirname "$0")/probe.sh"
export S3_ENDPOINT_URL=$ENDPOINT
# At the container door it reads the token itself, not the name of its file.
if [ -n "${AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE:-}" ]; then
  AWS_CONTAINER_AUTHORIZATION_TOKEN=$(cat "$AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
  export AWS_CONTAINER_AUTHORIZATION_TOKEN
fi

version() { s5cmd version | sed 's/^v\([0-9.]*\).*/\1/'; }
list() { s5cmd ls "s3://traces/$PAGES*" | awk -v prefix="$PAGES" '{ print $3 "\t" prefix $4 }'; }
get() { s5cmd cat "s3://traces/$KEY"; }
big() { s5cmd cp --concurrency 4 --part-size 5 "s3://traces/$BIG" "$OUT/big.part" >&2 && cat "$OUT/big.part"; }
put() { s5cmd cp "$SIX" "s3://plain/$TO/six.jsonl"; }
multipart() { s5cmd cp --concurrency 4 --part-size 5 "$LARGE" "s3://plain/$TO/large.jsonl"; }

step version version
step list list
step get get
step big big
step_sync s5cmd sync "s3://traces/$TREE*" "$OUT/tree/"
step 'put 6 MiB' put
step multipart multipart
