/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <arpa/inet.h>
#include <string.h>

#include "collect/classify.h"
#include "collect/hit.h"
#include "milter/error.h"

/* conf/collect, by the build. */
extern const char mrg_builtin_agents[];
extern const char mrg_builtin_networks[];

#define LIST_BYTES_MAX (32 * 1024 * 1024)
#define TEXT_MAX 255

typedef enum { HOW_IS, HOW_BEGINS, HOW_HAS } How;

typedef struct Agent {
    gint hit_class; /* -1: of a device */
    const char *device;
    How how;
    char *text; /* in small letters */
    char *reason;
} Agent;

typedef struct Network {
    MrgHitClass hit_class;
    char *reason;
} Network;

struct MrgSigns {
    GPtrArray *agents;    /* of Agent */
    GHashTable *networks; /* network_key() -> Network */
};

/* A list that is read. */
typedef struct List {
    MrgSigns *signs;
    const char *path;
    guint line;
    GError **error;
} List;

static gboolean
fail(const List *list, const char *what)
{
    g_set_error(list->error, MRG_ERROR, MRG_ERROR_CONFIG, "%s:%u:1: %s", list->path,
                list->line, what);
    return FALSE;
}

/* ---- words ------------------------------------------------------------- */

static const char *const class_names[] = {"unknown",  "human",   "proxy",
                                          "prefetch", "scanner", NULL};
static const char *const devices[] = {"phone", "tablet", "desktop", NULL};
static const char *const hows[] = {"is", "begins", "has", NULL};

const char *
mrg_class_name(MrgHitClass hit_class)
{
    return class_names[hit_class];
}

/* -1 where the word is none of them. */
static gint
find_word(const char *const *words, const char *word)
{
    for (gint i = 0; words[i]; i++)
        if (strcmp(words[i], word) == 0)
            return i;
    return -1;
}

/* The next word; what is left of the text stands behind it. */
static char *
take_word(char **text)
{
    char *word = *text;
    char *end = word + strcspn(word, " \t");
    *text = end + strspn(end, " \t");
    *end = '\0';
    return word;
}

/* ---- agents ------------------------------------------------------------ */

static void
agent_free(gpointer data)
{
    Agent *agent = data;
    g_free(agent->text);
    g_free(agent->reason);
    g_free(agent);
}

static gboolean
read_agent(List *list, char *rest)
{
    const char *word = take_word(&rest);
    gint hit_class = find_word(class_names, word), device = find_word(devices, word);
    gint how = find_word(hows, take_word(&rest));
    if (hit_class < 0 && device < 0)
        return fail(list, "neither a class nor a device");
    if (how < 0 || !*rest || strlen(rest) > TEXT_MAX)
        return fail(list, "must read CLASS is|begins|has TEXT");
    Agent *agent = g_new(Agent, 1);
    *agent = (Agent){hit_class, device < 0 ? "" : devices[device], (How) how,
                     g_ascii_strdown(rest, -1), g_strconcat("agent: ", rest, NULL)};
    g_ptr_array_add(list->signs->agents, agent);
    return TRUE;
}

static gboolean
agent_fits(const Agent *agent, const char *lower)
{
    if (agent->how == HOW_HAS)
        return strstr(lower, agent->text) != NULL;
    return agent->how == HOW_IS ? strcmp(lower, agent->text) == 0
                                : g_str_has_prefix(lower, agent->text);
}

/* is_device: the first line of a device, else of a class; NULL for none. */
static const Agent *
find_agent(const MrgSigns *signs, const char *text, gboolean is_device)
{
    char lower[MRG_HIT_AGENT_MAX + 1];
    gsize n = 0;
    for (; text[n] && n < MRG_HIT_AGENT_MAX; n++)
        lower[n] = g_ascii_tolower(text[n]);
    lower[n] = '\0';
    for (guint i = 0; i < signs->agents->len; i++) {
        const Agent *agent = g_ptr_array_index(signs->agents, i);
        if ((agent->hit_class < 0) == is_device && agent_fits(agent, lower))
            return agent;
    }
    return NULL;
}

