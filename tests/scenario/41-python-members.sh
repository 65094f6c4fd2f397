# RPC between aegis and the Python SDK's exact bytes, both ways, in MessagePack and JSON:
# support/interop.mjs tells each case.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/wrap.sh"
nats_start

for i in 1 2; do
	wrap "a$i" --name all-service --instance-id "a-$i" --app-stdio -- node "$S/app.mjs" stdio
done
wrap f --name few-service --instance-id f-1 --app-stdio --method echo --method fail --method who -- node "$S/app.mjs" stdio
for i in all-service/a-1 all-service/a-2 few-service/f-1; do
	until_true 10 registered "${i%/*}" "${i#*/}" ACTIVE
done
node "$S/interop.mjs" "$S/../unit/vectors.txt"
