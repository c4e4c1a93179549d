/* SPDX-License-Identifier: Apache-2.0 */
#include "object/aws_profile.h"

#include <stdio.h>

/* "[profile  x]" is "profile x". */
static bool is_section(struct str line, const char *section)
{
    struct str inside = str_trim((struct str){line.p + 1, line.len - 1}), name;

    if (!str_cut(&inside, ']', &name))
        return false;
    name = str_trim(name);
    if (str_starts(name, STR("profile ")) || str_starts(name, STR("profile\t"))) {
        if (strncmp(section, "profile ", 8) != 0)
            return false;
        section += 8;
        name = str_trim((struct str){name.p + 8, name.len - 8});
    }
    return str_eq(name, str_of(section));
}

bool aws_profile_value(struct str file, const char *section, const char *name,
                       char ret_value[AWS_PROFILE_VALUE])
{
    bool is_here = false, is_found = false;
    struct str line;

    while (file.len > 0) {
        str_cut(&file, '\n', &line);
        /* indented: belongs to the setting above */
        const bool is_inner = line.len > 0 && (line.p[0] == ' ' || line.p[0] == '\t');
        struct str value = str_trim(line), key;
        if (value.len == 0 || is_inner || value.p[0] == '#' || value.p[0] == ';')
            continue;
        if (value.p[0] == '[') {
            is_here = is_section(value, section);
            continue;
        }
        if (!is_here || !str_cut(&value, '=', &key) || !str_eq(str_trim(key), str_of(name)))
            continue;
        value = str_trim(value);
        is_found = value.len > 0 && value.len < AWS_PROFILE_VALUE;
        if (is_found)
            snprintf(ret_value, AWS_PROFILE_VALUE, "%.*s", (int)value.len, value.p);
    }
    return is_found;
}
