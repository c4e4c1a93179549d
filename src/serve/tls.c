/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/tls.h"

#include "base/mem.h"

#include <gnutls/abstract.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#define MAX_CHAIN 8

/* TLS 1.2 and 1.3, without what is weak. */
#define PRIORITIES "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

/* What was read once. Connections point to it, so it stays as long as the server. */
struct pair {
    struct pair *before;
    gnutls_datum_t cert, key; /* the files' bytes */
    gnutls_pcert_st chain[MAX_CHAIN];
    unsigned n_chain;
    gnutls_privkey_t private_key;
};

struct tls {
    const char *cert_path, *key_path;
    pthread_mutex_t lock; /* one reads the files at a time */
    _Atomic(struct pair *) now;
};

static _Thread_local const struct tls *here;

static void free_pair(struct pair *p)
{
    for (unsigned i = 0; i < p->n_chain; i++)
        gnutls_pcert_deinit(&p->chain[i]);
    if (p->private_key)
        gnutls_privkey_deinit(p->private_key);
    gnutls_free(p->cert.data);
    gnutls_free(p->key.data);
    mem_free(p);
}

static enum st fail(struct err *err, const char *path, int code)
{
    return err_set(err, ST_FATAL, "%s: %s", path, gnutls_strerror(code));
}

/* Does the key belong to the certificate? */
static int check_fit(struct pair *p)
{
    gnutls_pubkey_t of_key;
    unsigned char a[64], b[64];
    size_t n_a = sizeof(a), n_b = sizeof(b);
    int code = gnutls_pubkey_init(&of_key);

    if (code < 0)
        return code;
    code = gnutls_pubkey_import_privkey(of_key, p->private_key, 0, 0);
    if (code == 0)
        code = gnutls_pubkey_get_key_id(of_key, GNUTLS_KEYID_USE_SHA256, a, &n_a);
    if (code == 0)
        code = gnutls_pubkey_get_key_id(p->chain[0].pubkey, GNUTLS_KEYID_USE_SHA256, b, &n_b);
    gnutls_pubkey_deinit(of_key);
    if (code < 0)
        return code;
    return n_a == n_b && memcmp(a, b, n_a) == 0 ? 0 : GNUTLS_E_CERTIFICATE_KEY_MISMATCH;
}

static enum st read_pair(const struct tls *t, struct pair *p, struct err *err)
{
    unsigned n = MAX_CHAIN;
    int code = gnutls_load_file(t->cert_path, &p->cert);

    if (code < 0)
        return fail(err, t->cert_path, code);
    code = gnutls_pcert_list_import_x509_raw(p->chain, &n, &p->cert, GNUTLS_X509_FMT_PEM,
                                             GNUTLS_X509_CRT_LIST_FAIL_IF_UNSORTED);
    if (code < 0)
        return fail(err, t->cert_path, code);
    p->n_chain = n;
    code = gnutls_load_file(t->key_path, &p->key);
    if (code == 0)
        code = gnutls_privkey_init(&p->private_key);
    if (code == 0)
        code =
            gnutls_privkey_import_x509_raw(p->private_key, &p->key, GNUTLS_X509_FMT_PEM, NULL, 0);
    if (code == 0)
        code = check_fit(p);
    return code < 0 ? fail(err, t->key_path, code) : ST_OK;
}

static bool is_same(const gnutls_datum_t *a, const gnutls_datum_t *b)
{
    return a->size == b->size && memcmp(a->data, b->data, a->size) == 0;
}

enum st tls_reload(struct tls *t, struct err *err)
{
    struct pair *p = mem_new(1, sizeof(*p));

    pthread_mutex_lock(&t->lock);
    struct pair *now = atomic_load(&t->now);
    enum st st = read_pair(t, p, err);
    const bool is_new =
        st == ST_OK && !(now && is_same(&now->cert, &p->cert) && is_same(&now->key, &p->key));
    if (is_new) {
        p->before = now;
        atomic_store(&t->now, p);
    } else {
        free_pair(p);
    }
    pthread_mutex_unlock(&t->lock);
    return st;
}

enum st tls_open(const char *cert_path, const char *key_path, struct tls **ret_tls, struct err *err)
{
    struct tls *t = mem_new(1, sizeof(*t));

    t->cert_path = cert_path;
    t->key_path = key_path;
    pthread_mutex_init(&t->lock, NULL);
    enum st st = tls_reload(t, err);
    if (st != ST_OK) {
        tls_close(t);
        return st;
    }
    *ret_tls = t;
    return ST_OK;
}

void tls_close(struct tls *t)
{
    struct pair *before;

    if (!t)
        return;
    for (struct pair *p = atomic_load(&t->now); p; p = before) {
        before = p->before;
        free_pair(p);
    }
    pthread_mutex_destroy(&t->lock);
    mem_free(t);
}

void tls_use_here(const struct tls *t)
{
    here = t;
}

static int give_pair(gnutls_session_t session, const gnutls_datum_t *names, int n_names,
                     const gnutls_pk_algorithm_t *algorithms, int n_algorithms,
                     gnutls_pcert_st **ret_chain, unsigned *ret_n, gnutls_privkey_t *ret_key)
{
    (void)session, (void)names, (void)n_names, (void)algorithms, (void)n_algorithms;
    if (!here)
        return -1;
    struct pair *p = atomic_load(&here->now);
    *ret_chain = p->chain;
    *ret_n = p->n_chain;
    *ret_key = p->private_key;
    return 0;
}

const struct MHD_OptionItem *tls_options(void)
{
    static struct MHD_OptionItem options[] = {
        {MHD_OPTION_HTTPS_CERT_CALLBACK, 0, NULL},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)PRIORITIES},
        {MHD_OPTION_END, 0, NULL},
    };

    options[0].ptr_value = (void *)give_pair;
    return options;
}
