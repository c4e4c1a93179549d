/* The file of settings: YAML by libyaml's events, so that every mistake has its line and none hides
 * the next. Only what the option table has a path for is known; nothing else of YAML is needed, and
 * so tags, anchors, aliases and further documents are refused. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "config/parts.h"

#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>
#include <yaml.h>

#define MAX_FILE  ((size_t)1 << 20)
#define MAX_KEY   64  /* bytes, NUL included */
#define MAX_KEYS  128 /* of one map */
#define MAX_DEPTH 32
#define MAX_PLACE 400

struct reader {
    yaml_parser_t parser;
    const char *path;
    struct str text;
    struct config_read *read;
    struct file_job *job; /* whose keys are read; NULL: those of the program */
    bool is_over;         /* after a mistake behind which nothing can be read */
};

/* A key and what stands behind it. */
struct entry {
    char path[3 * MAX_KEY]; /* "api.url", "jobs.eur.top" */
    char place[MAX_PLACE];  /* "geckotape.yaml:3: api.url" */
    const yaml_event_t *value;
};

typedef void read_entry(struct reader *r, const struct entry *entry);

static size_t line_of(const yaml_event_t *event)
{
    return event->start_mark.line + 1;
}

static size_t line_at(struct str text, size_t offset)
{
    size_t line = 1;

    for (size_t i = 0; i < offset && i < text.len; i++)
        line += text.p[i] == '\n';
    return line;
}

static void syntax_problem(struct reader *r)
{
    const yaml_parser_t *p = &r->parser;
    bool is_byte = p->error == YAML_READER_ERROR;

    r->is_over = true;
    opt_problem(r->read->problems, "%s:%zu: not YAML: %s%s%s; mend the line, its %s", r->path,
                is_byte ? line_at(r->text, p->problem_offset) : p->problem_mark.line + 1,
                p->context ? p->context : "", p->context ? ", " : "",
                p->problem ? p->problem : "no memory",
                is_byte ? "invisible characters" : "indentation or its quotes");
}

/* The next event; a harmless one of the end when nothing can be read any more. Anchors, aliases and
 * tags are named here, wherever they are. */
static void next(struct reader *r, yaml_event_t *ret_event)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;

    *ret_event = (yaml_event_t){.type = YAML_NO_EVENT};
    if (r->is_over)
        return;
    if (!yaml_parser_parse(&r->parser, ret_event)) {
        *ret_event = (yaml_event_t){.type = YAML_NO_EVENT};
        syntax_problem(r);
        return;
    }
    if (ret_event->type == YAML_SCALAR_EVENT) {
        anchor = ret_event->data.scalar.anchor;
        tag = ret_event->data.scalar.tag;
    } else if (ret_event->type == YAML_MAPPING_START_EVENT) {
        anchor = ret_event->data.mapping_start.anchor;
        tag = ret_event->data.mapping_start.tag;
    } else if (ret_event->type == YAML_SEQUENCE_START_EVENT) {
        anchor = ret_event->data.sequence_start.anchor;
        tag = ret_event->data.sequence_start.tag;
    }
    if (anchor || ret_event->type == YAML_ALIAS_EVENT)
        opt_problem(r->read->problems,
                    "%s:%zu: anchors and aliases (& and *) are not read; write the "
                    "value out",
                    r->path, line_of(ret_event));
    if (tag)
        opt_problem(r->read->problems,
                    "%s:%zu: tags (!) are not read; take it away, or quote the value", r->path,
                    line_of(ret_event));
}

