/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "render/escape.h"
#include "render/limits.h"
#include "render/program.h"
#include "tests/suites/fixtures.h"
#include "tests/suites/suite.h"

/* What the words of a case's helper mean is told by a part of its JavaScript, so that the
 * same name may be different helpers in different cases. */
typedef struct Fixture {
    const char *name;
    const char *part; /* of its source */
    MrgHelperFunction function;
} Fixture;

static guint counter;

/* ---- values ---- */

static const MrgValue *
arg(const MrgHelperCall *call, guint i)
{
    static const MrgValue none = MRG_VALUE_MISSING_INIT;
    return i < call->n_args ? &call->args[i] : &none;
}

static const MrgValue *
named(const MrgHelperCall *call, const char *name)
{
    static const MrgValue none = MRG_VALUE_MISSING_INIT;
    for (guint i = 0; i < call->n_named; i++)
        if (strcmp(call->names[i].text, name) == 0)
            return &call->args[call->n_args + i];
    return &none;
}

static MrgValue
member(const MrgValue *object, const char *name)
{
    return *suite_member(object, name);
}

static MrgValue
this_member(const MrgHelperCall *call, const char *name)
{
    MrgValue context = mrg_call_context(call);
    return member(&context, name);
}

/* As the operator + has it. */
static const char *
text_of(MrgHelperCall *call, const MrgValue *value)
{
    if (value->type == MRG_VALUE_MISSING)
        return "undefined";
    if (value->type == MRG_VALUE_NULL)
        return "null";
    MrgValue text = mrg_call_text(call, value);
    char *copy = mrg_arena_alloc0(call->arena, text.length + 1);
    memcpy(copy, text.text, text.length);
    return copy;
}

static const char *
arg_text(MrgHelperCall *call, guint i)
{
    return text_of(call, arg(call, i));
}

/* Strings up to a NULL, one behind the other. */
static MrgValue join(MrgHelperCall *call, ...) G_GNUC_NULL_TERMINATED;

static MrgValue
join(MrgHelperCall *call, ...)
{
    g_autoptr(GString) text = g_string_new(NULL);
    va_list list;
    va_start(list, call);
    for (const char *part; (part = va_arg(list, const char *));)
        g_string_append(text, part);
    va_end(list);
    return mrg_value_string(mrg_arena_dup(call->arena, text->str, text->len), text->len);
}

static MrgValue
safe(MrgValue value)
{
    value.is_safe = TRUE;
    return value;
}

static MrgValue
upper(MrgHelperCall *call, MrgValue value)
{
    g_autofree char *text = g_ascii_strup(text_of(call, &value), -1);
    return join(call, text, NULL);
}

static MrgValue
object_of(MrgHelperCall *call, const char *const *names, const MrgValue *values, guint n)
{
    MrgMember *members = mrg_arena_array(call->arena, MrgMember, n);
    for (guint i = 0; i < n; i++)
        members[i] = (MrgMember){names[i], (guint32) strlen(names[i]), values[i]};
    return mrg_value_object(members, n);
}

static MrgValue
object_with(MrgHelperCall *call, const char *name, const char *text)
{
    MrgValue value = join(call, text, NULL);
    return object_of(call, &name, &value, 1);
}

/* ---- blocks ---- */

static MrgValue
nothing(void)
{
    return (MrgValue) MRG_VALUE_MISSING_INIT;
}

static void
run_on(MrgHelperCall *call, MrgValue context)
{
    call->turn->body = MRG_BODY_MAIN;
    call->turn->has_context = TRUE;
    call->turn->context = context;
}

static void
run_here(MrgHelperCall *call)
{
    call->turn->body = MRG_BODY_MAIN;
}

static void
set_values(MrgHelperCall *call, MrgValue values)
{
    MrgValue *copy = mrg_arena_alloc(call->arena, sizeof *copy);
    *copy = values;
    call->turn->values = copy;
}

static gboolean
is_first(const MrgHelperCall *call)
{
    return call->turn->turn == 0;
}

/* One body, on the context of the block. */
static MrgValue
fn_this(MrgHelperCall *call)
{
    if (is_first(call))
        run_here(call);
    return nothing();
}

