/* docgen PART: print what the tables know of it.
 * docgen fill FILE: print FILE with each line "; docgen PART" replaced by it, and each line
 * "; docgen comment HEADER" by the first comment of HEADER, whose path is relative to FILE. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "docgen.h"

#include "base/file.h"

#include <stdio.h>

#define MAX_FILE ((size_t)1 << 20)

static const struct part {
    const char *name;
    void (*print)(void);
} parts[] = {
    {"options", markdown_options}, {"metrics", markdown_metrics},
    {"man-verbs", man_verbs},      {"man-options", man_options},
    {"man-keys", man_keys},        {"man-job-keys", man_job_keys},
    {"bash", shell_bash},          {"zsh", shell_zsh},
    {"fish", shell_fish},          {"simulator", markdown_simulator},
    {"quality", markdown_quality},
};

static bool print_part(struct str name)
{
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (!str_eq(name, str_of(parts[i].name)))
            continue;
        parts[i].print();
        return true;
    }
    fprintf(stderr, "docgen: \"%.*s\": no such part; see parts[] in tools/docgen/docgen.c\n",
            STR_ARG(name));
    return false;
}

static bool read_whole(const char *path, struct buf *ret_text)
{
    struct err err = ERR_INIT;

    if (file_read(path, ret_text, &err) == ST_OK)
        return true;
    fprintf(stderr, "docgen: %s\n", err.msg);
    return false;
}

/* The first comment of a header, as literal lines. */
static bool print_comment(const char *beside, struct str header)
{
    const char *slash = strrchr(beside, '/');
    struct buf text = BUF_INIT(MAX_FILE), path = BUF_INIT(4096);
    struct str rest, line;

    buf_add(&path, beside, slash ? (size_t)(slash + 1 - beside) : 0);
    buf_add_str(&path, header);
    bool is_there = read_whole(buf_z(&path), &text);
    rest = buf_str(&text);
    printf("```\n");
    while (is_there && str_cut(&rest, '\n', &line)) {
        if (line.len >= 2 && str_eq((struct str){line.p + line.len - 2, 2}, STR("*/")))
            break;
        size_t lead = line.len < 3 ? line.len : 3; /* of the comment itself */
        text_escaped((struct str){line.p + lead, line.len - lead}, "\\");
        putchar('\n');
    }
    printf("```\n\n");
    buf_release(&text);
    buf_release(&path);
    return is_there;
}

static bool fill(const char *path)
{
    static const struct str mark = {"; docgen ", 9}, comment = {"comment ", 8};
    struct buf text = BUF_INIT(MAX_FILE);
    struct str rest, line;
    bool is_whole = read_whole(path, &text);

    rest = buf_str(&text);
    while (is_whole && rest.len > 0) {
        str_cut(&rest, '\n', &line);
        if (!str_starts(line, mark)) {
            printf("%.*s\n", STR_ARG(line));
            continue;
        }
        line = (struct str){line.p + mark.len, line.len - mark.len};
        if (str_starts(line, comment))
            is_whole =
                print_comment(path, (struct str){line.p + comment.len, line.len - comment.len});
        else
            is_whole = print_part(line);
    }
    buf_release(&text);
    return is_whole;
}

int main(int argc, char **argv)
{
    bool is_done = argc == 3 && strcmp(argv[1], "fill") == 0 ? fill(argv[2])
                   : argc == 2                               ? print_part(str_of(argv[1]))
                                                             : false;

    return is_done && fflush(stdout) == 0 ? 0 : 1;
}
