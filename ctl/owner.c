/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/owner.h"
#include "milter/error.h"

/*
 * The path stands in a file that the daemon's user may write, so it may name any file, and
 * with it its owner.  That gives them nothing: loading goes no further unless the file is
 * this owner's, closed to all others, and a key ring.
 */
gboolean
mrg_owner_become(const char *keys_path, GError **error)
{
    struct stat status;
    if (geteuid() != 0 || stat(keys_path, &status) < 0 || status.st_uid == 0)
        return TRUE;
    const struct passwd *user = getpwuid(status.st_uid);
    gid_t group = user ? user->pw_gid : status.st_gid;
    int groups = user ? initgroups(user->pw_name, group) : setgroups(0, NULL);
    if (groups == 0 && setgid(group) == 0 && setuid(status.st_uid) == 0)
        return TRUE;
    g_set_error(error, MRG_ERROR, MRG_ERROR_CONFIG,
                "root cannot become the user %u, whom %s belongs to: %s",
                (guint) status.st_uid, keys_path, g_strerror(errno));
    return FALSE;
}
