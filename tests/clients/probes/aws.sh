# The AWS CLI, of either version.
. "$(dirname "$0")/probe.sh"

version() { aws --version 2>&1 | sed 's|^aws-cli/\([^ ]*\).*|\1|'; }
list() { aws s3api list-objects-v2 --bucket traces --prefix "$PAGES" --query 'Contents[].[Size,Key]' --output text; }
get() { aws s3 cp "s3://traces/$KEY" -; }
range() {
  aws s3api get-object --bucket traces --key "$KEY" --range "bytes=$FIRST-$LAST" "$OUT/range.part" >&2 && cat "$OUT/range.part"
}
# Above 8 MiB it fetches, and puts, parts side by side.
big() { aws s3 cp --only-show-errors "s3://traces/$BIG" "$OUT/big.part" >&2 && cat "$OUT/big.part"; }
put() { aws s3 cp --only-show-errors "$SIX" "s3://plain/$TO/six.jsonl"; }
multipart() { aws s3 cp --only-show-errors "$LARGE" "s3://plain/$TO/large.jsonl"; }

step version version
step list list
step get get
step range range
step big big
step_sync aws s3 sync "s3://traces/$TREE" "$OUT/tree"
step 'put 6 MiB' put
step multipart multipart
