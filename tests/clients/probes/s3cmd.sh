# s3cmd: its own signer, ListObjects version 1. It knows keys only, and fetches one stream at a time.
. "$(dirname "$0")/probe.sh"
host=${ENDPOINT#*//}
case $ENDPOINT in https:*) tls="--ssl --ca-certs=$CA" ;; *) tls=--no-ssl ;; esac
s3() { s3cmd --config=/dev/null --host="$host" --host-bucket="$host" --region=tracegate $tls "$@"; }

version() { s3cmd --version | sed 's/^s3cmd version //'; }
list() { s3 ls --recursive "s3://traces/$PAGES" | awk '{ print $3 "\t" substr($4, length("s3://traces/") + 1) }'; }
get() { s3 get "s3://traces/$KEY" -; }
big() { s3 get "s3://traces/$BIG" -; }
# What it has for ranges is to go on where a download stopped.
range() {
  head -c "$FIRST" /dev/zero >"$OUT/range.part"
  s3 get --continue "s3://traces/$KEY" "$OUT/range.part" >&2 && head -c $((LAST + 1)) "$OUT/range.part" | tail -c +$((FIRST + 1))
}
put() { s3 put "$SIX" "s3://plain/$TO/six.jsonl"; }
multipart() { s3 put --multipart-chunk-size-mb=5 "$LARGE" "s3://plain/$TO/large.jsonl"; }

step version version
step list list
step get get
step range range
step big big
step_sync s3 sync "s3://traces/$TREE" "$OUT/tree/"
step 'put 6 MiB' put
step multipart multipart