/* Pass over the rest of a value whose first event was read. */
static void skip_value(struct reader *r, const yaml_event_t *first)
{
    size_t depth =
        first->type == YAML_MAPPING_START_EVENT || first->type == YAML_SEQUENCE_START_EVENT;

    while (depth > 0 && !r->is_over) {
        yaml_event_t event;
        next(r, &event);
        depth += event.type == YAML_MAPPING_START_EVENT || event.type == YAML_SEQUENCE_START_EVENT;
        depth -= event.type == YAML_MAPPING_END_EVENT || event.type == YAML_SEQUENCE_END_EVENT;
        if (depth > MAX_DEPTH) {
            opt_problem(r->read->problems,
                        "%s:%zu: nested deeper than %d levels; nothing here needs more than 3",
                        r->path, line_of(&event), MAX_DEPTH);
            r->is_over = true;
        }
        yaml_event_delete(&event);
    }
}

static struct str scalar_of(const yaml_event_t *event)
{
    return (struct str){(const char *)event->data.scalar.value, event->data.scalar.length};
}

/* Mistakes that only a single value can have; true when there is none. */
static bool value_fits(struct reader *r, const char *place, const yaml_event_t *event)
{
    struct str value = scalar_of(event);
    bool is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;

    if (value.len == 0 || (is_plain && (str_eq(value, STR("~")) || str_eq(value, STR("null")))))
        opt_problem(r->read->problems, "%s: has no value; give it one, or leave the key out",
                    place);
    else if (memchr(value.p, '\0', value.len))
        opt_problem(r->read->problems, "%s: holds a zero byte", place);
    else
        return true;
    return false;
}

static void read_map(struct reader *r, const char *prefix, read_entry *each);

/* ---- what keys there are ---- */

/* The option of a path; *ret_is_file when it is a secret's "…_file". */
static const struct opt_def *find_option(const struct reader *r, const char *path,
                                         bool *ret_is_file)
{
    const char *name = strrchr(path, '.');

    *ret_is_file = false;
    for (size_t i = 0; i < n_config_options; i++) {
        const struct opt_def *def = &config_options[i];
        size_t len = def->path ? strlen(def->path) : 0;
        if (r->job && i < n_config_job_options && name && strcmp(def->name, name + 1) == 0)
            return def;
        if (r->job || len == 0 || strncmp(def->path, path, len) != 0)
            continue;
        *ret_is_file = def->is_secret && strcmp(path + len, "_file") == 0;
        if (*ret_is_file || path[len] == '\0')
            return def;
    }
    return NULL;
}

static bool is_group(const char *path)
{
    size_t len = strlen(path);

    for (size_t i = 0; i < n_config_options; i++) {
        const char *full = config_options[i].path;
        if (full && strncmp(full, path, len) == 0 && full[len] == '.')
            return true;
    }
    return false;
}

/* Keep the candidate in ret when it is nearer to what was written than the ones before; of a short
 * word, less may be wrong. */
static void consider(const char *written, struct str candidate, size_t *best, char ret[3 * MAX_KEY])
{
    size_t distance = str_distance(str_of(written), candidate);

    if (distance < *best && distance <= strlen(written) / 3 + 1) {
        *best = distance;
        snprintf(ret, 3 * MAX_KEY, "%.*s", STR_ARG(candidate));
    }
}

/* The known path that was meant, "" when none is near: a slip of the pen, or the right key in the
 * wrong place. */
static void guess(const struct reader *r, const char *path, char ret[3 * MAX_KEY])
{
    const char *last = strrchr(path, '.') ? strrchr(path, '.') + 1 : path;
    size_t best = 4;

    ret[0] = '\0';
    if (!r->job)
        consider(path, STR("jobs"), &best, ret);
    for (size_t i = 0; i < n_config_options; i++) {
        const struct opt_def *def = &config_options[i];
        if (r->job && i < n_config_job_options)
            consider(last, str_of(def->name), &best, ret);
        if (r->job || def->path == NULL)
            continue;
        struct str rest = str_of(def->path), group;
        if (str_cut(&rest, '.', &group) && strchr(path, '.') == NULL)
            consider(path, group, &best, ret);
        consider(path, str_of(def->path), &best, ret);
    }
    for (size_t i = 0; i < n_config_options && ret[0] == '\0'; i++) {
        const struct opt_def *def = &config_options[i];
        const char *name = def->path ? strrchr(def->path, '.') : NULL;
        if (strcmp(def->name, last) == 0 && i < n_config_job_options)
            snprintf(ret, 3 * MAX_KEY, "jobs.NAME.%s", def->name);
        else if (def->path &&
                 (strcmp(def->name, last) == 0 || (name && strcmp(name + 1, last) == 0)))
            snprintf(ret, 3 * MAX_KEY, "%s", def->path);
    }
}

