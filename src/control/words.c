/* SPDX-License-Identifier: Apache-2.0 */
#include "control/words.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>

#define SOCKET_NAME "control.sock"

static void add_escaped(struct buf *b, const char *text)
{
    for (const char *c = text; *c; c++) {
        if ((unsigned char)*c <= ' ' || *c == '%' || *c == 0x7F)
            buf_addf(b, "%%%02X", (unsigned)(unsigned char)*c);
        else
            buf_add_char(b, *c);
    }
}

void control_put(struct buf *request, const char *name, const char *value)
{
    if (request->len > 0)
        buf_add_char(request, ' ');
    add_escaped(request, name);
    if (value) {
        buf_add_char(request, '=');
        add_escaped(request, value);
    }
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* False at a '%' without its two digits, an encoded NUL, or a character that must be encoded. */
static bool unescape(char *text)
{
    char *to = text;

    for (const char *c = text; *c; c++) {
        if (*c != '%') {
            if ((unsigned char)*c <= ' ' || *c == 0x7F)
                return false;
            *to++ = *c;
            continue;
        }
        int high = hex_digit(c[1]), low = high < 0 ? -1 : hex_digit(c[2]);
        if (low < 0 || (high == 0 && low == 0))
            return false;
        *to++ = (char)(high * 16 + low);
        c += 2;
    }
    *to = '\0';
    return true;
}

bool control_parse(char *line, struct control_request *ret_request)
{
    static char none[] = "";
    char *rest = line, *word;

    ret_request->n_words = 0;
    while ((word = strsep(&rest, " ")) != NULL) {
        size_t n = ret_request->n_words;
        if (n == CONTROL_MAX_WORDS)
            return false;
        char *value = strchr(word, '=');
        if (value)
            *value++ = '\0';
        ret_request->names[n] = word;
        ret_request->values[n] = value ? value : none;
        if (word[0] == '\0' || !unescape(word) || (value && !unescape(value)))
            return false;
        ret_request->n_words++;
    }
    return true;
}

const char *control_verb(const struct control_request *r)
{
    return r->names[0];
}

const char *control_arg(const struct control_request *r, const char *name)
{
    for (size_t i = 1; i < r->n_words; i++)
        if (strcmp(r->names[i], name) == 0)
            return r->values[i];
    return NULL;
}

enum st control_address(const char *data_dir, struct sockaddr_un *ret_address, int *ret_dir_fd,
                        struct err *err)
{
    const size_t room = sizeof(ret_address->sun_path);

    *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    *ret_dir_fd = -1;
    int n = snprintf(ret_address->sun_path, room, "%s/" SOCKET_NAME, data_dir);
    if (n > 0 && (size_t)n < room)
        return ST_OK;
    int fd = open(data_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(err, errno == ENOENT ? ST_REJECT : ST_FATAL, errno, "%s", data_dir);
    snprintf(ret_address->sun_path, room, "/proc/self/fd/%d/" SOCKET_NAME, fd);
    *ret_dir_fd = fd;
    return ST_OK;
}
