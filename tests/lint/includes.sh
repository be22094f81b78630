#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Who may include whom.  A stage folder includes itself and the stages before it in the
# order mail flows, which is the order of their names; render/ sorts into its place.
. "${G_TEST_SRCDIR:?}/lint/tap.sh"

own_includes() { xargs grep -nE '^#include "' /dev/null; }

check 'base/ knows only itself' \
	"$(sources base | own_includes | grep -vE '#include "(config\.h|base/)')"
check 'render/ knows only itself, base/ and the plugin header' \
	"$(sources render | own_includes |
		grep -vE '#include "(config\.h|render/|base/|plugins/merganser-plugin\.h)')"
check 'a plugin knows only the plugin header and its own folder' "$(
	for folder in plugins/*/; do
		sources "$folder" | own_includes |
			grep -vE "#include \"(config\\.h|plugins/merganser-plugin\\.h|${folder})"
	done)"
check 'a stage looks only backwards' "$(
	for folder in milter/*/; do
		stage=$(basename "$folder")
		sources "$folder" | own_includes |
			grep -E '#include "(milter/[a-z]+/|render/|ctl/|collect/)' |
			while IFS= read -r hit; do
				used=${hit#*\"}
				used=${used#milter/}
				used=${used%%/*}
				first=$(printf '%s\n%s\n' "$used" "$stage" | LC_ALL=C sort | head -n 1)
				[ "$first" = "$used" ] || echo "$hit"
			done
	done)"
check 'no stage reaches up to the pipeline or the service' \
	"$(sources milter/*/ | own_includes | grep -E 'milter/(pipeline|service|plan)\.h')"

only() {
	check "<$1> is included in $2 only" \
		"$(sources base render milter plugins collect ctl | xargs grep -lE "^#include <$1" |
			grep -vE "^($2)")"
}
only 'libmilter/' 'milter/intake/'
only 'gmime/' 'milter/message/'
only 'libpq-fe' 'plugins/pgsql/'
only 'sqlite3' 'plugins/sqlite/'
only 'sodium' 'milter/person/key\.c|milter/stamp/token\.c|collect/journal(-file)?\.c'
only 'gmodule' 'milter/plugin\.c'
only 'unicode/' 'render/locale\.c'
only 'microhttpd' 'collect/'
only 'jansson' 'milter/json\.c|ctl/|collect/|plugins/jsonl/'
plan