/* One body, on nothing. */
static MrgValue
fn_nothing(MrgHelperCall *call)
{
    if (is_first(call))
        run_on(call, nothing());
    return nothing();
}

static MrgValue
fn_empty_text(MrgHelperCall *call)
{
    if (is_first(call))
        run_on(call, mrg_value_cstring(""));
    return nothing();
}

static MrgValue
inverse_empty_text(MrgHelperCall *call)
{
    if (is_first(call)) {
        run_on(call, mrg_value_cstring(""));
        call->turn->body = MRG_BODY_INVERSE;
    }
    return nothing();
}

static MrgValue
fn_then_args(MrgHelperCall *call)
{
    if (is_first(call))
        return fn_nothing(call);
    return join(call, arg_text(call, 0), arg_text(call, 1), arg_text(call, 2), NULL);
}

static MrgValue
form_on(MrgHelperCall *call)
{
    if (!is_first(call))
        return mrg_value_cstring("</form>");
    run_on(call, *arg(call, 0));
    return mrg_value_cstring("<form>");
}

static MrgValue
form_this(MrgHelperCall *call)
{
    if (!is_first(call))
        return mrg_value_cstring("</form>");
    run_here(call);
    return mrg_value_cstring("<form>");
}

static MrgValue
list(MrgHelperCall *call)
{
    const MrgValue *items = arg(call, 0);
    guint turn = call->turn->turn;
    if (!items->length) {
        if (turn)
            return mrg_value_cstring("</p>");
        call->turn->body = MRG_BODY_INVERSE;
        return mrg_value_cstring("<p>");
    }
    if (turn == items->length)
        return mrg_value_cstring("</li></ul>");
    run_on(call, items->items[turn]);
    return mrg_value_cstring(turn ? "</li><li>" : "<ul><li>");
}

static MrgValue
link_around(MrgHelperCall *call, MrgValue href)
{
    if (!is_first(call))
        return mrg_value_cstring("</a>");
    run_here(call);
    return join(call, "<a href=\"", text_of(call, &href), "\">", NULL);
}

static MrgValue
link_prefix(MrgHelperCall *call)
{
    MrgValue url = this_member(call, "url");
    return link_around(call, join(call, arg_text(call, 0), "/", text_of(call, &url), NULL));
}

static MrgValue
link_people(MrgHelperCall *call)
{
    MrgValue id = this_member(call, "id");
    return link_around(call, join(call, "/people/", text_of(call, &id), NULL));
}

static MrgValue
link_name(MrgHelperCall *call)
{
    return link_around(call, this_member(call, "name"));
}

static MrgValue
link_inline(MrgHelperCall *call)
{
    MrgValue url = this_member(call, "url"), text = this_member(call, "text");
    return join(call, "<a href=\"", arg_text(call, 0), "/", text_of(call, &url), "\">",
                text_of(call, &text), "</a>", NULL);
}

static const char *const byes[] = {"Goodbye", "goodbye", "GOODBYE"};

static MrgValue
byes_on(MrgHelperCall *call, gboolean has_context)
{
    guint turn = call->turn->turn;
    if (turn == G_N_ELEMENTS(byes))
        return mrg_value_cstring("! ");
    if (has_context)
        run_on(call, object_of(call, NULL, NULL, 0));
    else
        run_here(call);
    return join(call, turn ? "! " : "", byes[turn], " ", NULL);
}

static MrgValue
byes_this(MrgHelperCall *call)
{
    return byes_on(call, FALSE);
}

static MrgValue
byes_empty(MrgHelperCall *call)
{
    return byes_on(call, TRUE);
}

static MrgValue
fn_text_goodbye(MrgHelperCall *call)
{
    if (is_first(call))
        run_on(call, object_with(call, "text", "GOODBYE"));
    return nothing();
}

static MrgValue
fn_greeting(MrgHelperCall *call)
{
    static const char *const names[] = {"greeting", "adj", "noun"};
    const MrgValue values[] = {mrg_value_cstring("Goodbye"), *arg(call, 0), *arg(call, 1)};
    if (is_first(call))
        run_on(call, object_of(call, names, values, 3));
    return nothing();
}

