/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "milter/error.h"
#include "milter/person/key.h"

G_STATIC_ASSERT(MRG_SECRET_BYTES == crypto_generichash_KEYBYTES);
G_STATIC_ASSERT(MRG_KEY_BYTES >= crypto_generichash_BYTES_MIN);

G_STATIC_ASSERT(MRG_SECRET_BYTES == crypto_kdf_KEYBYTES);

/* Slot 0 is the person key, slot N the token key N. */
#define SLOTS 256

typedef struct Secrets {
    guint8 person[MRG_SECRET_BYTES];
    guint8 read[MRG_SECRET_BYTES]; /* the token key that was read last */
    MrgTokenKeys tokens[SLOTS];
} Secrets;

struct MrgKeyring {
    gint n_refs;
    guint8 sealing_id; /* 0 while no token key seals */
    MrgKeyState states[SLOTS];
    Secrets *secrets; /* read-only once sealed */
};

/* ---- the ring ---------------------------------------------------------- */

static MrgKeyring *
new_empty(GError **error)
{
    Secrets *secrets = sodium_init() < 0 ? NULL : sodium_malloc(sizeof *secrets);
    if (!secrets) {
        g_set_error_literal(error, MRG_ERROR, MRG_ERROR_INTERNAL,
                            "libsodium cannot give guarded memory");
        return NULL;
    }
    MrgKeyring *keyring = g_new0(MrgKeyring, 1);
    keyring->n_refs = 1;
    keyring->secrets = secrets;
    return keyring;
}

/* The secret serves two purposes, each by a key of its own. */
static void
derive(MrgTokenKeys *keys, guint8 secret[MRG_SECRET_BYTES])
{
    static const char context[] = "mrgtoken";
    G_STATIC_ASSERT(sizeof context == crypto_kdf_CONTEXTBYTES + 1);
    crypto_kdf_derive_from_key(keys->seal, sizeof keys->seal, 1, context, secret);
    crypto_kdf_derive_from_key(keys->hash, sizeof keys->hash, 2, context, secret);
    sodium_memzero(secret, MRG_SECRET_BYTES);
}

static void
add_token_key(MrgKeyring *keyring, guint8 id, MrgKeyState state)
{
    derive(&keyring->secrets->tokens[id], keyring->secrets->read);
    keyring->states[id] = state;
}

/* The one that was added last and is not retired; it is told apart from those that it
 * took over from. */
static void
make_sealing(MrgKeyring *keyring, guint8 id)
{
    if (keyring->sealing_id)
        keyring->states[keyring->sealing_id] = MRG_KEY_OPENS;
    keyring->states[id] = MRG_KEY_SEALS;
    keyring->sealing_id = id;
}

static MrgKeyring *
finish(MrgKeyring *keyring)
{
    sodium_mprotect_readonly(keyring->secrets);
    return keyring;
}

MrgKeyring *
mrg_keyring_new_ephemeral(GError **error)
{
    MrgKeyring *keyring = new_empty(error);
    if (!keyring)
        return NULL;
    randombytes_buf(keyring->secrets->person, MRG_SECRET_BYTES);
    randombytes_buf(keyring->secrets->read, MRG_SECRET_BYTES);
    keyring->states[0] = MRG_KEY_SEALS;
    add_token_key(keyring, 1, MRG_KEY_OPENS);
    make_sealing(keyring, 1);
    return finish(keyring);
}

MrgKeyring *
mrg_keyring_ref(MrgKeyring *keyring)
{
    g_atomic_int_inc(&keyring->n_refs);
    return keyring;
}

void
mrg_keyring_unref(MrgKeyring *keyring)
{
    if (!keyring || !g_atomic_int_dec_and_test(&keyring->n_refs))
        return;
    sodium_free(keyring->secrets); /* wipes */
    g_free(keyring);
}

const MrgTokenKeys *
mrg_keyring_token_keys(const MrgKeyring *keyring, guint8 id)
{
    if (!id || keyring->states[id] == MRG_KEY_ABSENT)
        return NULL;
    return &keyring->secrets->tokens[id];
}

MrgKeyState
mrg_keyring_token_state(const MrgKeyring *keyring, guint8 id)
{
    return id ? keyring->states[id] : MRG_KEY_ABSENT;
}

guint8
mrg_keyring_sealing_id(const MrgKeyring *keyring)
{
    return keyring->sealing_id;
}

/* ---- hashes ------------------------------------------------------------ */

