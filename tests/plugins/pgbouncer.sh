#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The same as pgsql.sh through a pgbouncer in transaction mode, which knows no prepared
# statements (1.18) and gives each transaction another session.
MRG_THROUGH_PGBOUNCER=yes
export MRG_THROUGH_PGBOUNCER
. "${G_TEST_SRCDIR:?}/plugins/pgsql.sh"
