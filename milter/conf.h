/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf: the configuration, read once and never changed.
 *
 * The fields are the settings of conf/settings.def, named SECTION_KEY.  A reload reads
 * a new configuration; messages in flight keep the one they began with.
 *
 * OWNERSHIP  reference-counted; owns all texts.
 * THREADS    immutable.
 * ERRORS     MRG_ERROR_CONFIG "FILE:LINE:1: ..."; an unknown section or key is one, and the
 *            message names the nearest that there is.
 */
#ifndef MRG_CONF_H
#define MRG_CONF_H

#include "base/arena.h"
#include "milter/policy/decide.h"
#include "milter/registry.h"
#include "milter/schema.h"
#include "plugins/merganser-plugin.h"

typedef const char *MrgConfTEXT;
typedef const char *const *MrgConfLIST; /* NULL-terminated */
typedef guint MrgConfCOUNT;
typedef gsize MrgConfBYTES;
typedef gint64 MrgConfDURATION; /* microseconds */
typedef guint MrgConfMODE;
typedef guint MrgConfCHOICE;

typedef enum { MRG_STAGE_OFF, MRG_STAGE_ON } MrgStageChoice;
typedef enum { MRG_ANSWERS_EARLY, MRG_ANSWERS_LATE } MrgAnswersChoice;
typedef enum { MRG_LOG_SYSLOG, MRG_LOG_STDERR } MrgLogChoice;
typedef enum { MRG_DEFAULT_GRANTED, MRG_DEFAULT_DENIED } MrgConsentChoice;
typedef enum { MRG_UNKNOWN_GENERIC, MRG_UNKNOWN_DROP, MRG_UNKNOWN_REJECT } MrgUnknownChoice;
typedef enum { MRG_COUNT_ACCEPTED, MRG_COUNT_ATTEMPTED } MrgCountChoice;
typedef enum { MRG_PIXEL_BOTTOM, MRG_PIXEL_TOP } MrgPixelChoice;
typedef enum { MRG_MISSING_REJECT, MRG_MISSING_DROP, MRG_MISSING_HOLD } MrgMissingChoice;

/* The section [plugin NAME]. */
typedef struct MrgPluginConf {
    const char *name;
    const MrgSetting *settings;
    gsize n_settings;
} MrgPluginConf;

/* The section [site NAME]. */
typedef struct MrgSiteConf {
    const char *name, *key;
    MrgConfLIST origins;
} MrgSiteConf;

typedef struct MrgConf {
    gint references; /* atomic */
    MrgArena *arena;
    const char *path;
    MrgPolicy policy;
    const MrgSchema *schema;
    const MrgPluginConf *plugins;
    gsize n_plugins;
    const MrgSiteConf *sites;
    gsize n_sites;
#define SETTING(section, key, kind, fallback, choices, help) MrgConf##kind section##_##key;
#include "conf/settings.def"
} MrgConf;

MrgConf *mrg_conf_load(const char *path, GError **error);

/* The same from a text; path stands in errors only. */
MrgConf *mrg_conf_parse(const char *path, const char *text, GError **error);
MrgConf *mrg_conf_ref(MrgConf *conf);
void mrg_conf_unref(MrgConf *conf);

/* Settings of a plugin; an empty list where it has no section. */
const MrgPluginConf *mrg_conf_plugin(const MrgConf *conf, const char *name);

/* The configured store. */
MrgStore *mrg_conf_open_store(const MrgConf *conf, GError **error);

/* What settings.def says, for the sample, the man page and completion. */
typedef void (*MrgConfVisit)(const char *section, const char *key, const char *fallback,
                             const char *help, gpointer context);
void mrg_conf_describe(MrgConfVisit visit, gpointer context);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(MrgConf, mrg_conf_unref)

#endif
