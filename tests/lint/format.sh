#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The tree is as clang-format writes it.  Other versions break lines elsewhere, so only the
# one of Debian 12 judges.
. "${G_TEST_SRCDIR:?}/lint/tap.sh"

if clang-format --version 2>/dev/null | grep -q 'version 14\.'; then
	check 'C sources are formatted' "$(sources base render milter plugins collect ctl tests |
		xargs clang-format --dry-run --Werror 2>&1 | grep 'error:')"
else
	skip 'C sources are formatted' 'clang-format 14 is not installed'
fi
check 'no line ends in white space or holds a tab' \
	"$(sources base render milter plugins collect ctl tests |
		xargs grep -nE '[[:space:]]$|	' /dev/null)"
check 'no line is over 100 columns' \
	"$(sources base render milter plugins collect ctl | xargs grep -nE '^.{101,}' /dev/null)"
check 'every source begins with its licence' "$(sources base render milter plugins collect ctl tests |
	xargs grep -L '^/\* SPDX-License-Identifier: Apache-2.0 \*/')"
check 'nothing is left undone' "$(sources base render milter plugins collect ctl tests |
	xargs grep -nE '\b(TODO|FIXME|XXX|HACK)\b' /dev/null)"
plan
