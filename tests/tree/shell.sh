# Every shell script passes shellcheck.
. "$(dirname "$0")/../support/lib.sh"
{
	git ls-files -z -- 'scripts/*' .ci/run tests/run tests/fuzz/run 'deploy/examples/*.sh' |
	    xargs -0 grep -lE '^#!/bin/(ba)?sh'
} | xargs shellcheck -S warning
# Scenarios are bash without a first line, and share lib.sh.
git ls-files -- 'tests/scenario/*.sh' 'tests/tree/*.sh' 'tests/support/*.sh' tests/soak/run tests/chaos/run |
    xargs shellcheck -s bash -S warning -e SC1090,SC1091,SC2034,SC2154