static MrgValue
goodbye_times(MrgHelperCall *call)
{
    if (!is_first(call))
        return join(call, " ", text_of(call, named(call, "times")), " TIMES", NULL);
    run_here(call);
    return join(call, "GOODBYE ", text_of(call, named(call, "cruel")), " ", NULL);
}

static MrgValue
goodbye_print_block(MrgHelperCall *call)
{
    if (!is_first(call))
        return nothing();
    if (!mrg_value_is_true(named(call, "print")))
        return mrg_value_cstring("NOT PRINTING");
    run_here(call);
    return join(call, "GOODBYE ", text_of(call, named(call, "cruel")), " ", NULL);
}

static MrgValue
goodbye_upper_block(MrgHelperCall *call)
{
    if (!is_first(call))
        return nothing();
    run_here(call);
    return upper(call, this_member(call, "goodbye"));
}

/* ---- blocks with parameters ---- */

static void
set_params(MrgHelperCall *call, guint first)
{
    MrgValue *params = mrg_arena_array(call->arena, MrgValue, 2);
    for (guint i = 0; i < 2; i++)
        params[i] = mrg_value_number(first + i, call->arena);
    call->turn->params = params;
    call->turn->n_params = 2;
}

static MrgValue
params_bar(MrgHelperCall *call)
{
    if (is_first(call)) {
        run_on(call, object_with(call, "value", "bar"));
        set_params(call, 1);
    }
    return nothing();
}

static MrgValue
params_empty(MrgHelperCall *call)
{
    if (is_first(call)) {
        run_on(call, object_of(call, NULL, NULL, 0));
        set_params(call, 1);
    }
    return nothing();
}

static MrgValue
params_this(MrgHelperCall *call)
{
    if (is_first(call)) {
        run_here(call);
        set_params(call, 1);
    }
    return nothing();
}

static MrgValue
params_counting(MrgHelperCall *call)
{
    if (is_first(call)) {
        run_on(call, object_with(call, "value", "bar"));
        if (call->turn->n_block_params == 1) {
            set_params(call, counter);
            counter += 2;
        }
    }
    return nothing();
}

/* ---- @values ---- */

static MrgValue
let(MrgHelperCall *call)
{
    const char *names[MRG_LIMIT_ARGUMENTS];
    if (!is_first(call))
        return nothing();
    for (guint i = 0; i < call->n_named; i++)
        names[i] = call->names[i].text;
    run_here(call);
    set_values(call, object_of(call, names, call->args + call->n_args, call->n_named));
    return nothing();
}

static MrgValue
depth(MrgHelperCall *call)
{
    static const char *const name = "depth";
    if (!is_first(call))
        return nothing();
    MrgValue here = mrg_call_data(call, name);
    MrgValue deeper = mrg_value_number(here.number + 1, call->arena);
    run_here(call);
    set_values(call, object_of(call, &name, &deeper, 1));
    return nothing();
}

static MrgValue
exclaim_question(MrgHelperCall *call)
{
    if (is_first(call))
        run_on(call, object_with(call, "exclaim", "?"));
    return nothing();
}

static MrgValue
exclaim_access(MrgHelperCall *call)
{
    if (!is_first(call))
        return nothing();
    run_on(call, object_with(call, "exclaim", "?"));
    MrgValue access = mrg_call_data(call, "accessData");
    return join(call, text_of(call, &access), " ", NULL);
}

static MrgValue
exclaim_sad(MrgHelperCall *call)
{
    exclaim_question(call);
    if (is_first(call))
        set_values(call, object_with(call, "adjective", "sad"));
    return nothing();
}

static MrgValue
exclaim_sad_world(MrgHelperCall *call)
{
    static const char *const names[] = {"exclaim", "zomg"};
    const MrgValue values[] = {mrg_value_cstring("?"), mrg_value_cstring("world")};
    if (!is_first(call))
        return nothing();
    run_on(call, object_of(call, names, values, 2));
    set_values(call, object_with(call, "adjective", "sad"));
    return nothing();
}

static const char *
adjective(MrgHelperCall *call)
{
    MrgValue value = mrg_call_data(call, "adjective");
    return text_of(call, &value);
}