static void unknown_key(struct reader *r, const struct entry *entry)
{
    char meant[3 * MAX_KEY];

    guess(r, entry->path, meant);
    if (meant[0])
        opt_problem(r->read->problems, "%s: no such key; did you mean %s?", entry->place, meant);
    else
        opt_problem(r->read->problems,
                    "%s: no such key; geckotape.yaml(5) and geckotape.yaml.example list them",
                    entry->place);
    skip_value(r, entry->value);
}

/* ---- values ---- */

static void add_value(struct reader *r, const struct opt_def *def, bool is_file, const char *place,
                      const yaml_event_t *event)
{
    struct settings *settings = r->job ? &r->job->settings : r->read->settings;
    struct str value = scalar_of(event), origin = str_of(place);

    if (!value_fits(r, place, event))
        return;
    if (!is_file)
        settings_add(settings, str_of(def->name), value, origin, RANK_FILE);
    else if (def->verbs & r->read->verb)
        opts_from_secret_file(def, value, origin, RANK_FILE, settings, r->read->problems);
}

/* The next key of a table of parts, and what stands behind it. */
static struct str cut_part(struct str *parts, char *ret_behind)
{
    size_t n = 0;

    while (n < parts->len && parts->p[n] != '-' && parts->p[n] != ' ')
        n++;
    const struct str key = {parts->p, n};
    *ret_behind = n < parts->len ? parts->p[n] : '\0';
    *parts = (struct str){parts->p + n, parts->len - n};
    if (parts->len > 0)
        *parts = (struct str){parts->p + 1, parts->len - 1};
    return key;
}

#define MAX_PARTS 6
#define MAX_PART  2048 /* bytes of a value */

/* A map in place of a text: its values in the order of the parts, joined. */
static void read_parts(struct reader *r, const struct opt_def *def, const struct entry *entry)
{
    struct str parts = str_of(def->parts), key;
    struct buf values[MAX_PARTS], joined = BUF_INIT(MAX_PARTS * MAX_PART);
    char behind[MAX_PARTS], place[MAX_PLACE];
    struct str keys[MAX_PARTS];
    yaml_event_t event;
    size_t n = 0, i;

    for (; parts.len > 0 && n < MAX_PARTS; n++) {
        keys[n] = cut_part(&parts, &behind[n]);
        buf_init(&values[n], MAX_PART);
    }
    for (bool is_end = false; !is_end && !r->is_over;) {
        next(r, &event);
        is_end = event.type == YAML_MAPPING_END_EVENT || r->is_over;
        snprintf(place, sizeof(place), "%s:%zu: %s", r->path, line_of(&event), entry->path);
        key = event.type == YAML_SCALAR_EVENT ? scalar_of(&event) : STR_NONE;
        for (i = 0; !is_end && i < n && !str_eq(key, keys[i]);)
            i++;
        if (!is_end && i == n)
            opt_problem(r->read->problems, "%s: no such key; it takes %s", place, def->parts);
        yaml_event_delete(&event);
        if (is_end)
            break;
        next(r, &event);
        if (event.type == YAML_SCALAR_EVENT && i < n) {
            buf_clear(&values[i]);
            buf_add_str(&values[i], scalar_of(&event));
        } else if (event.type != YAML_SCALAR_EVENT) {
            opt_problem(r->read->problems, "%s: takes one value for each key", place);
            skip_value(r, &event);
        }
        yaml_event_delete(&event);
    }
    for (i = 0; i < n; i++) {
        buf_add_str(&joined, buf_str(&values[i]));
        if (i + 1 < n && (values[i + 1].len > 0 || behind[i] == '-'))
            buf_add_char(&joined, behind[i]);
        buf_release(&values[i]);
    }
    settings_add(r->job ? &r->job->settings : r->read->settings, str_of(def->name),
                 buf_str(&joined), str_of(entry->place), RANK_FILE);
    buf_release(&joined);
}