/* A label of a domain in the one form for all its spellings (RFC 5890, 2.3.2.1): "xn--" is
 * read, but only what would be written as just this, so that no name gets another's key. */
static char *
fold_label(const char *label)
{
    g_autofree char *unicode =
        g_str_has_prefix(label, "xn--") ? g_hostname_to_unicode(label) : NULL;
    g_autofree char *ascii = unicode ? g_hostname_to_ascii(unicode) : NULL;
    gboolean is_read = ascii && g_str_equal(ascii, label);
    g_autofree char *lower = g_utf8_strdown(is_read ? unicode : label, -1);
    return g_utf8_normalize(lower, -1, G_NORMALIZE_NFC);
}

/* The address with its domain folded, or NULL where nothing is to be done. */
static char *
fold_domain(const char *address)
{
    const char *at = strrchr(address, '@');
    if (!at || (!strstr(at, "xn--") && g_str_is_ascii(at)))
        return NULL;
    g_auto(GStrv) labels = g_strsplit(at + 1, ".", -1);
    for (char **label = labels; *label; label++) {
        char *folded = fold_label(*label);
        g_free(*label);
        *label = folded;
    }
    g_autofree char *domain = g_strjoinv(".", labels);
    g_autoptr(GString) folded = g_string_new_len(address, at + 1 - address);
    g_string_append(folded, domain);
    return g_string_free(g_steal_pointer(&folded), FALSE);
}

void
mrg_person_key(const MrgKeyring *keyring, const char *address, MrgPersonKey *key)
{
    g_autofree char *folded = fold_domain(address);
    const char *text = folded ? folded : address;
    int rc = crypto_generichash(key->bytes, sizeof key->bytes, (const guint8 *) text,
                                strlen(text), keyring->secrets->person, MRG_SECRET_BYTES);
    g_assert(rc == 0);
}

static void
hash_text(crypto_generichash_state *hash, const char *text, gsize length)
{
    guint64 prefix = GUINT64_TO_LE((guint64) length);
    crypto_generichash_update(hash, (const guint8 *) &prefix, sizeof prefix);
    if (length)
        crypto_generichash_update(hash, (const guint8 *) text, length);
}

void
mrg_message_key(const MrgKeyring *keyring, const char *const *texts, const gsize *lengths,
                gsize n, MrgMessageKey *key)
{
    /* No address holds a NUL, so no message hashes like a person. */
    static const guint8 domain[] = {'\0', 'm'};
    crypto_generichash_state hash;
    crypto_generichash_init(&hash, keyring->secrets->person, MRG_SECRET_BYTES,
                            sizeof key->bytes);
    crypto_generichash_update(&hash, domain, sizeof domain);
    for (gsize i = 0; i < n; i++)
        hash_text(&hash, texts[i], lengths[i]);
    crypto_generichash_final(&hash, key->bytes, sizeof key->bytes);
    sodium_memzero(&hash, sizeof hash);
}

void
mrg_person_pseudonym(const MrgPersonKey *key, char pseudonym[MRG_PSEUDONYM_BYTES])
{
    sodium_bin2hex(pseudonym, MRG_PSEUDONYM_BYTES, key->bytes, MRG_PSEUDONYM_BYTES / 2);
}

/* ---- the file ---------------------------------------------------------- */

#define FILE_MAX 65536
#define BASE64_BYTES \
    sodium_base64_ENCODED_LEN(MRG_SECRET_BYTES, sodium_base64_VARIANT_ORIGINAL)

/* The file's text, in guarded memory because secrets stand in it. */
typedef struct KeyFile {
    const char *path;
    struct stat status;
    char *text; /* FILE_MAX bytes */
    gsize length;
} KeyFile;

static gboolean
fail_at(GError **error, const char *path, guint line, const char *what)
{
    g_set_error(error, MRG_ERROR, MRG_ERROR_CONFIG, "%s:%u:1: %s", path, line, what);
    return FALSE;
}

static gboolean
fail_errno(GError **error, const char *path, const char *what)
{
    g_set_error(error, MRG_ERROR, MRG_ERROR_CONFIG, "%s:1:1: %s: %s", path, what,
                g_strerror(errno));
    return FALSE;
}

static gboolean
check_secrecy(const KeyFile *file, GError **error)
{
    if (!S_ISREG(file->status.st_mode))
        return fail_at(error, file->path, 1, "is not a regular file");
    if (file->status.st_uid != 0 && file->status.st_uid != geteuid())
        return fail_at(error, file->path, 1, "is owned by neither root nor this user");
    if (file->status.st_mode & (S_IRWXG | S_IRWXO))
        return fail_at(error, file->path, 1,
                       "others than its owner have access to it; chmod it to 0600");
    return TRUE;
}

