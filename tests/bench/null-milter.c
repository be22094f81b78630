/* SPDX-License-Identifier: Apache-2.0 */
/*
 * null-milter: replaces the body with the same bytes.  What it costs is what the milter
 * protocol and libmilter cost to whoever writes a body.
 *
 *   null-milter [--no-delay] SOCKET
 *
 * It asks for no answer that it can do without, so that it is as fast as such a milter can
 * be.  --no-delay sets TCP_NODELAY on the listening socket, which libmilter does not.
 */
#include "config.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include <glib.h>
#include <libmilter/mfapi.h>

#define STEPS                                                                      \
    (SMFIP_NOCONNECT | SMFIP_NOHELO | SMFIP_NOMAIL | SMFIP_NORCPT | SMFIP_NOHDRS | \
     SMFIP_NOEOH | SMFIP_NOUNKNOWN | SMFIP_NODATA | SMFIP_NR_BODY)
#define DESCRIPTORS_MAX 64

static sfsistat
on_negotiate(SMFICTX *ctx, unsigned long actions G_GNUC_UNUSED, unsigned long steps,
             unsigned long unused_2 G_GNUC_UNUSED, unsigned long unused_3 G_GNUC_UNUSED,
             unsigned long *my_actions, unsigned long *my_steps, unsigned long *my_2,
             unsigned long *my_3)
{
    if (!smfi_getpriv(ctx))
        smfi_setpriv(ctx, g_byte_array_new());
    *my_actions = SMFIF_CHGBODY;
    *my_steps = steps & STEPS;
    *my_2 = *my_3 = 0;
    return SMFIS_CONTINUE;
}

static sfsistat
on_body(SMFICTX *ctx, unsigned char *chunk, size_t length)
{
    g_byte_array_append(smfi_getpriv(ctx), chunk, (guint) length);
    return SMFIS_NOREPLY;
}

static sfsistat
on_message_end(SMFICTX *ctx)
{
    GByteArray *body = smfi_getpriv(ctx);
    int rc = smfi_replacebody(ctx, body->data, (int) body->len);
    g_byte_array_set_size(body, 0);
    return rc == MI_SUCCESS ? SMFIS_ACCEPT : SMFIS_TEMPFAIL;
}

static sfsistat
on_abort(SMFICTX *ctx)
{
    if (smfi_getpriv(ctx))
        g_byte_array_set_size(smfi_getpriv(ctx), 0);
    return SMFIS_CONTINUE;
}

static sfsistat
on_close(SMFICTX *ctx)
{
    if (smfi_getpriv(ctx))
        g_byte_array_unref(smfi_getpriv(ctx));
    smfi_setpriv(ctx, NULL);
    return SMFIS_CONTINUE;
}

static void
send_without_delay(void)
{
    int yes = 1;
    for (int fd = 3; fd < DESCRIPTORS_MAX; fd++)
        (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}

int
main(int argc, char **argv)
{
    const struct smfiDesc filter = {
        .xxfi_name = (char *) "null",
        .xxfi_version = SMFI_VERSION,
        .xxfi_flags = SMFIF_CHGBODY,
        .xxfi_body = on_body,
        .xxfi_eom = on_message_end,
        .xxfi_abort = on_abort,
        .xxfi_close = on_close,
        .xxfi_negotiate = on_negotiate,
    };
    gboolean has_delay = argc < 2 || strcmp(argv[1], "--no-delay") != 0;
    if (argc != (has_delay ? 2 : 3)) {
        g_printerr("usage: null-milter [--no-delay] SOCKET\n");
        return 64;
    }
    if (smfi_register(filter) != MI_SUCCESS || smfi_setconn(argv[argc - 1]) != MI_SUCCESS ||
        smfi_opensocket(TRUE) != MI_SUCCESS)
        return 69;
    if (!has_delay)
        send_without_delay();
    return smfi_main() == MI_SUCCESS ? 0 : 70;
}
