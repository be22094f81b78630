/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "milter/intake/connection.h"

static gboolean
is_listed(const char *const *list, const char *word)
{
    return word && g_strv_contains(list, word);
}

MrgRole
mrg_trust_of_daemon(const MrgIntakeRules *rules, const char *daemon_name)
{
    if (is_listed(rules->merge_daemons, daemon_name))
        return MRG_ROLE_MERGE;
    return is_listed(rules->check_daemons, daemon_name) ? MRG_ROLE_CHECK : MRG_ROLE_NONE;
}

MrgRole
mrg_trust_of_login(const MrgIntakeRules *rules, const char *login)
{
    return is_listed(rules->senders, login) ? MRG_ROLE_MERGE : MRG_ROLE_NONE;
}

MrgConnection *
mrg_connection_new(const MrgIntakeHandler *handler)
{
    MrgConnection *connection = g_new0(MrgConnection, 1);
    connection->handler = handler;
    return connection;
}

void
mrg_connection_end(MrgConnection *connection)
{
    g_clear_pointer(&connection->envelope, mrg_envelope_free);
    if (connection->hold)
        connection->handler->release(connection->hold);
    connection->hold = NULL;
    connection->rules = NULL;
}

void
mrg_connection_free(MrgConnection *connection)
{
    if (!connection)
        return;
    mrg_connection_end(connection);
    g_free(connection);
}

gboolean
mrg_connection_begin(MrgConnection *connection, const char *sender, const char *login)
{
    mrg_connection_end(connection);
    connection->rules = connection->handler->acquire(&connection->hold);
    if (!connection->rules)
        return FALSE;
    MrgRole role = connection->daemon_role;
    if (role == MRG_ROLE_NONE)
        role = mrg_trust_of_login(connection->rules, login);
    connection->envelope = mrg_envelope_new(role, sender);
    return TRUE;
}

gboolean
mrg_connection_set_daemon(MrgConnection *connection, const char *daemon_name)
{
    gpointer hold;
    const MrgIntakeRules *rules = connection->handler->acquire(&hold);
    if (!rules)
        return FALSE;
    connection->daemon_role = mrg_trust_of_daemon(rules, daemon_name);
    connection->may_be_trusted =
        connection->daemon_role != MRG_ROLE_NONE || *rules->senders;
    connection->handler->release(hold);
    return TRUE;
}
