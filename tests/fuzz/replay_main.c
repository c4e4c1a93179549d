/* Runs a fuzz target over files, as a normal test on every machine: each file is one case. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *path)
{
    static uint8_t bytes[1 << 20];
    FILE *f = fopen(path, "rb");

    if (f == NULL)
        return -1;
    size_t n = fread(bytes, 1, sizeof(bytes), f);
    fclose(f);
    /* an exact allocation, so that a sanitizer sees the first byte read too far */
    uint8_t *exact = malloc(n > 0 ? n : 1);
    if (exact == NULL)
        return -1;
    for (size_t i = 0; i < n; i++)
        exact[i] = bytes[i];
    LLVMFuzzerTestOneInput(exact, n);
    free(exact);
    return 0;
}

int main(int argc, char **argv)
{
    char path[1024];
    int n = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 1; i < argc; i++) {
        DIR *d = opendir(argv[i]);
        if (d == NULL)
            continue;
        for (struct dirent *e; (e = readdir(d)) != NULL;) {
            if (e->d_name[0] == '.')
                continue;
            snprintf(path, sizeof(path), "%s/%s", argv[i], e->d_name);
            printf("%s %d %s\n", run_file(path) == 0 ? "ok" : "not ok", ++n, e->d_name);
        }
        closedir(d);
    }
    printf("1..%d\n", n);
    return n > 0 ? 0 : 1;
}