const char *
mrg_device_of(const MrgSigns *signs, const char *agent)
{
    const Agent *found = find_agent(signs, agent, TRUE);
    return found ? found->device : "";
}

/* ---- networks ---------------------------------------------------------- */

/* The first bits of a prefix of 3 or 6 bytes: family, bits, and those. */
static gint64
network_key(const guint8 *bytes, guint n_bytes, guint bits)
{
    guint64 key = 0;
    for (guint i = 0; i < n_bytes; i++)
        key = key << 8 | bytes[i];
    guint dropped = 8 * n_bytes - bits;
    key = dropped < 64 ? key >> dropped << dropped : 0;
    return (gint64) (key | (guint64) bits << 48 | (guint64) (n_bytes == 6) << 56);
}

static void
network_free(gpointer data)
{
    Network *network = data;
    g_free(network->reason);
    g_free(network);
}

/* ADDRESS/BITS; bytes gets the whole address, *n_bytes is 3 or 6 by its family. */
static gboolean
read_mask(char *text, guint8 bytes[sizeof(struct in6_addr)], guint *n_bytes, guint64 *bits)
{
    char *slash = strchr(text, '/');
    if (!slash || !g_ascii_string_to_unsigned(slash + 1, 10, 1, 128, bits, NULL))
        return FALSE;
    *slash = '\0';
    *n_bytes = strchr(text, ':') ? 6 : 3;
    return inet_pton(*n_bytes == 6 ? AF_INET6 : AF_INET, text, bytes) == 1;
}

static gboolean
read_network(List *list, char *rest)
{
    guint8 bytes[sizeof(struct in6_addr)] = {0};
    guint n_bytes;
    guint64 bits;
    gint hit_class = find_word(class_names, take_word(&rest));
    if (hit_class < 0 || !read_mask(take_word(&rest), bytes, &n_bytes, &bits) || !*rest ||
        strlen(rest) > TEXT_MAX)
        return fail(list, "must read CLASS NETWORK/BITS NAME");
    if (bits > 8 * n_bytes)
        return fail(list, "is narrower than what is recorded of addresses (/24, /48)");
    gint64 key = network_key(bytes, n_bytes, (guint) bits);
    Network *network = g_new(Network, 1);
    *network = (Network){(MrgHitClass) hit_class, g_strconcat("network: ", rest, NULL)};
    g_hash_table_insert(list->signs->networks, g_memdup2(&key, sizeof key), network);
    return TRUE;
}

static const Network *
find_network(const MrgSigns *signs, const MrgHitRow *hit)
{
    for (guint bits = 8 * hit->network_bytes; bits > 0; bits--) {
        gint64 key = network_key(hit->network, hit->network_bytes, bits);
        const Network *network = g_hash_table_lookup(signs->networks, &key);
        if (network)
            return network;
    }
    return NULL;
}

/* ---- reading ----------------------------------------------------------- */

static gboolean
read_list(List *list, const char *text, gboolean (*read_line)(List *list, char *line))
{
    for (list->line = 1; *text; list->line++) {
        gsize length = strcspn(text, "\n");
        g_autofree char *line = g_strndup(text, length);
        text += length + (text[length] == '\n');
        g_strstrip(line);
        if (!g_utf8_validate(line, -1, NULL))
            return fail(list, "is not UTF-8");
        if (*line && *line != '#' && !read_line(list, line))
            return FALSE;
    }
    return TRUE;
}

