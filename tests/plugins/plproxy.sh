#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The contract, but for accounts that people share and hits, with people spread over two
# databases by PL/Proxy.
MRG_THROUGH_PLPROXY=yes
export MRG_THROUGH_PLPROXY
. "${G_TEST_SRCDIR:?}/plugins/pgsql.sh"