static MrgValue
adjective_noun(MrgHelperCall *call)
{
    MrgValue noun = this_member(call, "noun");
    return join(call, adjective(call), " ", text_of(call, &noun), NULL);
}

static MrgValue
adjective_thing_exclaim(MrgHelperCall *call)
{
    MrgValue mark = this_member(call, "exclaim");
    return join(call, adjective(call), " ", arg_text(call, 0),
                mrg_value_is_true(&mark) ? text_of(call, &mark) : "", NULL);
}

static const char *
mark(const MrgHelperCall *call)
{
    MrgValue exclaim = this_member(call, "exclaim");
    return mrg_value_is_true(&exclaim) ? "!" : "";
}

static MrgValue
data_exclaim(MrgHelperCall *call)
{
    return mrg_call_data(call, "exclaim");
}

/* ---- plain ones ---- */

#define CONSTANT(name, text)                                \
    static MrgValue name(MrgHelperCall *call G_GNUC_UNUSED) \
    {                                                       \
        return mrg_value_cstring(text);                     \
    }
CONSTANT(world_loud, "world!")
CONSTANT(world, "world")
CONSTANT(found_it, "found it!")
CONSTANT(helpers_text, "helpers")
CONSTANT(foo_text, "foo")
CONSTANT(helper_text, "helper")
CONSTANT(dude, "dude")
CONSTANT(missing_text, "missing")
CONSTANT(lol, "LOL")
CONSTANT(ran_helper, "ran: helper")

/* One that puts texts together. */
#define JOINING(name, ...)                    \
    static MrgValue name(MrgHelperCall *call) \
    {                                         \
        return join(call, __VA_ARGS__, NULL); \
    }
JOINING(dash, arg_text(call, 0), "-", arg_text(call, 1))
JOINING(concat, arg_text(call, 0), arg_text(call, 1))
JOINING(twice, arg_text(call, 0), arg_text(call, 0))
JOINING(hello, "Hello ", arg_text(call, 0))
JOINING(hello_noun, "Hello ", text_of(call, named(call, "noun")))
JOINING(val_is, "val is ", arg_text(call, 0))
JOINING(val_is_three, "val is ", arg_text(call, 0), ", ", arg_text(call, 1), " and ",
        arg_text(call, 2))
JOINING(val_is_fun, "val is ", text_of(call, named(call, "fun")))
JOINING(bar_value, "bar ", arg_text(call, 0))
JOINING(goodbye_two, "Goodbye ", arg_text(call, 0), " ", arg_text(call, 1))
JOINING(adjective_noun_mark, adjective(call), " ", arg_text(call, 0), mark(call))
JOINING(adjective_world_mark, adjective(call), " world", mark(call))
JOINING(as_text, arg_text(call, 0))
JOINING(block_missing, "missing: ", arg_text(call, call->n_args - 1))
JOINING(helper_missing, "helper missing: ", arg_text(call, call->n_args - 1))

static MrgValue
undefined(MrgHelperCall *call G_GNUC_UNUSED)
{
    return nothing();
}

static MrgValue
missing_link_to(MrgHelperCall *call)
{
    if (strcmp(arg_text(call, call->n_args - 1), "link_to") != 0)
        return nothing();
    return safe(
        join(call, "<a>", call->n_args > 1 ? arg_text(call, 0) : "winning", "</a>", NULL));
}

static MrgValue
are_identical(MrgHelperCall *call)
{
    const MrgValue *a = arg(call, 0), *b = arg(call, 1);
    return mrg_value_boolean(a->type == b->type &&
                             strcmp(arg_text(call, 0), arg_text(call, 1)) == 0);
}

static MrgValue
cruel(MrgHelperCall *call)
{
    MrgValue text = upper(call, *arg(call, 0));
    return join(call, "cruel ", text_of(call, &text), NULL);
}

static MrgValue
goodbye_upper(MrgHelperCall *call)
{
    return upper(call, this_member(call, "goodbye"));
}

static const char *
typed_text(MrgHelperCall *call, guint i, MrgValueType type, const char *otherwise)
{
    return arg(call, i)->type == type ? arg_text(call, i) : otherwise;
}

static MrgValue
hello_times(MrgHelperCall *call)
{
    return join(call, "Hello ", typed_text(call, 0, MRG_VALUE_NUMBER, "NaN"), " times",
                NULL);
}

