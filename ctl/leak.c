/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "ctl/leak.h"
#include "ctl/mail.h"

#define LETTERS 26
#define PREFIX_LETTERS 4
#define PERSON_LETTERS 4
#define FIELD_LETTERS 3
#define NUMBER_DIGITS 13
#define NUMBER_HEAD "7"

/* ---- marks ------------------------------------------------------------- */

static gboolean
holds(const char *text, gsize length, const char *prefix)
{
    for (gsize i = 0; i + PREFIX_LETTERS <= length; i++)
        if (g_ascii_strncasecmp(text + i, prefix, PREFIX_LETTERS) == 0)
            return TRUE;
    return FALSE;
}

static void
put_letters(char *to, guint n, guint number)
{
    for (guint i = n; i-- > 0; number /= LETTERS)
        to[i] = (char) ('a' + number % LETTERS);
}

void
mrg_marks_init(MrgMarks *marks, guint n_people, guint n_fields, const char *text,
               gsize length)
{
    *marks = (MrgMarks){"zqxj", n_people, n_fields};
    /* No text of a message's size holds all of them. */
    for (guint number = 0; holds(text, length, marks->prefix); number++)
        put_letters(marks->prefix, PREFIX_LETTERS, number);
}

void
mrg_mark_text(const MrgMarks *marks, guint person, guint field, char mark[MRG_MARK_BYTES])
{
    memcpy(mark, marks->prefix, PREFIX_LETTERS);
    put_letters(mark + PREFIX_LETTERS, PERSON_LETTERS, person);
    put_letters(mark + PREFIX_LETTERS + PERSON_LETTERS, FIELD_LETTERS, field);
    mark[MRG_MARK_BYTES - 1] = '\0';
}

static guint
check_digits(guint person, guint field)
{
    return (person * 2654435761U ^ field * 40503U ^ 0x5bd1e995U) % 100000;
}

void
mrg_mark_number(guint person, guint field, char mark[MRG_MARK_BYTES + 2])
{
    g_snprintf(mark, MRG_MARK_BYTES + 2, NUMBER_HEAD "%04u%03u%05u", person % 10000,
               field % 1000, check_digits(person, field));
}

/* FALSE when these are not n letters. */
static gboolean
read_letters(const char *text, gsize left, guint n, guint *number)
{
    if (left < n)
        return FALSE;
    *number = 0;
    for (guint i = 0; i < n; i++) {
        char c = g_ascii_tolower(text[i]);
        if (c < 'a' || c > 'z')
            return FALSE;
        *number = *number * LETTERS + (guint) (c - 'a');
    }
    return TRUE;
}

static void
find_texts(const MrgMarks *marks, const char *text, gsize length, MrgMarkVisit visit,
           gpointer context)
{
    const gsize head = PREFIX_LETTERS + PERSON_LETTERS;
    for (gsize i = 0; i + head <= length; i++) {
        guint person, field;
        if (g_ascii_tolower(text[i]) != marks->prefix[0] ||
            g_ascii_strncasecmp(text + i, marks->prefix, PREFIX_LETTERS) != 0 ||
            !read_letters(text + i + PREFIX_LETTERS, length - i - PREFIX_LETTERS,
                          PERSON_LETTERS, &person) ||
            person >= marks->n_people)
            continue;
        if (!read_letters(text + i + head, length - i - head, FIELD_LETTERS, &field) ||
            field >= marks->n_fields)
            field = MRG_MARK_CUT;
        visit(person, field, context);
        i += head - 1;
    }
}

/* Bytes of what stands between thousands, or 0: , . ' space, and no-break, narrow and thin
 * spaces and the typographic apostrophe in UTF-8. */
static gsize
separator(const char *at, gsize left)
{
    static const char *const wide[] = {"\xc2\xa0", "\xe2\x80\xaf", "\xe2\x80\x89",
                                       "\xe2\x80\x99"};
    if (left && strchr(",.' _", *at) && *at)
        return 1;
    for (gsize i = 0; i < G_N_ELEMENTS(wide); i++)
        if (left >= strlen(wide[i]) && memcmp(at, wide[i], strlen(wide[i])) == 0)
            return strlen(wide[i]);
    return 0;
}

static void
find_in_digits(const MrgMarks *marks, const GString *digits, MrgMarkVisit visit,
               gpointer context)
{
    for (gsize i = 0; i + NUMBER_DIGITS <= digits->len; i++) {
        char text[NUMBER_DIGITS + 1], made[MRG_MARK_BYTES + 2];
        memcpy(text, digits->str + i, NUMBER_DIGITS);
        text[NUMBER_DIGITS] = '\0';
        if (text[0] != *NUMBER_HEAD)
            continue;
        guint all = (guint) (g_ascii_strtoull(text, NULL, 10) / 100000 % 10000000);
        guint person = all / 1000, field = all % 1000;
        if (person >= marks->n_people || field >= marks->n_fields)
            continue;
        mrg_mark_number(person, field, made);
        if (strcmp(text, made) != 0)
            continue;
        visit(person, field, context);
        i += NUMBER_DIGITS - 1;
    }
}

static void
find_numbers(const MrgMarks *marks, const char *text, gsize length, MrgMarkVisit visit,
             gpointer context)
{
    g_autoptr(GString) digits = g_string_new(NULL);
    for (gsize i = 0; i < length;) {
        if (g_ascii_isdigit(text[i])) {
            g_string_append_c(digits, text[i++]);
            continue;
        }
        gsize gap = digits->len ? separator(text + i, length - i) : 0;
        if (gap && i + gap < length && g_ascii_isdigit(text[i + gap])) {
            i += gap;
            continue;
        }
        find_in_digits(marks, digits, visit, context);
        g_string_truncate(digits, 0);
        i++;
    }
    find_in_digits(marks, digits, visit, context);
}

