#!/bin/bash
# Chaos in small: each fault once on real members and servers, and five leaders more; no two members are
# ever active, and everything recovers.  `make chaos` is the long one.
exec bash "$(dirname "$0")/../chaos/run" "${AEGIS_BUILD:-build}" faults