static MrgValue
hello_two_times(MrgHelperCall *call)
{
    return join(call, "Hello ", typed_text(call, 0, MRG_VALUE_NUMBER, "NaN"), " ",
                typed_text(call, 1, MRG_VALUE_NUMBER, "NaN"), " times", NULL);
}

static MrgValue
hello_types(MrgHelperCall *call)
{
    return join(call, "Hello ", arg_text(call, 0), " ",
                typed_text(call, 1, MRG_VALUE_NUMBER, "NaN"),
                " times: ", typed_text(call, 2, MRG_VALUE_BOOLEAN, "NaB"), " ",
                typed_text(call, 3, MRG_VALUE_BOOLEAN, "NaB"), NULL);
}

static MrgValue
goodbye_hash(MrgHelperCall *call)
{
    return join(call, "GOODBYE ", text_of(call, named(call, "cruel")), " ",
                text_of(call, named(call, "world")), " ",
                text_of(call, named(call, "times")), " TIMES", NULL);
}

static MrgValue
goodbye_print(MrgHelperCall *call)
{
    if (!mrg_value_is_true(named(call, "print")))
        return mrg_value_cstring("NOT PRINTING");
    return join(call, "GOODBYE ", text_of(call, named(call, "cruel")), " ",
                text_of(call, named(call, "world")), NULL);
}

static MrgValue
type_of(MrgHelperCall *call)
{
    static const char *const names[] = {"undefined", "object", "boolean", "number",
                                        "string",    "object", "object"};
    return mrg_value_cstring(names[arg(call, 0)->type]);
}

static MrgValue
test_property(MrgHelperCall *call)
{
    return this_member(call, "testProperty");
}

static MrgValue
my_if(MrgHelperCall *call)
{
    if (is_first(call))
        call->turn->body =
            mrg_value_is_true(arg(call, 0)) ? MRG_BODY_MAIN : MRG_BODY_INVERSE;
    return nothing();
}

static MrgValue
hash_length(MrgHelperCall *call)
{
    return *named(call, "length");
}

static MrgValue
takes_missing(MrgHelperCall *call)
{
    g_assert_cmpuint(call->n_named, ==, 1);
    g_assert_cmpint(named(call, "value")->type, ==, MRG_VALUE_MISSING);
    return mrg_value_cstring("success");
}

static MrgValue
translated(MrgHelperCall *call)
{
    return safe(*arg(call, 0));
}

static const char *
escaped(MrgHelperCall *call, const MrgValue *value)
{
    g_auto(MrgBuffer) out;
    mrg_buffer_init(&out, 10000);
    mrg_escape_append(&out, MRG_ESCAPE_HTML, value->is_safe, value->text, value->length);
    char *copy = mrg_arena_alloc0(call->arena, out.length + 1);
    memcpy(copy, out.data, out.length);
    return copy;
}

static MrgValue
input(MrgHelperCall *call)
{
    return safe(join(call, "<input aria-label=\"", escaped(call, named(call, "aria-label")),
                     "\" placeholder=\"", escaped(call, named(call, "placeholder")),
                     "\" />", NULL));
}