static gboolean
read_descriptor(KeyFile *file, int fd, GError **error)
{
    if (fstat(fd, &file->status) < 0)
        return fail_errno(error, file->path, "cannot be examined");
    if (!check_secrecy(file, error))
        return FALSE;
    ssize_t n;
    while ((n = read(fd, file->text + file->length, FILE_MAX - file->length)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_errno(error, file->path, "cannot be read");
        file->length += (gsize) n;
        if (file->length == FILE_MAX)
            return fail_at(error, file->path, 1, "is too large for a key file");
    }
    return TRUE;
}

static void
key_file_clear(KeyFile *file)
{
    sodium_free(file->text);
    file->text = NULL;
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(KeyFile, key_file_clear)

static gboolean
key_file_init(KeyFile *file, const char *path, GError **error)
{
    *file = (KeyFile){.path = path};
    file->text = sodium_init() < 0 ? NULL : sodium_malloc(FILE_MAX);
    if (!file->text) {
        g_set_error_literal(error, MRG_ERROR, MRG_ERROR_INTERNAL,
                            "libsodium cannot give guarded memory");
        return FALSE;
    }
    return TRUE;
}

static gboolean
key_file_read(KeyFile *file, GError **error)
{
    /* Not blocking: a FIFO in its place must not stop the start. */
    int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return fail_errno(error, file->path, "cannot be opened");
    gboolean is_done = read_descriptor(file, fd, error);
    close(fd);
    return is_done;
}

/* The next word of a line, up to its end; *length 0 when there is none. */
static const char *
next_word(const char **cursor, const char *end, gsize *length)
{
    const char *c = *cursor;
    while (c < end && g_ascii_isspace(*c))
        c++;
    const char *word = c;
    while (c < end && !g_ascii_isspace(*c))
        c++;
    *cursor = c;
    *length = (gsize) (c - word);
    return word;
}

static gboolean
is_word(const char *word, gsize length, const char *expected)
{
    return length == strlen(expected) && memcmp(word, expected, length) == 0;
}

/* 1 to 255; 0 when it is none. */
static guint8
read_id(const char *word, gsize length)
{
    guint id = 0;
    for (gsize i = 0; i < length; i++) {
        if (!g_ascii_isdigit(word[i]) || length > 3)
            return 0;
        id = id * 10 + (guint) (word[i] - '0');
    }
    return id <= 255 ? (guint8) id : 0;
}

/* NULL, or what is wrong; never the line itself, for it is a secret. */
static const char *
read_line(MrgKeyring *keyring, const char *line, const char *end)
{
    gsize n_purpose, n_id, n_secret, n_rest;
    const char *purpose = next_word(&line, end, &n_purpose);
    const char *id_text = next_word(&line, end, &n_id);
    const char *secret = next_word(&line, end, &n_secret);
    next_word(&line, end, &n_rest);
    if (!n_purpose)
        return NULL;
    if (!n_secret || n_rest)
        return "expected PURPOSE ID BASE64";
    gboolean is_person = is_word(purpose, n_purpose, "person");
    gboolean is_retired = is_word(purpose, n_purpose, "retired");
    if (!is_person && !is_retired && !is_word(purpose, n_purpose, "token"))
        return "the purpose is neither person, token nor retired";
    guint8 id = read_id(id_text, n_id);
    if (!id || (is_person && id != 1))
        return is_person ? "the id of the person key is 1" : "the id is not in 1 to 255";
    if (keyring->states[is_person ? 0 : id] != MRG_KEY_ABSENT)
        return "this key stands here twice";
    gsize n_bytes;
    guint8 *key = is_person ? keyring->secrets->person : keyring->secrets->read;
    if (sodium_base642bin(key, MRG_SECRET_BYTES, secret, n_secret, NULL, &n_bytes, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0 ||
        n_bytes != MRG_SECRET_BYTES)
        return "the key is not 32 bytes in base64";
    if (is_person)
        keyring->states[0] = MRG_KEY_SEALS;
    else
        add_token_key(keyring, id, is_retired ? MRG_KEY_RETIRED : MRG_KEY_OPENS);
    if (!is_person && !is_retired)
        make_sealing(keyring, id);
    return NULL;
}

static gboolean
read_lines(MrgKeyring *keyring, const KeyFile *file, GError **error)
{
    const char *end = file->text + file->length;
    guint number = 1;
    for (const char *line = file->text; line < end; number++) {
        const char *newline = memchr(line, '\n', (gsize) (end - line));
        const char *line_end = newline ? newline : end;
        const char *comment = memchr(line, '#', (gsize) (line_end - line));
        const char *fault = read_line(keyring, line, comment ? comment : line_end);
        if (fault)
            return fail_at(error, file->path, number, fault);
        line = line_end + 1;
    }
    if (keyring->states[0] == MRG_KEY_ABSENT)
        return fail_at(error, file->path, number, "there is no person key");
    if (!keyring->sealing_id)
        return fail_at(error, file->path, number, "there is no token key that seals");
    return TRUE;
}

static MrgKeyring *
keyring_of(const KeyFile *file, GError **error)
{
    g_autoptr(MrgKeyring) keyring = new_empty(error);
    if (!keyring || !read_lines(keyring, file, error))
        return NULL;
    return finish(g_steal_pointer(&keyring));
}

MrgKeyring *
mrg_keyring_load(const char *path, GError **error)
{
    g_auto(KeyFile) file = {0};
    if (!key_file_init(&file, path, error) || !key_file_read(&file, error))
        return NULL;
    return keyring_of(&file, error);
}

/* ---- a new key --------------------------------------------------------- */

/* Room was checked: a line is shorter than 128 bytes. */
static void
append_key(KeyFile *file, const char *purpose, guint id)
{
    guint8 secret[MRG_SECRET_BYTES];
    char base64[BASE64_BYTES];
    randombytes_buf(secret, sizeof secret);
    sodium_bin2base64(base64, sizeof base64, secret, sizeof secret,
                      sodium_base64_VARIANT_ORIGINAL);
    int n = g_snprintf(file->text + file->length, FILE_MAX - file->length, "%s %u %s\n",
                       purpose, id, base64);
    file->length += (gsize) n;
    sodium_memzero(secret, sizeof secret);
    sodium_memzero(base64, sizeof base64);
}

static void
append_text(KeyFile *file, const char *text)
{
    file->length += g_strlcpy(file->text + file->length, text, FILE_MAX - file->length);
}

static gboolean
write_all(int fd, const char *text, gsize length)
{
    while (length) {
        ssize_t n = write(fd, text, length);
        if (n < 0 && errno != EINTR)
            return FALSE;
        text += n > 0 ? n : 0;
        length -= n > 0 ? (gsize) n : 0;
    }
    return TRUE;
}

/* The folder too, or a crash could undo the rename. */
static gboolean
sync_folder(const char *path)
{
    g_autofree char *folder = g_path_get_dirname(path);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return FALSE;
    gboolean is_done = fsync(fd) == 0;
    close(fd);
    return is_done;
}

static gboolean
write_temporary(const KeyFile *file, int fd)
{
    return fchmod(fd, S_IRUSR | S_IWUSR) == 0 && write_all(fd, file->text, file->length) &&
           fsync(fd) == 0;
}

/* A new file never replaces one that someone else made meanwhile. */
static gboolean
put_in_place(const char *temporary, const char *path, gboolean is_new)
{
    if (!is_new)
        return rename(temporary, path) == 0;
    return link(temporary, path) == 0 && unlink(temporary) == 0;
}

static gboolean
key_file_write(const KeyFile *file, gboolean is_new, GError **error)
{
    g_autofree char *temporary = g_strconcat(file->path, ".XXXXXX", NULL);
    int fd = g_mkstemp_full(temporary, O_WRONLY | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd < 0)
        return fail_errno(error, file->path, "cannot be written beside");
    gboolean is_written = write_temporary(file, fd);
    int saved = errno;
    if (close(fd) != 0 && is_written) {
        saved = errno;
        is_written = FALSE;
    }
    errno = saved;
    if (is_written && put_in_place(temporary, file->path, is_new) &&
        sync_folder(file->path))
        return TRUE;
    fail_errno(error, file->path, "cannot be written");
    unlink(temporary);
    return FALSE;
}

static gboolean
choose_id(const KeyFile *file, guint8 *id, GError **error)
{
    g_autoptr(MrgKeyring) keyring = keyring_of(file, error);
    if (!keyring)
        return FALSE;
    /* Above all others, so that an id that was taken out does not come back soon. */
    guint free_id = SLOTS;
    for (guint i = SLOTS - 1; i >= 1 && !keyring->states[i]; i--)
        free_id = i;
    for (guint i = 1; i < SLOTS && free_id == SLOTS; i++)
        if (!keyring->states[i])
            free_id = i;
    if (free_id == SLOTS)
        return fail_at(error, file->path, 1, "all 255 ids of token keys are in use");
    *id = (guint8) free_id;
    return TRUE;
}

static gboolean
fill_new(KeyFile *file, guint8 *id)
{
    append_text(
        file,
        "# Merganser keys.  Keep a copy of the person key in a safe place: without it\n"
        "# nobody is recognised any more.  The last token key seals.\n");
    append_key(file, "person", 1);
    *id = 1;
    return TRUE;
}

gboolean
mrg_keyring_create(const char *path, guint8 *token_id, GError **error)
{
    g_auto(KeyFile) file = {0};
    if (!key_file_init(&file, path, error))
        return FALSE;
    gboolean is_new = g_access(path, F_OK) != 0 && errno == ENOENT;
    guint8 id = 0;
    gboolean is_ready = is_new
                            ? fill_new(&file, &id)
                            : key_file_read(&file, error) && choose_id(&file, &id, error);
    if (!is_ready)
        return FALSE;
    if (file.length > FILE_MAX - 256)
        return fail_at(error, path, 1, "is too large for another key");
    if (file.length && file.text[file.length - 1] != '\n')
        append_text(&file, "\n");
    append_key(&file, "token", id);
    if (!key_file_write(&file, is_new, error))
        return FALSE;
    *token_id = id;
    return TRUE;
}

void
mrg_key_print(gconstpointer key, char text[MRG_KEY_TEXT_BYTES])
{
    sodium_bin2hex(text, MRG_KEY_TEXT_BYTES, key, MRG_KEY_BYTES);
}

/* ---- a key retires ---- */

/* The line of a token key, from its purpose on; NULL where none has that id. */
static char *
find_token_line(const KeyFile *file, guint8 id)
{
    const char *end = file->text + file->length;
    for (const char *line = file->text; line < end;) {
        const char *newline = memchr(line, '\n', (gsize) (end - line));
        const char *line_end = newline ? newline : end;
        const char *cursor = line;
        gsize n_purpose, n_id;
        const char *purpose = next_word(&cursor, line_end, &n_purpose);
        const char *id_text = next_word(&cursor, line_end, &n_id);
        if (is_word(purpose, n_purpose, "token") && read_id(id_text, n_id) == id)
            return file->text + (purpose - file->text);
        line = line_end + 1;
    }
    return NULL;
}

/* NULL, or why the key cannot retire. */
static const char *
refuse_retirement(const MrgKeyring *keyring, guint8 id)
{
    guint n_others = 0;
    for (guint i = 1; i < SLOTS; i++)
        n_others += i != id && (keyring->states[i] == MRG_KEY_OPENS ||
                                keyring->states[i] == MRG_KEY_SEALS);
    if (!id || keyring->states[id] == MRG_KEY_ABSENT)
        return "there is no token key of that id";
    if (keyring->states[id] == MRG_KEY_RETIRED)
        return "that key is retired already";
    return n_others ? NULL
                    : "no other key could seal: make one with 'merganser key new' first";
}

gboolean
mrg_keyring_retire(const char *path, guint8 id, GError **error)
{
    static const char from[] = "token", to[] = "retired";
    g_auto(KeyFile) file = {0};
    if (!key_file_init(&file, path, error) || !key_file_read(&file, error))
        return FALSE;
    g_autoptr(MrgKeyring) keyring = keyring_of(&file, error);
    if (!keyring)
        return FALSE;
    const char *refusal = refuse_retirement(keyring, id);
    if (refusal)
        return fail_at(error, path, 1, refusal);
    if (file.length > FILE_MAX - sizeof to)
        return fail_at(error, path, 1, "is too large to change");
    char *line = find_token_line(&file, id);
    g_assert(line);
    gsize rest = file.length - (gsize) (line - file.text) - strlen(from);
    memmove(line + strlen(to), line + strlen(from), rest);
    memcpy(line, to, strlen(to));
    file.length += strlen(to) - strlen(from);
    return key_file_write(&file, FALSE, error);
}

guint
mrg_key_hash(gconstpointer key)
{
    guint hash;
    memcpy(&hash, key, sizeof hash);
    return hash;
}

gboolean
mrg_key_equal(gconstpointer a, gconstpointer b)
{
    return memcmp(a, b, MRG_KEY_BYTES) == 0;
}