MrgSigns *
mrg_signs_parse(const char *agents_path, const char *agents, const char *networks_path,
                const char *networks, GError **error)
{
    g_autoptr(MrgSigns) signs = g_new0(MrgSigns, 1);
    signs->agents = g_ptr_array_new_with_free_func(agent_free);
    signs->networks =
        g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, network_free);
    List of_agents = {signs, agents_path, 0, error};
    List of_networks = {signs, networks_path, 0, error};
    return read_list(&of_agents, agents, read_agent) &&
                   read_list(&of_networks, networks, read_network)
               ? g_steal_pointer(&signs)
               : NULL;
}

void
mrg_signs_free(MrgSigns *signs)
{
    g_ptr_array_unref(signs->agents);
    g_hash_table_unref(signs->networks);
    g_free(signs);
}

static char *
read_file(const char *path, const char *builtin, GError **error)
{
    char *text;
    gsize length;
    if (!*path)
        return g_strdup(builtin);
    if (!g_file_get_contents(path, &text, &length, error))
        return NULL;
    if (length <= LIST_BYTES_MAX && strlen(text) == length)
        return text;
    g_free(text);
    g_set_error(error, MRG_ERROR, MRG_ERROR_CONFIG, "%s: is too long or no text", path);
    return NULL;
}

MrgSigns *
mrg_signs_load(const char *agents, const char *networks, GError **error)
{
    g_autofree char *agents_text = read_file(agents, mrg_builtin_agents, error);
    g_autofree char *networks_text =
        agents_text ? read_file(networks, mrg_builtin_networks, error) : NULL;
    return networks_text
               ? mrg_signs_parse(*agents ? agents : "agents", agents_text,
                                 *networks ? networks : "networks", networks_text, error)
               : NULL;
}

/* ---- judging ----------------------------------------------------------- */

/* What a machine says of itself. */
static gboolean
judge_request(const MrgHitRow *hit, MrgSign *sign)
{
    if (hit->flags & MRG_HIT_HEAD)
        *sign = (MrgSign){MRG_CLASS_SCANNER, "method: HEAD"};
    else if (hit->flags & MRG_HIT_PREFETCH)
        *sign = (MrgSign){MRG_CLASS_PREFETCH, "header: fetched ahead"};
    else
        return FALSE;
    return TRUE;
}

static gboolean
judge_network(const MrgSigns *signs, const MrgHitRow *hit, MrgSign *sign)
{
    const Network *network = hit->network_bytes ? find_network(signs, hit) : NULL;
    if (network)
        *sign = (MrgSign){network->hit_class, network->reason};
    return network != NULL;
}

static gboolean
judge_time(const MrgHitRow *hit, const MrgSurroundings *around, MrgSign *sign)
{
    gboolean is_click = hit->kind == MRG_HIT_CLICK;
    if (is_click && around->n_links >= MRG_BURST_LINKS)
        *sign = (MrgSign){MRG_CLASS_SCANNER, "burst: several links within a second"};
    else if (hit->since_s < MRG_QUICK_S)
        *sign = (MrgSign){is_click ? MRG_CLASS_SCANNER : MRG_CLASS_PREFETCH,
                          "time: sooner than anybody reads"};
    else
        return FALSE;
    return TRUE;
}

MrgSign
mrg_classify(const MrgSigns *signs, const MrgHitRow *hit, const MrgSurroundings *around)
{
    MrgSign sign;
    const Agent *agent = find_agent(signs, hit->agent, FALSE);
    if (judge_request(hit, &sign))
        return sign;
    if (around->is_trapped)
        return (MrgSign){MRG_CLASS_SCANNER, "trap: a link that nobody sees"};
    if (agent && agent->hit_class != MRG_CLASS_HUMAN)
        return (MrgSign){(MrgHitClass) agent->hit_class, agent->reason};
    if (judge_network(signs, hit, &sign) || judge_time(hit, around, &sign))
        return sign;
    if (agent)
        return (MrgSign){MRG_CLASS_HUMAN, agent->reason};
    return (MrgSign){MRG_CLASS_UNKNOWN, *hit->agent ? "agent: in no list" : "agent: none"};
}
