# demo.sh - for scenarios about the demo services, after lib.sh and wrap.sh.
# shellcheck shell=bash

# demo KIND INSTANCE [OPTION…]: a demo service of its own process, registered.
demo() {
	spawn "$2" "$AEGIS" demo-service "$1" --instance-id "$2" "${@:3}"
	until_true 10 registered "$1-service" "$2" ACTIVE
}

# order SYMBOL QUANTITY [SIDE]: create_order succeeds, whatever risk says of it; its id in $id.
order() {
	answers order-service create_order "{\"symbol\": \"$1\", \"quantity\": $2, \"side\": \"${3:-buy}\"}" || return 1
	id=$(js m.order_id "$T/stdout")
}

# position INSTANCE SYMBOL QUANTITY: what that instance of risk has counted.
position() {
	answers risk-service get_positions '{}' --instance "$1" &&
	    [ "$(js "(m.positions.find((p) => p.symbol === '$2') ?? { quantity: 0 }).quantity" "$T/stdout")" = "$3" ]
}

# order_is ID STATUS: as the instance that took it says.
order_is() {
	answers order-service get_order "{\"order_id\": \"$1\"}" --instance "${1%.*}" && [ "$(js m.status "$T/stdout")" = "$2" ]
}
