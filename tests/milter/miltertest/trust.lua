-- SPDX-License-Identifier: Apache-2.0
-- What did not come by a trusted way, and what is no campaign, is let go at once.
dofile(COMMON)

local conn = open("smtpd")
expect(mt.getreply(conn) == SMFIR_ACCEPT, "an unknown daemon is listened to")
mt.disconnect(conn)

conn = open("merganser")
begin(conn, "ann@example.com", { { "Subject", "{{lunch}}" } })
expect(mt.getreply(conn) == SMFIR_ACCEPT, "ordinary mail is not let go after its headers")
mt.disconnect(conn)
