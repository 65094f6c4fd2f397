#!/bin/bash
# The endurance run in small: 10^4 events and twice 300 commands, while the server is killed ten
# times and three workers are: nothing is lost, stored twice, or left behind.
exec bash "$(dirname "$0")/../soak/run" 10000 300 3