static void read_list(struct reader *r, const struct opt_def *def, const struct entry *entry)
{
    char place[MAX_PLACE];
    yaml_event_t event;
    size_t n = 0;

    for (bool is_end = false; !is_end && !r->is_over; n++) {
        next(r, &event);
        is_end = event.type == YAML_SEQUENCE_END_EVENT;
        snprintf(place, sizeof(place), "%s:%zu: %s", r->path, line_of(&event), entry->path);
        if (event.type == YAML_SCALAR_EVENT) {
            add_value(r, def, false, place, &event);
        } else if (def->parts && event.type == YAML_MAPPING_START_EVENT) {
            struct entry item = {.value = &event};
            snprintf(item.path, sizeof(item.path), "%s", entry->path);
            snprintf(item.place, sizeof(item.place), "%s", place);
            read_parts(r, def, &item);
        } else if (!is_end && !r->is_over) {
            if (event.type != YAML_ALIAS_EVENT)
                opt_problem(r->read->problems,
                            "%s: an item is one value, not a list or a map; quote it", place);
            skip_value(r, &event);
        }
        yaml_event_delete(&event);
    }
    if (n == 1 && !r->is_over)
        opt_problem(r->read->problems, "%s: is empty; give it an item, or leave the key out",
                    entry->place);
}

static void read_option(struct reader *r, const struct opt_def *def, bool is_file,
                        const struct entry *entry)
{
    if (entry->value->type == YAML_SCALAR_EVENT) {
        add_value(r, def, is_file, entry->place, entry->value);
    } else if (def->kind == OPT_LIST && entry->value->type == YAML_SEQUENCE_START_EVENT) {
        read_list(r, def, entry);
    } else if (def->parts && entry->value->type == YAML_MAPPING_START_EVENT) {
        read_parts(r, def, entry);
    } else if (entry->value->type != YAML_ALIAS_EVENT && entry->value->type != YAML_NO_EVENT) {
        opt_problem(r->read->problems, "%s: takes %s", entry->place,
                    def->kind == OPT_LIST ? "a list: one value, or lines that begin with a dash"
                                          : "one value, not a list or a map");
        skip_value(r, entry->value);
    }
}

static bool wants_map(struct reader *r, const struct entry *entry, const char *like)
{
    if (entry->value->type == YAML_MAPPING_START_EVENT)
        return true;
    if (entry->value->type != YAML_ALIAS_EVENT && entry->value->type != YAML_NO_EVENT)
        opt_problem(r->read->problems, "%s: takes a map: lines of \"%s\" below it, indented",
                    entry->place, like);
    skip_value(r, entry->value);
    return false;
}

static void read_known(struct reader *r, const struct entry *entry)
{
    bool is_file;
    const struct opt_def *def = find_option(r, entry->path, &is_file);

    if (def)
        read_option(r, def, is_file, entry);
    else if (!r->job && is_group(entry->path)) {
        if (wants_map(r, entry, "key: value"))
            read_map(r, entry->path, read_known);
    } else
        unknown_key(r, entry);
}

static void read_job(struct reader *r, const struct entry *entry)
{
    struct file_jobs *jobs = &r->read->jobs;

    if (!wants_map(r, entry, "vs: usd"))
        return;
    jobs->all = mem_grow(jobs->all, jobs->n + 1, sizeof(*jobs->all));
    jobs->all[jobs->n] = (struct file_job){.name = mem_strdup(entry->path + strlen("jobs.")),
                                           .origin = mem_strdup(entry->place)};
    r->job = &jobs->all[jobs->n++];
    read_map(r, entry->path, read_known);
    r->job = NULL;
}