/* The first row that fits counts. */
static const Fixture fixtures[] = {
    {"blog", "that, theOther", val_is_three},
    {"blog", "hash.fun", val_is_fun},
    {"blog", "val is", val_is},
    {"blk", "block.fn('')", fn_empty_text},
    {"bar", "LOL", lol},
    {"blockHelperMissing", "missing: ", block_missing},
    {"concat", "a + b", concat},
    {"cruel", "cruel ", cruel},
    {"dash", "a + '-' + b", dash},
    {"detectDataInsideEach", "exclaim", data_exclaim},
    {"equal", "x === y", are_identical},
    {"foo", "bar ", bar_value},
    {"foo", "val + val", twice},
    {"form", "fn(context)", form_on},
    {"form", "fn(this)", form_this},
    {"goodbye", "world, options", fn_greeting},
    {"goodbye", "Goodbye ", goodbye_two},
    {"goodbye", "hash.cruel + ' ' + options.hash.world + ' ' + options.hash.times",
     goodbye_hash},
    {"goodbye", "hash.cruel + ' ' + options.fn(this) + ' '", goodbye_times},
    {"goodbye", "hash.cruel + ' ' + options.fn(this)", goodbye_print_block},
    {"goodbye", "NOT PRINTING", goodbye_print},
    {"goodbye", "toUpperCase() + options.fn", goodbye_upper_block},
    {"goodbye", "toUpperCase()", goodbye_upper},
    {"goodbyes", "global.value++", params_counting},
    {"goodbyes", "fn({value: 'bar'}", params_bar},
    {"goodbyes", "fn({}, {blockParams", params_empty},
    {"goodbyes", "fn(this, {blockParams", params_this},
    {"goodbyes", "byes[i] + ' ' + options.fn(this)", byes_this},
    {"goodbyes", "byes[i] + ' ' + options.fn({})", byes_empty},
    {"goodbyes", "text: 'GOODBYE'", fn_text_goodbye},
    {"hello", "accessData", exclaim_access},
    {"hello", "zomg: 'world'", exclaim_sad_world},
    {"hello", "adjective: 'sad'", exclaim_sad},
    {"hello", "exclaim: '?'", exclaim_question},
    {"hello", "this.noun", adjective_noun},
    {"hello", "data.adjective", adjective_noun_mark},
    {"hello", "options.fn(this)", fn_this},
    {"hello", "hash.noun", hello_noun},
    {"hello", "bool2", hello_types},
    {"hello", "times2", hello_two_times},
    {"hello", "times", hello_times},
    {"hello", "'foo'", foo_text},
    {"hello", "Hello ", hello},
    {"helpa", "hash.length", hash_length},
    {"helper", "ran: ", ran_helper},
    {"helper", "depth", depth},
    {"helper", "success", takes_missing},
    {"helper", "'helper'", helper_text},
    {"helperMissing", "link_to", missing_link_to},
    {"helperMissing", "helper missing: ", helper_missing},
    {"identity", "fn()", fn_nothing},
    {"input", "aria-label", input},
    {"inverse", "block.inverse('')", inverse_empty_text},
    {"let", "createFrame", let},
    {"link", "this.text", link_inline},
    {"link", "this.url", link_prefix},
    {"link", "/people/", link_people},
    {"link", "this.name", link_name},
    {"list", "<ul>", list},
    {"lookup", "helpers", helpers_text},
    {"myif", "conditional", my_if},
    {"nothere", "{}", undefined},
    {"partial", "missing", missing_text},
    {"partial", "dude", dude},
    {"raw", "+ a + b + c", fn_then_args},
    {"raw", "fn()", fn_nothing},
    {"str", "value + ''", as_text},
    {"t", "SafeString", translated},
    {"testHelper", "testProperty", test_property},
    {"testHelper", "found it!", found_it},
    {"test_helper", "found it!", found_it},
    {"typeof", "typeof arg", type_of},
    {"value", "foo", foo_text},
    {"world", "exclaim || ''", adjective_thing_exclaim},
    {"world", "' world'", adjective_world_mark},
    {"world", "world!", world_loud},
    {"world", "world", world},
    {"wrap", "fn()", fn_nothing},
};

static const Fixture *
find_fixture(const char *name, const char *source)
{
    for (gsize i = 0; i < G_N_ELEMENTS(fixtures); i++)
        if (strcmp(fixtures[i].name, name) == 0 && strstr(source, fixtures[i].part))
            return &fixtures[i];
    return NULL;
}

void
fixtures_add(GArray *helpers, const MrgValue *javascript)
{
    for (guint32 i = 0; i < javascript->length; i++) {
        const MrgMember *wanted = &javascript->members[i];
        g_autofree char *source = suite_text(&wanted->value, "javascript");
        g_autofree char *name = g_strndup(wanted->name, wanted->name_length);
        const Fixture *fixture = find_fixture(name, source);
        if (!fixture) {
            g_assert_cmpstr(source, ==, "");
            continue;
        }
        MrgHelper helper = {.name = fixture->name, .function = fixture->function};
        g_array_append_val(helpers, helper);
    }
}

void
fixtures_reset(void)
{
    counter = 1;
}
