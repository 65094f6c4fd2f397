#!/bin/sh
# order.sh - a program without a library that reaches others through its local API:
#
#	aegis run-service --name shop -- ./order.sh
#
# It calls a method of greeter (greeter.sh), publishes an event, and shows how its own instance is.
set -eu

socket='' base=$AEGIS_API
case $AEGIS_API in
unix:*) socket=${AEGIS_API#unix:} base=http://localhost ;;
esac

ask() {
	curl -sS ${socket:+--unix-socket "$socket"} -H "Authorization: Bearer $AEGIS_API_TOKEN" \
	    -H 'Content-Type: application/json' "$base$1" ${2:+-d "$2"}
	echo
}

ask '/v1/call/greeter/greet?timeout=2s' '{"name": "world"}'
ask /v1/events/order/created '{"id": 7}'
ask /v1/status