static void read_top(struct reader *r, const struct entry *entry)
{
    if (strcmp(entry->path, "jobs") != 0) {
        read_known(r, entry);
        return;
    }
    if (!wants_map(r, entry, "NAME:"))
        return;
    read_map(r, "jobs", read_job);
    if (r->read->jobs.n == 0 && r->read->problems->n == 0)
        opt_problem(r->read->problems, "%s: has no job; add one, or leave the key out",
                    entry->place);
}

/* ---- maps ---- */

struct map {
    const char *prefix; /* the path of its keys, without the dot */
    read_entry *each;
    char (*seen)[MAX_KEY]; /* the keys so far */
    size_t n_seen;
};

/* "api.url" would be the path of another way to write the same key. */
static void dotted_key(struct reader *r, const struct map *map, const yaml_event_t *key)
{
    struct buf nested = BUF_INIT(6 * (size_t)MAX_KEY);
    struct str rest = scalar_of(key), part;
    size_t depth = 0;

    for (; str_cut(&rest, '.', &part); depth++)
        buf_addf(&nested, "%.*s: {", STR_ARG(part));
    buf_addf(&nested, "%.*s: …", STR_ARG(part));
    while (depth-- > 0)
        buf_add_char(&nested, '}');
    opt_problem(r->read->problems, "%s:%zu: %s%s%.*s: a key holds no dot; write %s", r->path,
                line_of(key), map->prefix, map->prefix[0] ? "." : "", STR_ARG(scalar_of(key)),
                buf_z(&nested));
    buf_release(&nested);
}

/* True for a key that can be looked at; named as a mistake when it cannot. */
static bool key_fits(struct reader *r, const struct map *map, const yaml_event_t *key)
{
    struct str name = scalar_of(key);

    if (name.len == 0 || name.len >= MAX_KEY || memchr(name.p, '\0', name.len)) {
        opt_problem(r->read->problems,
                    "%s:%zu: \"%.*s\": no such key; keys have 1 to %d characters", r->path,
                    line_of(key), (int)(name.len < MAX_KEY ? name.len : MAX_KEY), name.p,
                    MAX_KEY - 1);
        return false;
    }
    if (map->each != read_job && memchr(name.p, '.', name.len)) {
        dotted_key(r, map, key);
        return false;
    }
    for (size_t i = 0; i < map->n_seen; i++)
        if (str_eq(name, str_of(map->seen[i]))) {
            opt_problem(r->read->problems, "%s:%zu: %s%s%s: is given twice; keep one of them",
                        r->path, line_of(key), map->prefix, map->prefix[0] ? "." : "",
                        map->seen[i]);
            return false;
        }
    return true;
}

/* One key and its value. */
static void read_pair(struct reader *r, struct map *map, const yaml_event_t *key)
{
    bool is_word = key->type == YAML_SCALAR_EVENT, is_good = is_word && key_fits(r, map, key);
    struct entry entry;
    yaml_event_t value;

    if (!is_word) {
        opt_problem(r->read->problems, "%s:%zu: a key is one word, not a list or a map", r->path,
                    line_of(key));
        skip_value(r, key);
    }
    next(r, &value);
    if (is_good) {
        char *name = map->seen[map->n_seen++];
        struct str text = scalar_of(key);
        snprintf(name, MAX_KEY, "%.*s", STR_ARG(text));
        snprintf(entry.path, sizeof(entry.path), "%s%s%s", map->prefix, map->prefix[0] ? "." : "",
                 name);
        snprintf(entry.place, sizeof(entry.place), "%s:%zu: %s", r->path, line_of(key), entry.path);
        entry.value = &value;
        map->each(r, &entry);
    } else {
        skip_value(r, &value);
    }
    yaml_event_delete(&value);
}