void
mrg_marks_find(const MrgMarks *marks, const char *text, gsize length, MrgMarkVisit visit,
               gpointer context)
{
    find_texts(marks, text, length, visit, context);
    find_numbers(marks, text, length, visit, context);
}

/* ---- scan -------------------------------------------------------------- */

static void
leak_free(gpointer data)
{
    MrgLeak *leak = data;
    g_free(leak->where);
    g_free(leak);
}

void
mrg_leak_scan_init(MrgLeakScan *scan, const MrgMarks *marks)
{
    *scan = (MrgLeakScan){*marks, g_ptr_array_new_with_free_func(leak_free), 0};
}

void
mrg_leak_scan_clear(MrgLeakScan *scan)
{
    g_clear_pointer(&scan->leaks, g_ptr_array_unref);
}

static void
add_leak(MrgLeakScan *scan, MrgLeakKind kind, const char *where, guint field, guint count)
{
    for (guint i = 0; i < scan->leaks->len; i++) {
        MrgLeak *leak = g_ptr_array_index(scan->leaks, i);
        if (leak->kind == kind && leak->field == field && g_str_equal(leak->where, where)) {
            leak->count += count;
            return;
        }
    }
    MrgLeak *leak = g_new(MrgLeak, 1);
    *leak = (MrgLeak){kind, g_strdup(where), field, count};
    g_ptr_array_add(scan->leaks, leak);
}

void
mrg_leak_scan_take(MrgLeakScan *scan, const MrgLeakScan *other)
{
    for (guint i = 0; i < other->leaks->len; i++) {
        const MrgLeak *leak = g_ptr_array_index(other->leaks, i);
        add_leak(scan, leak->kind, leak->where, leak->field, leak->count);
    }
    scan->n_own += other->n_own;
}

/* A text of a copy, and whose the copy is. */
typedef struct Place {
    MrgLeakScan *scan;
    const char *where;
    guint person;
    gboolean is_header; /* that is no template */
    gboolean is_to;
    gboolean is_raw; /* read a second time, for what others' marks may hide in */
} Place;

static void
judge(guint person, guint field, gpointer context)
{
    Place *place = context;
    if (person != place->person)
        add_leak(place->scan, MRG_LEAK_OTHER, place->where, field, 1);
    else if (place->is_raw)
        return;
    else if (field == MRG_MARK_ADDRESS && !place->is_to)
        add_leak(place->scan, MRG_LEAK_ADDRESS, place->where, field, 1);
    else if (place->is_header && field != MRG_MARK_ADDRESS)
        add_leak(place->scan, MRG_LEAK_HEADER, place->where, field, 1);
    else
        place->scan->n_own++;
}

static gboolean
is_rendered(const char *name, const char *const *rendered)
{
    for (const char *const *each = rendered; *each; each++)
        if (g_ascii_strcasecmp(*each, name) == 0)
            return TRUE;
    return FALSE;
}

static void
scan_headers(Place place, const MrgEnvelope *envelope, const char *const *rendered)
{
    for (guint i = 0; i < envelope->headers->len; i++) {
        const MrgHeader *header = &g_array_index(envelope->headers, MrgHeader, i);
        g_autofree char *value = mrg_mail_header(header->value);
        g_autofree char *where = g_strconcat("header ", header->name, NULL);
        place.where = where;
        place.is_to = g_ascii_strcasecmp(header->name, "To") == 0;
        place.is_header = !is_rendered(header->name, rendered);
        mrg_marks_find(&place.scan->marks, value, strlen(value), judge, &place);
    }
}

/* The bytes without soft line breaks of quoted-printable, in which a mark may be cut. */
static void
scan_raw(Place place, const char *message, gsize length)
{
    g_autoptr(GString) text = g_string_sized_new(length);
    for (gsize i = 0; i < length; i++) {
        if (length - i > 2 && memcmp(message + i, "=\r\n", 3) == 0)
            i += 2;
        else
            g_string_append_c(text, message[i]);
    }
    place.where = "the bytes of the message";
    place.is_raw = TRUE;
    mrg_marks_find(&place.scan->marks, text->str, text->len, judge, &place);
}

void
mrg_leak_scan_copy(MrgLeakScan *scan, guint person, const char *const *rendered,
                   const char *message, gsize length)
{
    MrgMail mail;
    Place place = {.scan = scan, .person = person};
    mrg_mail_read(&mail, message, length);
    scan_headers(place, mail.envelope, rendered);
    for (gsize i = 0; i < mail.n_parts; i++) {
        place.where = mail.parts[i].name;
        mrg_marks_find(&scan->marks, mail.parts[i].text, mail.parts[i].length, judge,
                       &place);
    }
    scan_raw(place, message, length);
    mrg_mail_clear(&mail);
}

typedef struct Told {
    MrgLeakScan *scan;
    const char *where;
} Told;

static void
tell(guint person G_GNUC_UNUSED, guint field, gpointer context)
{
    const Told *told = context;
    add_leak(told->scan, MRG_LEAK_TOLD, told->where, field, 1);
}

void
mrg_leak_scan_told(MrgLeakScan *scan, const char *where, const char *text)
{
    Told told = {scan, where};
    mrg_marks_find(&scan->marks, text, strlen(text), tell, &told);
}
