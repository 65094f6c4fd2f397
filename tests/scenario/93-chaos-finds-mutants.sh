#!/bin/bash
# The judge of chaos is at fault if it does not find broken variants of the election on real processes.
exec bash "$(dirname "$0")/../chaos/run" "${AEGIS_BUILD:-build}" mutants