/* The pairs of a map whose start was read, up to and with its end. */
static void read_map(struct reader *r, const char *prefix, read_entry *each)
{
    struct map map = {.prefix = prefix, .each = each, .seen = mem_new(MAX_KEYS, MAX_KEY)};

    for (bool is_end = false; !is_end && !r->is_over;) {
        yaml_event_t key;
        next(r, &key);
        is_end = key.type == YAML_MAPPING_END_EVENT;
        if (map.n_seen == MAX_KEYS && !is_end) {
            opt_problem(r->read->problems, "%s:%zu: %s: more than %d keys", r->path, line_of(&key),
                        prefix, MAX_KEYS);
            r->is_over = true;
        } else if (!is_end && !r->is_over) {
            read_pair(r, &map, &key);
        }
        yaml_event_delete(&key);
    }
    mem_free(map.seen);
}

/* The document, whose start was read. */
static void read_document(struct reader *r)
{
    yaml_event_t root, end;

    next(r, &root);
    bool is_nothing = root.type == YAML_SCALAR_EVENT && scalar_of(&root).len == 0;
    if (root.type == YAML_MAPPING_START_EVENT)
        read_map(r, "", read_top);
    else if (!is_nothing && !r->is_over) {
        opt_problem(r->read->problems, "%s:%zu: not a map; write lines of \"key: value\"", r->path,
                    line_of(&root));
        skip_value(r, &root);
    }
    yaml_event_delete(&root);
    next(r, &end);
    yaml_event_delete(&end);
}

static void read_events(struct reader *r)
{
    yaml_event_t event;
    size_t n_documents = 0;

    if (!yaml_parser_initialize(&r->parser)) {
        opt_problem(r->read->problems, "%s: no memory", r->path);
        return;
    }
    yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r->parser, (const unsigned char *)r->text.p, r->text.len);
    for (bool is_end = false; !is_end && !r->is_over;) {
        next(r, &event);
        is_end = event.type == YAML_STREAM_END_EVENT;
        if (event.type == YAML_DOCUMENT_START_EVENT && n_documents++ == 0) {
            read_document(r);
        } else if (event.type == YAML_DOCUMENT_START_EVENT) {
            opt_problem(r->read->problems,
                        "%s:%zu: a second document begins; one file is one document", r->path,
                        line_of(&event));
            r->is_over = true;
        }
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&r->parser);
}

static void read_text(const char *path, struct str text, struct config_read *read)
{
    size_t good = str_utf8_prefix(text);

    if (good < text.len) {
        opt_problem(read->problems, "%s:%zu: not UTF-8; save it as UTF-8", path,
                    line_at(text, good));
        return;
    }
    if (str_starts(text, STR("\xEF\xBB\xBF")))
        text = (struct str){text.p + 3, text.len - 3};
    struct reader r = {.path = path, .text = text, .read = read};
    if (text.len > 0)
        read_events(&r);
}

void file_read_settings(const char *path, struct config_read *read)
{
    static const char *const usual[] = {"geckotape.yaml", "/etc/geckotape/geckotape.yaml"};
    struct buf bytes = BUF_INIT(MAX_FILE);
    struct err err = ERR_INIT;

    for (size_t i = 0; path[0] == '\0' && i < 2; i++)
        if (access(usual[i], F_OK) == 0)
            path = usual[i];
    if (path[0] == '\0')
        return;
    read->file = path;
    if (file_read(path, &bytes, &err) != ST_OK)
        opt_problem(read->problems, "%s; name another file of settings, or make this one readable",
                    err.msg);
    else
        read_text(path, buf_str(&bytes), read);
    buf_release(&bytes);
}

void file_jobs_release(struct file_jobs *jobs)
{
    for (size_t i = 0; i < jobs->n; i++) {
        mem_free(jobs->all[i].name);
        mem_free(jobs->all[i].origin);
        settings_release(&jobs->all[i].settings);
    }
    mem_free(jobs->all);
    *jobs = (struct file_jobs){.all = NULL, .n = 0};
}
